#include "engine/shard.h"

#include <stdexcept>

namespace qdit {
namespace {

[[noreturn]] void refuse() {
  throw std::logic_error("this backend keeps no pairs and sums no rows of a part.");
}

}  // namespace

void Shard::sum_rows(Index /*first*/, std::span<double> /*total*/, std::span<double> /*open*/) { refuse(); }
void Shard::first_gains(std::span<const double> /*total*/, std::span<Fixed> /*out*/) { refuse(); }
void Shard::open(std::span<Fixed> /*gains*/, Index /*first*/, std::size_t /*memory*/, const Tick& /*tick*/) {
  refuse();
}
void Shard::list(const RowView& /*candidates*/, Index /*first*/, const Tick& /*tick*/) { refuse(); }
void Shard::start() { refuse(); }
PairTable Shard::pairs(const Numbered& /*candidates*/) { refuse(); }
void Shard::commit(const Numbered& /*candidates*/, std::span<Fixed> /*increases*/) { refuse(); }

}  // namespace qdit
