// Bounds of similarities from a few columns.
//
// Along nearly orthonormal directions Q (rotation.h) a unit row a is Q p_a and a rest of norm r_a, so that
//
//   s(a, v) <= p_a . p_v + r_a r_v           (Cauchy-Schwarz on the rest)
//
// whatever the rows are. With r as one more column the bound is a product of two short rows, and the kernels
// for products find it. It is rigorous: all that rounding can do to either side is in r. A pair whose bound
// does not exceed what it would have to is never multiplied; the others are, by the ordinary product.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "cpu/aligned.h"
#include "cpu/kernels.h"
#include "cpu/rotation.h"
#include "cpu/thread_pool.h"
#include "engine/rows.h"
#include "engine/types.h"

namespace qdit::cpu {

class Prefix {
 public:
  static constexpr Index kColumns = kDepth;  // of a short row: one block of the kernels
  static constexpr Index kChunk = 64;        // the last of so many columns is what the columns up to it leave
  static constexpr Index kDirections = kColumns / kChunk * (kChunk - 1);

  // Rows with the metric and half_exponent that their factors were made with (scaled_pool.h).
  struct Input {
    const RowView& rows;
    std::span<const double> squared_norms;
    Metric metric;
    int half_exponent;
  };
  Prefix(const Rotation& rotation, const Input& input, const Kernels& kernels, ThreadPool& pool);

  // (n, columns), float16, the leading columns of the short rows; columns is a multiple of kChunk.
  RowView view(Index columns) const;
  std::span<const float> factors() const { return factors_; }
  // The other side of a bound: leading columns of some rows, (ids.size(), columns), in which of the columns
  // that hold a rest only the last is not zero. A product of one with a row of view(), times both factors, is
  // an upper bound on the similarity in fixed point as it is computed from whole rows, whatever the order of
  // its sum.
  AlignedVector<float> partners(std::span<const Index> ids, Index columns, const Kernels& kernels) const;
  std::size_t bytes() const {
    return values_.size() * sizeof(std::uint16_t) + factors_.size() * sizeof(float);
  }

 private:
  void store(Index row, const std::int32_t* projections, double more, const Kernels& kernels);

  Index n_;
  AlignedVector<std::uint16_t> values_;
  std::vector<float> factors_;
};

// By how much an estimate of a similarity (Kernels::estimate) may differ from the similarity, in fixed point
// of `bits` bits, for rows of d columns.
std::int32_t estimate_margin(Index d, int bits);

}  // namespace qdit::cpu
