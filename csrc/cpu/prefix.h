// Bounds of similarities from a few short integers.
//
// Along nearly orthonormal directions Q (rotation.h) a unit row a is Q p_a and a rest of norm r_a, and p_a is
// s_a q_a and an error of norm e_a, where q_a are integers from -63 to 63. So
//
//   s(a, v) <= s_a s_v q_a . q_v + e_a + e_v + r_a r_v           (Cauchy-Schwarz on the errors and the rest)
//
// whatever the rows are. The product of integers is exact, and finds its kernel in bound_kernel.h. The bound
// is rigorous: all that rounding can do to either side is in e and r. A pair whose bound does not exceed what
// it would have to is never multiplied; the others are, by the ordinary product.
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
  static constexpr Index kColumns = Rotation::kDirections;  // of a short row
  static constexpr Index kChunk = Rotation::kChunk;         // bounds are of a multiple of so many columns
  static constexpr int kZero = 64;                          // how 0 is stored

  // Rows with the metric and half_exponent that their factors were made with (scaled_pool.h).
  struct Input {
    const RowView& rows;
    std::span<const double> squared_norms;
    Metric metric;
    int half_exponent;
  };
  Prefix(const Rotation& rotation, const Input& input, const Kernels& kernels, ThreadPool& pool);

  // With those of another row over as many columns they make (kernels.h) an upper bound on the similarity in
  // fixed point, as it is computed from whole rows, whatever the order of its sum.
  BoundTerms terms(Index row, Index columns) const;
  // q + kZero of a row.
  const std::uint8_t* values(Index row) const { return values_.data() + row * kColumns; }
  // The other side of a product: writes q, and returns what to add to its product with values().
  std::int32_t partner(Index row, Index columns, std::int8_t* to) const;

  std::size_t bytes() const { return values_.size() + terms_.size() * sizeof(Terms); }

 private:
  struct Terms {
    float scale = 0.0f;
    float norm = 0.0f;
    float error = 0.0f;
    float rest[kColumns / kChunk] = {};
  };
  // What rounding adds to the errors, all relative to the norms of both rows.
  struct Slack {
    double projection;  // of p
    double rest;        // to r^2
    double product;     // to e
  };

  static Slack slack(Index d, double defect);
  void store(Index row, const std::int32_t* projections, double norm, const Slack& slack);

  AlignedVector<std::uint8_t> values_;
  std::vector<Terms> terms_;
};

// Relative to the norms of both rows: the largest error of a product of d columns as the kernels sum it, its
// factors and what else is rounded once or twice.
double product_error(Index d);

// By how much an estimate of a similarity (Kernels::estimate) may differ from the similarity, in fixed point
// of `bits` bits, for rows of d columns.
std::int32_t estimate_margin(Index d, int bits);

}  // namespace qdit::cpu
