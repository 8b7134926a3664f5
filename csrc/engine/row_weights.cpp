#include "engine/row_weights.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

#include "engine/fixed_point.h"
#include "engine/row_check.h"

namespace qdit {
namespace {

constexpr double kMostTotal = 1e30;  // and one over it the least: far from where scales of sums overflow

}  // namespace

RowWeights::RowWeights(std::span<const double> weights) {
  double total = 0.0;
  double largest = 0.0;
  for (std::size_t v = 0; v < weights.size(); ++v) {
    if (!(std::isfinite(weights[v]) && weights[v] > 0.0)) {
      throw std::invalid_argument("weights: row " + std::to_string(v) + " is " + number(weights[v]) +
                                  ", wanted a finite number above 0.");
    }
    total += weights[v];
    largest = std::max(largest, weights[v]);
  }
  if (weights.empty()) return;
  if (!(total <= kMostTotal && total >= 1.0 / kMostTotal)) {
    throw std::invalid_argument("weights: they add up to " + number(total) +
                                ", wanted a sum between 1e-30 and 1e30; rescale them.");
  }
  const int exponent = std::min(scale_exponent(total, kSumBits), scale_exponent(largest, kMostBits));
  weights_.resize(weights.size());
  std::uint32_t shared = 0;
  for (std::size_t v = 0; v < weights.size(); ++v) {
    weights_[v] = static_cast<std::uint32_t>(std::max(1.0, std::rint(std::ldexp(weights[v], exponent))));
    shared |= weights_[v];
  }
  int zeros = 0;
  while ((shared >> zeros & 1U) == 0) ++zeros;
  for (std::uint32_t& weight : weights_) weight >>= zeros;
  scale_ = std::ldexp(1.0, exponent - zeros);
  if (std::all_of(weights_.begin(), weights_.end(), [](std::uint32_t w) { return w == 1; })) weights_.clear();
}

}  // namespace qdit
