// Range checks of row numbers that come from outside.
#pragma once

#include <algorithm>
#include <iterator>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "engine/types.h"

namespace qdit {

inline void check_indices(std::span<const Index> rows, Index n, const std::string& name) {
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (rows[i] < 0 || rows[i] >= n) {
      throw std::invalid_argument(name + ": position " + std::to_string(i) + " is row " +
                                  std::to_string(rows[i]) + ", wanted 0 .. " + std::to_string(n - 1) + ".");
    }
  }
}

// The rows that are not among `left_out` (ascending), in their order.
inline std::vector<Index> without(std::span<const Index> rows, std::span<const Index> left_out) {
  std::vector<Index> kept;
  std::copy_if(rows.begin(), rows.end(), std::back_inserter(kept),
               [left_out](Index row) { return !std::binary_search(left_out.begin(), left_out.end(), row); });
  return kept;
}

}  // namespace qdit
