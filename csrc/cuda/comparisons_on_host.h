// What the host decides about the candidates of a graph: what is compared with what, and in how many rounds.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "cuda/kernels/comparisons.h"
#include "engine/graph_cells.h"
#include "engine/types.h"

namespace qdit::cuda {

// Rows in rounds of consecutive numbers whose lists fit together: where each begins, and the end. A list
// that does not fit alone is a round of its own.
inline std::vector<Index> rounds_that_fit(std::span<const std::uint32_t> counts, std::int64_t capacity) {
  std::vector<Index> begin{0};
  std::int64_t total = 0;
  for (std::size_t v = 0; v < counts.size(); ++v) {
    if (total > 0 && total + counts[v] > capacity) {
      begin.push_back(static_cast<Index>(v));
      total = 0;
    }
    total += counts[v];
  }
  begin.push_back(static_cast<Index>(counts.size()));
  return begin;
}

// Some members of a part and some of the rows that see it, as places in the layout's arrays.
struct Piece {
  std::int64_t member_begin;
  std::int64_t member_end;
  std::int64_t prober_begin;
  std::int64_t prober_end;

  std::int64_t rows() const { return member_end - member_begin + prober_end - prober_begin; }
};

// All pieces of all parts, no more than `most` members and `most` probers each.
inline std::vector<Piece> pieces_of(const CellLayout& layout, std::int64_t most) {
  std::vector<Piece> pieces;
  for (std::size_t part = 0; part + 1 < layout.member_begin.size(); ++part) {
    const std::int64_t members_end = layout.member_begin[part + 1];
    const std::int64_t probers_end = layout.prober_begin[part + 1];
    for (std::int64_t m = layout.member_begin[part]; m < members_end; m += most) {
      for (std::int64_t p = layout.prober_begin[part]; p < probers_end; p += most) {
        pieces.push_back({m, std::min(members_end, m + most), p, std::min(probers_end, p + most)});
      }
    }
  }
  return pieces;
}

// Adds to `out` what a piece has to say about the lists of rows first .. end: those of its probers, and those
// of its members. Row numbers are the members of the layout, then the probers. place: where the piece's rows
// lie in the operand, members first.
inline void compare(const CellLayout& layout, const Piece& piece, Index first, Index end, std::int32_t place,
                    std::vector<Comparison>& out) {
  const auto range = [&](const auto& numbers, std::int64_t from, std::int64_t to) {
    const auto begin = numbers.begin();
    const auto low = std::lower_bound(begin + from, begin + to, first);
    return std::pair(low - begin, std::lower_bound(low, begin + to, end) - begin);
  };
  const auto probers_at = static_cast<std::int64_t>(layout.members.size());
  const auto members = static_cast<std::int32_t>(piece.member_end - piece.member_begin);
  const auto probers = static_cast<std::int32_t>(piece.prober_end - piece.prober_begin);
  const std::int32_t probers_place = place + members;
  const auto add = [&](Comparison next) {
    if (next.row_count > 0 && next.column_count > 0) out.push_back(next);
  };
  const auto [prober, probers_end] = range(layout.probers, piece.prober_begin, piece.prober_end);
  add({probers_at + prober, piece.member_begin, 0, static_cast<std::int32_t>(probers_end - prober), members,
       probers_place + static_cast<std::int32_t>(prober - piece.prober_begin), place, false});
  const auto [member, members_end] = range(layout.members, piece.member_begin, piece.member_end);
  add({member, probers_at + piece.prober_begin, 0, static_cast<std::int32_t>(members_end - member), probers,
       place + static_cast<std::int32_t>(member - piece.member_begin), probers_place, true});
}

// Numbers the tiles through; returns how many there are.
inline std::int64_t number_tiles(std::span<Comparison> comparisons, std::int32_t tile) {
  std::int64_t tiles = 0;
  for (Comparison& comparison : comparisons) {
    comparison.first_tile = tiles;
    tiles += comparison.tiles(tile);
  }
  return tiles;
}

}  // namespace qdit::cuda
