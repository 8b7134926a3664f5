#include "cuda/graph_pairs.h"

#include <algorithm>
#include <limits>

namespace qdit::cuda {
namespace {

// Some ten milliseconds on a large card, as in symmetric_pass.cpp.
constexpr std::int64_t kTilesPerLaunch = 1 << 17;

template <class T>
Buffer<T> on_device(const Context& context, std::span<const T> values) {
  Buffer<T> buffer(context.device, static_cast<std::int64_t>(values.size()));
  context.stream.upload(values, buffer.data());
  return buffer;
}

std::vector<std::int32_t> numbers_of(const CellLayout& layout) {
  std::vector<std::int32_t> numbers(layout.members.begin(), layout.members.end());
  numbers.reserve(layout.members.size() + layout.probers.size());
  for (const std::uint32_t row : layout.probers) numbers.push_back(static_cast<std::int32_t>(row));
  return numbers;
}

// A gathered group is no larger than a part of the pool; one that lies there is gone through at once.
std::int64_t rows_of_a_group(const Pool& pool) {
  return pool.resident() ? std::numeric_limits<std::int32_t>::max() : pool.end(0) - pool.begin(0);
}

}  // namespace

PairPass::PairPass(const Context& context, const CellLayout& layout, std::span<const std::int32_t> floors)
    : context_(context),
      layout_(layout),
      numbers_(on_device(context, std::span<const std::int32_t>(numbers_of(layout)))),
      floors_(on_device(context, floors)),
      seen_(on_device(context, std::span<const std::int32_t>(layout.seen))),
      pieces_(pieces_of(layout, std::max<std::int64_t>(1, rows_of_a_group(context.pool) / 2))),
      group_rows_(rows_of_a_group(context.pool)),
      pace_(context.device, context.interrupt) {}

void PairPass::run(const CandidateLists& lists, const std::function<void(double)>& tick) {
  const std::span<const Piece> pieces = pieces_;
  std::size_t begin = 0;
  while (begin < pieces.size()) {
    std::size_t end = begin;
    std::int64_t rows = 0;
    const bool all = context_.pool.resident();
    while (end < pieces.size() && (all || end == begin || rows + pieces[end].rows() <= group_rows_)) {
      rows += pieces[end++].rows();
    }
    const auto share = [&](double of_group) {
      const double done = static_cast<double>(begin) + of_group * static_cast<double>(end - begin);
      tick(done / static_cast<double>(pieces.size()));
    };
    run_group(pieces.subspan(begin, end - begin), lists, share);
    begin = end;
  }
  context_.stream.wait();
}

void PairPass::run_group(std::span<const Piece> pieces, const CandidateLists& lists,
                         const std::function<void(double)>& tick) {
  const Stream& stream = context_.stream;
  Pool& pool = context_.pool;
  const bool gathered = !pool.resident();
  std::vector<Comparison> comparisons;
  std::vector<Piece> needed;
  std::int64_t place = 0;
  for (const Piece& piece : pieces) {
    const std::size_t before = comparisons.size();
    compare(layout_, piece, lists.first, lists.end, gathered ? static_cast<std::int32_t>(place) : 0,
            comparisons);
    if (comparisons.size() == before) continue;
    needed.push_back(piece);
    place += piece.rows();
  }
  if (comparisons.empty()) return;
  const std::int64_t tiles =
      number_tiles(comparisons, static_cast<std::int32_t>(tile_rows(pool.arithmetic())));
  comparisons_.grow(context_.device, static_cast<std::int64_t>(comparisons.size()));
  stream.upload(std::span<const Comparison>(comparisons), comparisons_.data());
  if (gathered) gather(needed);
  CandidateArguments arguments;
  arguments.pool = gathered ? batch_.operand : pool.chunk(0);
  arguments.gathered = gathered;
  arguments.comparisons = comparisons_.data();
  arguments.count = static_cast<std::int64_t>(comparisons.size());
  arguments.numbers = numbers_.data();
  arguments.floors = floors_.data();
  arguments.seen = seen_.data();
  arguments.probes = static_cast<std::int32_t>(layout_.probes);
  arguments.first = static_cast<std::int32_t>(lists.first);
  arguments.counts = lists.counts;
  arguments.list_begin = lists.list_begin;
  arguments.keys = lists.keys;
  for (std::int64_t first = 0; first < tiles; first += kTilesPerLaunch) {
    const std::int64_t count = std::min(kTilesPerLaunch, tiles - first);
    launch_candidates(pool.arithmetic(), arguments, first, count, stream.get());
    pace_.launched(stream.get());
    tick(static_cast<double>(first + count) / static_cast<double>(tiles));
  }
  for (const Comparison& comparison : comparisons) {
    products_ += static_cast<double>(comparison.row_count) * static_cast<double>(comparison.column_count);
  }
}

// Brings the rows of the pieces together, in the order that compare() counts on.
void PairPass::gather(std::span<const Piece> pieces) {
  std::vector<Index> rows;
  for (const Piece& piece : pieces) {
    for (std::int64_t i = piece.member_begin; i < piece.member_end; ++i) {
      rows.push_back(layout_.members[static_cast<std::size_t>(i)]);
    }
    for (std::int64_t i = piece.prober_begin; i < piece.prober_end; ++i) {
      rows.push_back(static_cast<Index>(layout_.probers[static_cast<std::size_t>(i)]));
    }
  }
  context_.pool.gather(rows, batch_);
}

}  // namespace qdit::cuda
