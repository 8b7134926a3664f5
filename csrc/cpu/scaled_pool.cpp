#include "cpu/scaled_pool.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>
#include <utility>

#include "cpu/pool.h"
#include "engine/fixed_point.h"
#include "engine/row_check.h"

namespace qdit::cpu {

std::vector<float> row_factors(std::span<const double> squared_norms, Metric metric, int half_exponent) {
  std::vector<float> factors(squared_norms.size());
  for (std::size_t i = 0; i < factors.size(); ++i) {
    double inverse = 1.0;
    if (metric == Metric::kCosine) {
      inverse = squared_norms[i] > 0.0 ? 1.0 / std::sqrt(squared_norms[i]) : 0.0;
    }
    factors[i] = static_cast<float>(std::ldexp(inverse, half_exponent));
  }
  return factors;
}

ScaledPool::ScaledPool(const PoolOptions& options, const Kernels& kernels, ThreadPool& pool)
    : kernels_(kernels), pool_(pool), metric_(options.metric), weights_(options.weights) {
  rows_.view = options.rows;
  outside_.view = options.outside;
  represented_.view = options.represented;
  squared_norms_ = cpu::squared_norms(options.rows, kernels, pool);
  const std::span<const double> squared = squared_norms_;
  const auto outside = cpu::squared_norms(options.outside, kernels, pool);
  rows_.ignored = check_rows(options.rows, squared, metric_, options.zero_rows);
  outside_.ignored = check_rows(options.outside, outside, metric_, options.zero_rows);
  const auto represented = cpu::squared_norms(options.represented, kernels, pool);
  represented_.ignored = check_rows(options.represented, represented, metric_, options.zero_rows);
  double largest = options.range;
  for (const double s : squared) largest = std::max(largest, s);
  for (const double s : outside) largest = std::max(largest, s);
  for (const double s : represented) largest = std::max(largest, s);
  range_ = similarity_range(metric_, largest);
  exponent_ = scale_exponent(range_, kScaleBits);
  scale_ = std::ldexp(1.0, exponent_);
  if (options.floor) floor_ = static_cast<std::int32_t>(fixed_floor(*options.floor, range_, scale_));
  rows_.factors = row_factors(squared, metric_, exponent_ / 2);
  outside_.factors = row_factors(outside, metric_, exponent_ / 2);
  represented_.factors = row_factors(represented, metric_, exponent_ / 2);
}

std::size_t ScaledPool::bytes() const {
  const auto factors = rows_.factors.size() + outside_.factors.size() + represented_.factors.size();
  const auto weights = weights_.data() == nullptr ? 0 : represented().factors.size();
  return factors * sizeof(float) + weights * sizeof(std::uint32_t);
}

ScaledRows ScaledPool::add(const RowView& view, ZeroRows zero_rows) const {
  const auto squared = cpu::squared_norms(view, kernels_, pool_);
  auto ignored = check_rows(view, squared, metric_, zero_rows);
  for (std::size_t i = 0; i < squared.size() && metric_ == Metric::kDot; ++i) {
    if (squared[i] > range_) {
      throw std::invalid_argument(view.name + ": row " + std::to_string(i) +
                                  " is longer than every row of the pool.");
    }
  }
  return {view, row_factors(squared, metric_, exponent_ / 2), std::move(ignored)};
}

}  // namespace qdit::cpu
