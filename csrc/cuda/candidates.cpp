#include "cuda/candidates.h"

#include <algorithm>
#include <vector>

namespace qdit::cuda {
namespace {

constexpr std::int64_t kUnderWay = 8 * Candidates::kMost;

}  // namespace

Candidates::Candidates(const Context& context)
    : context_(context),
      host_(context.device, kUnderWay * sizeof(std::int32_t)),
      ids_(context.device, kUnderWay) {}

Candidates::Loaded Candidates::load(std::span<const std::int32_t> ids) {
  const auto count = static_cast<std::int64_t>(ids.size());
  if (used_ + count > kUnderWay) {
    context_.stream.wait();
    used_ = 0;
  }
  auto* const host = reinterpret_cast<std::int32_t*>(host_.data()) + used_;
  std::int32_t* const there = ids_.data() + used_;
  used_ += count;
  std::copy(ids.begin(), ids.end(), host);
  context_.stream.send(std::span<const std::int32_t>(host, ids.size()), there);
  Pool& pool = context_.pool;
  if (!pool.resident()) {
    pool.gather(std::vector<Index>(ids.begin(), ids.end()), batch_);
    return {batch_.operand, there};
  }
  Operand rows = pool.chunk(0);
  rows.ids = there;
  rows.count = static_cast<std::int32_t>(count);
  return {rows, there};
}

}  // namespace qdit::cuda
