// What every backend is made from.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "engine/interrupt.h"
#include "engine/rows.h"
#include "engine/types.h"

namespace qdit {

struct PoolOptions {
  RowView rows;
  RowView outside;                  // already chosen rows from outside the pool; n = 0 for none
  RowView represented;              // the rows v that d(A) is summed over; n = 0: those of the pool
  std::span<const double> weights;  // what each of them counts, read while a backend is made; empty: 1
  Metric metric = Metric::kCosine;
  double range = 0.0;           // dot: the longest squared norm of rows that lie elsewhere
  std::optional<double> floor;  // where the running maximum starts; none: "nothing yet"
  ZeroRows zero_rows = ZeroRows::kError;
  int threads = 1;
  std::string simd;             // cpu: instruction set, empty for the best
  std::size_t cache_bytes = 0;  // cpu: memory for alive pairs of evaluated candidates
  Index block_rows = 0;         // pool rows per block, 0 for what fits the cache (cpu) or the device (cuda)
  Index batch = 0;              // preferred batch width, 0 for the default
  int device = 0;               // cuda: number of the device
  std::string precision;        // cuda: "float16" or "split", empty for what the rows' type asks for
  bool on_device = false;       // cuda: rows.data is memory of the device ...
  std::uintptr_t stream = 0;    // ... that is ready once this stream's work so far is done; 0: ready now
  Interrupt interrupt;
};

}  // namespace qdit
