// A similarity graph: for every row its most similar rows.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "engine/free.h"
#include "engine/types.h"

namespace qdit {

struct Neighbor {
  std::uint32_t row;
  std::int32_t sim;  // fixed point
};

// Compressed rows: the neighbors of v are pairs[offsets[v] .. offsets[v + 1]), by falling similarity, the
// smaller row first on ties.
struct NeighborTable {
  std::vector<std::int64_t> offsets;        // n + 1
  std::unique_ptr<Neighbor[], Free> pairs;  // offsets.back() of them
};

// The same where it lies in memory, usually in a mapped file.
struct GraphView {
  std::span<const std::int64_t> offsets;
  std::span<const Neighbor> pairs;

  Index n() const { return static_cast<Index>(offsets.size()) - 1; }
  std::span<const Neighbor> neighbors(Index v) const {
    const auto begin = static_cast<std::size_t>(offsets[static_cast<std::size_t>(v)]);
    const auto end = static_cast<std::size_t>(offsets[static_cast<std::size_t>(v) + 1]);
    return pairs.subspan(begin, end - begin);
  }
};

}  // namespace qdit
