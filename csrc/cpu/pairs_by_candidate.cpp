#include "cpu/pairs_by_candidate.h"

#include <utility>

namespace qdit::cpu {

std::int64_t PairsByCandidate::count(AliveLists& lists, std::span<const std::int32_t> max) {
  std::int64_t count = 0;
  for (std::size_t v = 0; v < max.size(); ++v) {
    const auto row = static_cast<Index>(v);
    if (lists.threshold(row) <= max[v]) count += static_cast<std::int64_t>(lists.count(row));
  }
  return count;
}

// Threads take ranges of rows. Each counts its pairs by candidate; then all know where theirs go.
void PairsByCandidate::group(AliveLists& lists, std::span<const std::int32_t> max, std::int64_t count,
                             Index candidates, ThreadPool& pool) {
  const auto n = static_cast<Index>(max.size());
  const auto parts = static_cast<Index>(pool.threads());
  const auto for_pairs = [&](Index part, const auto& function) {
    for (Index v = part * n / parts; v < (part + 1) * n / parts; ++v) {
      if (lists.threshold(v) > max[static_cast<std::size_t>(v)]) continue;
      for (const AlivePair& pair : lists.pairs(v)) function(v, pair);
    }
  };
  std::vector<std::vector<std::int64_t>> next(
      static_cast<std::size_t>(parts), std::vector<std::int64_t>(static_cast<std::size_t>(candidates), 0));
  pool.run(parts, [&](std::int64_t part, int /*thread*/) {
    auto& counts = next[static_cast<std::size_t>(part)];
    for_pairs(part, [&](Index /*v*/, const AlivePair& pair) { ++counts[pair.candidate]; });
  });
  offsets_.assign(static_cast<std::size_t>(candidates) + 1, 0);
  std::int64_t end = 0;
  for (std::size_t c = 0; c + 1 < offsets_.size(); ++c) {
    for (auto& counts : next) end += std::exchange(counts[c], end);
    offsets_[c + 1] = end;
  }
  pairs_.reset();  // before there are others
  pairs_ = std::make_unique_for_overwrite<CandidatePair[]>(static_cast<std::size_t>(count));
  count_ = static_cast<std::size_t>(count);
  pool.run(parts, [&](std::int64_t part, int /*thread*/) {
    auto& places = next[static_cast<std::size_t>(part)];
    for_pairs(part, [&](Index v, const AlivePair& pair) {
      pairs_[static_cast<std::size_t>(places[pair.candidate]++)] = {static_cast<std::uint32_t>(v), pair.sim};
    });
  });
}

void PairsByCandidate::clear() {
  offsets_.clear();
  pairs_.reset();
  count_ = 0;
}

}  // namespace qdit::cpu
