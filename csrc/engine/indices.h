// Range checks of row numbers that come from outside.
#pragma once

#include <span>
#include <stdexcept>
#include <string>

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

}  // namespace qdit
