// What every backend is made from.
#pragma once

#include <optional>
#include <string>

#include "engine/interrupt.h"
#include "engine/rows.h"
#include "engine/types.h"

namespace qdit {

struct PoolOptions {
  RowView rows;
  RowView outside;  // already chosen rows from outside the pool; n = 0 for none
  Metric metric = Metric::kCosine;
  std::optional<double> floor;  // where the running maximum starts; none: "nothing yet"
  ZeroRows zero_rows = ZeroRows::kError;
  int threads = 1;
  std::string simd;             // cpu: instruction set, empty for the best
  std::size_t cache_bytes = 0;  // cpu: memory for similarity rows of recent candidates
  Index block_rows = 0;         // cpu: pool rows per block, 0 for what fits the cache
  Index batch = 0;              // cpu: preferred batch width, 0 for the default
  Interrupt interrupt;
};

}  // namespace qdit
