#include "engine/similar_pairs.h"

#include <algorithm>
#include <numeric>
#include <span>
#include <stdexcept>
#include <string>

#include "engine/backend.h"

namespace qdit {
namespace {

constexpr Index kRows = 256;
constexpr Index kOthers = 8192;

}  // namespace

void check_range(const PairRange& range, Index n) {
  if (range.begin < 0 || range.end < range.begin || range.end > n) {
    throw std::invalid_argument("rows: got " + std::to_string(range.begin) + " to " +
                                std::to_string(range.end) + ", wanted a range in 0 to " + std::to_string(n) +
                                ".");
  }
  if (range.least <= 0) throw std::invalid_argument("least: wanted a similarity above 0.");
}

void throw_too_many(const PairRange& range) {
  throw std::overflow_error("more than " + std::to_string(range.most) + " pairs are that similar.");
}

void add_pairs(std::vector<SimilarPair>& found, std::vector<SimilarPair>&& more, const PairRange& range) {
  if (more.size() > range.most - std::min(range.most, found.size())) throw_too_many(range);
  if (found.empty()) {
    found = std::move(more);
  } else {
    found.insert(found.end(), more.begin(), more.end());
  }
}

void sort_pairs(std::vector<SimilarPair>& pairs) {
  std::sort(pairs.begin(), pairs.end(), [](const SimilarPair& a, const SimilarPair& b) {
    return a.row != b.row ? a.row < b.row : a.other < b.other;
  });
}

std::vector<SimilarPair> similar_pairs_by_blocks(Backend& backend, const PairRange& range) {
  const Index n = backend.size();
  check_range(range, n);
  std::vector<Index> all(static_cast<std::size_t>(n));
  std::iota(all.begin(), all.end(), 0);
  std::vector<SimilarPair> found;
  std::vector<Fixed> sims;
  for (Index begin = range.begin; begin < range.end; begin += kRows) {
    const auto rows = std::span(all).subspan(static_cast<std::size_t>(begin),
                                             static_cast<std::size_t>(std::min(kRows, range.end - begin)));
    for (Index first = begin; first < n; first += kOthers) {
      const auto others = std::span(all).subspan(static_cast<std::size_t>(first),
                                                 static_cast<std::size_t>(std::min(kOthers, n - first)));
      sims.resize(rows.size() * others.size());
      backend.similarities(rows, others, sims);
      std::vector<SimilarPair> more;
      for (std::size_t i = 0; i < sims.size(); ++i) {
        const Index row = rows[i / others.size()];
        const Index other = others[i % others.size()];
        if (sims[i] < range.least || other <= row) continue;
        more.push_back({static_cast<std::uint32_t>(row), static_cast<std::uint32_t>(other), sims[i]});
      }
      add_pairs(found, std::move(more), range);
    }
  }
  sort_pairs(found);
  return found;
}

}  // namespace qdit
