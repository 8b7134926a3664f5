#include "engine/shard_picks.h"

#include <algorithm>
#include <stdexcept>

#include "engine/lazy_queue.h"

namespace qdit {
namespace {

// The pairs of one part by row as well. Rows begin at 0, since a pair says how far it raises its row.
class Part {
 public:
  Part(const PairView& pairs, std::size_t candidates) : pairs_(pairs) {
    if (pairs.offsets.size() != candidates + 1 || pairs.offsets.front() != 0 ||
        !std::is_sorted(pairs.offsets.begin(), pairs.offsets.end()) ||
        pairs.offsets.back() != static_cast<std::int64_t>(pairs.rows.size()) ||
        pairs.rows.size() != pairs.rises.size()) {
      throw std::invalid_argument("offsets: wanted rising numbers from 0 to the number of pairs.");
    }
    const auto largest = std::max_element(pairs.rows.begin(), pairs.rows.end());
    const std::size_t rows = largest == pairs.rows.end() ? 0 : std::size_t{*largest} + 1;
    begin_.assign(rows + 1, 0);
    max_.assign(rows, 0);
    for (const std::uint32_t row : pairs.rows) ++begin_[row + 1];
    for (std::size_t row = 0; row < rows; ++row) begin_[row + 1] += begin_[row];
    by_row_.resize(pairs.rows.size());
    std::vector<std::int64_t> next(begin_.begin(), begin_.end() - 1);
    for (std::size_t c = 0; c < candidates; ++c) {
      for (std::int64_t i = pairs.offsets[c]; i < pairs.offsets[c + 1]; ++i) {
        const auto at = static_cast<std::size_t>(i);
        by_row_[static_cast<std::size_t>(next[pairs.rows[at]]++)] = {static_cast<std::uint32_t>(c),
                                                                     pairs.rises[at]};
      }
    }
  }

  Fixed gain(std::size_t candidate) const {
    Fixed sum = 0;
    for (std::int64_t i = pairs_.offsets[candidate]; i < pairs_.offsets[candidate + 1]; ++i) {
      sum += pairs_.rises[static_cast<std::size_t>(i)];
    }
    return sum;
  }

  // Raises the rows of a candidate and lowers the gains of all.
  void commit(std::size_t candidate, std::span<Fixed> gains) {
    for (std::int64_t i = pairs_.offsets[candidate]; i < pairs_.offsets[candidate + 1]; ++i) {
      const std::uint32_t row = pairs_.rows[static_cast<std::size_t>(i)];
      const std::int32_t from = max_[row];
      const std::int32_t to = pairs_.rises[static_cast<std::size_t>(i)];
      if (to <= from) continue;
      max_[row] = to;
      for (auto j = static_cast<std::size_t>(begin_[row]); j < static_cast<std::size_t>(begin_[row + 1]);
           ++j) {
        const auto [other, rise] = by_row_[j];
        if (rise > from) gains[other] -= std::min(rise, to) - from;
      }
    }
  }

 private:
  struct Entry {
    std::uint32_t candidate;
    std::int32_t rise;
  };

  PairView pairs_;
  std::vector<std::int64_t> begin_;
  std::vector<Entry> by_row_;
  std::vector<std::int32_t> max_;
};

}  // namespace

ShardPicks pick_among(std::span<const PairView> parts, std::span<const Index> numbers, const Scorer& scorer,
                      Index most, const Scored& rival) {
  std::vector<Part> all;
  for (const PairView& pairs : parts) all.emplace_back(pairs, numbers.size());
  std::vector<Fixed> gains(numbers.size(), 0);
  std::vector<LazyQueue::Entry> entries;
  for (std::size_t c = 0; c < gains.size(); ++c) {
    for (const Part& part : all) gains[c] += part.gain(c);
    const auto position = static_cast<Index>(c);
    entries.push_back({{scorer(position, gains[c]), position}});
  }
  LazyQueue queue;
  queue.assign(std::move(entries));
  ShardPicks result;
  while (static_cast<Index>(result.picks.size()) < most && !queue.empty()) {
    const Scored bound = queue.top().bound;
    const auto c = static_cast<std::size_t>(bound.candidate);
    const Scored now{scorer(bound.candidate, gains[c]), bound.candidate};
    queue.pop();
    if (now.score != bound.score) {  // gains only fall
      queue.push({now});
      continue;
    }
    if (rival.candidate >= 0 && !better({now.score, numbers[c]}, rival)) break;
    result.picks.push_back(bound.candidate);
    result.gains.push_back(gains[c]);
    for (Part& part : all) part.commit(c, gains);
  }
  return result;
}

}  // namespace qdit
