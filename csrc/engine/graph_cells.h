// Which rows are compared with which: every row with the members of the cells that it probes.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/types.h"

namespace qdit {

// Large cells are split at random, and a row sees one part of each cell that it probes: its own where it has
// one. So neither the work nor the memory grows with the square of the largest cell.
struct CellLayout {
  Index probes = 0;
  std::vector<std::int32_t> seen;          // (n, probes): parts, the row's own first
  std::vector<std::int64_t> member_begin;  // per part, and the end
  std::vector<Index> members;              // rows of each part, ascending
  std::vector<std::int64_t> prober_begin;  // per part, and the end
  std::vector<std::uint32_t> probers;      // rows that see it, ascending; its members are among them

  Index parts() const { return static_cast<Index>(member_begin.size()) - 1; }
  std::int32_t own(Index row) const { return seen[static_cast<std::size_t>(row * probes)]; }
};

// nearest: (n, probes) cells of each row, the one it belongs to first. largest: members of a part, about.
CellLayout lay_out_cells(std::span<const std::int32_t> nearest, Index probes, Index cells, Index largest,
                         std::uint64_t seed);

}  // namespace qdit
