// Fixed-point similarities: S = rint(s * scale) with scale a power of two.
//
// Integer sums do not depend on their order, so a gain has the same bits for any block size, thread count and
// schedule, and a stale gain is an exact upper bound on the fresh one.
#pragma once

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

#include "engine/row_check.h"
#include "engine/types.h"

namespace qdit {

// The largest |s| there can be: 1 for cosine, the largest squared norm for dot (Cauchy-Schwarz). Throws where
// the products of all rows would be lost in float32. Rows of zeros alone are similar to nothing, as they are.
inline double similarity_range(Metric metric, double largest_squared_norm) {
  if (metric == Metric::kCosine) return 1.0;
  const double norm = std::sqrt(largest_squared_norm);
  if (norm > 0.0 && norm < kMinNorm) throw_norm("embeddings: the longest row", norm);
  return std::max(largest_squared_norm, kMinNorm * kMinNorm);
}

// The largest e (even, so that each of two rows can carry half of it) with range * 2^e <= 2^bits.
inline int scale_exponent(double range, int bits) {
  int exponent_of_range = 0;
  const double mantissa =
      std::frexp(range, &exponent_of_range);  // range = mantissa * 2^exponent, 0.5 <= m < 1
  if (mantissa == 0.5) --exponent_of_range;   // an exact power of two
  const int e = bits - exponent_of_range;
  return e - (e & 1);
}

// The starting value of the running maximum. Throws if it lies outside of what a similarity can be.
inline Fixed fixed_floor(double floor, double range, double scale) {
  if (!(std::fabs(floor) <= range)) {
    throw std::invalid_argument("floor: got " + number(floor) + ", wanted a similarity between " +
                                number(-range) + " and " + number(range) + ", or None.");
  }
  return std::llrint(floor * scale);
}

}  // namespace qdit
