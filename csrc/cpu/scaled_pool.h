// Checked rows and what their dot products are multiplied by.
#pragma once

#include <span>
#include <vector>

#include "cpu/kernels.h"
#include "cpu/thread_pool.h"
#include "engine/pool_options.h"
#include "engine/row_weights.h"
#include "engine/rows.h"
#include "engine/types.h"

namespace qdit::cpu {

constexpr int kScaleBits = 26;  // |s| <= 2^26: a relu fits 27 bits, the sum over a tile 32

// Each of the two rows of a product carries half of the scale, 2^half_exponent, and its inverse norm under
// cosine. Applied after the product: the products of float16 items stay exact.
std::vector<float> row_factors(std::span<const double> squared_norms, Metric metric, int half_exponent);

struct ScaledRows {
  RowView view;
  std::vector<float> factors;  // similarity in fixed point = dot product * (factor * factor)
  std::vector<Index> ignored;  // ascending
};

class ScaledPool {
 public:
  // Throws std::invalid_argument for the first bad row, or a floor that is no similarity.
  ScaledPool(const PoolOptions& options, const Kernels& kernels, ThreadPool& pool);

  const ScaledRows& rows() const { return rows_; }
  const ScaledRows& outside() const { return outside_; }
  // The rows that maxima are of: those of the pool, or others.
  const ScaledRows& represented() const { return of_others() ? represented_ : rows_; }
  bool of_others() const { return represented_.view.n > 0; }
  const std::uint32_t* weights() const { return weights_.data(); }  // of represented rows, as in RowWeights
  double scale() const { return scale_; }
  double sum_scale() const { return scale_ * weights_.scale(); }
  double range() const { return range_; }
  Metric metric() const { return metric_; }
  int half_exponent() const { return exponent_ / 2; }
  std::span<const double> squared_norms() const { return squared_norms_; }  // of rows()
  std::int32_t floor() const { return floor_; }
  std::size_t bytes() const;  // of factors and weights
  // Other rows on the same scale. Under "dot" none may be longer than the longest of the pool.
  ScaledRows add(const RowView& view, ZeroRows zero_rows = ZeroRows::kError) const;

 private:
  const Kernels& kernels_;
  ThreadPool& pool_;
  Metric metric_;
  double range_ = 1.0;  // the largest similarity there can be
  int exponent_ = 0;
  double scale_ = 1.0;
  std::int32_t floor_ = 0;
  std::vector<double> squared_norms_;
  ScaledRows rows_;
  ScaledRows outside_;
  ScaledRows represented_;
  RowWeights weights_;
};

}  // namespace qdit::cpu
