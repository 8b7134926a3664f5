#include "engine/graph_cells.h"

#include <stdexcept>

#include "engine/mix.h"

namespace qdit {
namespace {

constexpr std::int32_t kNoPart = -1;  // of a cell without members

void accumulate(std::vector<std::int64_t>& counts) {
  for (std::size_t i = 1; i < counts.size(); ++i) counts[i] += counts[i - 1];
}

// Rows by part, by counting: row r goes to the first `of_row` parts that it sees.
template <class Row>
void group(const CellLayout& layout, std::size_t of_row, std::size_t parts, std::vector<std::int64_t>& begin,
           std::vector<Row>& rows) {
  const auto probes = static_cast<std::size_t>(layout.probes);
  const auto for_each = [&](const auto& function) {
    for (std::size_t r = 0; r * probes < layout.seen.size(); ++r) {
      for (std::size_t j = 0; j < of_row; ++j) {
        const std::int32_t part = layout.seen[r * probes + j];
        if (part != kNoPart) function(r, static_cast<std::size_t>(part));
      }
    }
  };
  begin.assign(parts + 1, 0);
  for_each([&](std::size_t, std::size_t part) { ++begin[part + 1]; });
  accumulate(begin);
  rows.resize(static_cast<std::size_t>(begin.back()));
  std::vector<std::int64_t> next(begin.begin(), begin.end() - 1);
  for_each([&](std::size_t r, std::size_t part) {
    rows[static_cast<std::size_t>(next[part]++)] = static_cast<Row>(r);
  });
}

}  // namespace

CellLayout lay_out_cells(std::span<const std::int32_t> nearest, Index probes, Index cells, Index largest,
                         std::uint64_t seed) {
  const auto width = static_cast<std::size_t>(probes);
  std::vector<std::int64_t> first(static_cast<std::size_t>(cells) + 1, 0);  // part of each cell, and the end
  for (const std::int32_t cell : nearest) {
    if (cell < 0 || cell >= cells) throw std::invalid_argument("nearest: a number that is no cell.");
  }
  for (std::size_t at = 0; at < nearest.size(); at += width) {
    ++first[static_cast<std::size_t>(nearest[at]) + 1];
  }
  for (std::size_t c = 1; c < first.size(); ++c) first[c] = (first[c] + largest - 1) / largest;
  accumulate(first);

  CellLayout layout;
  layout.probes = probes;
  layout.seen.resize(nearest.size());
  for (std::size_t i = 0; i < nearest.size(); ++i) {
    const auto cell = static_cast<std::size_t>(nearest[i]);
    const auto parts = static_cast<std::uint64_t>(first[cell + 1] - first[cell]);
    const std::uint64_t draw = parts > 1 ? mix(seed ^ mix(i / width)) % parts : 0;
    layout.seen[i] = parts == 0 ? kNoPart : static_cast<std::int32_t>(first[cell] + static_cast<Index>(draw));
  }
  const auto parts = static_cast<std::size_t>(first.back());
  group(layout, 1, parts, layout.member_begin, layout.members);
  group(layout, width, parts, layout.prober_begin, layout.probers);
  return layout;
}

}  // namespace qdit
