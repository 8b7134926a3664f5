// What each represented row counts: d(A) = sum over v of w_v * max over a in A of s(a, v).
//
// Weights become integers of one power-of-two scale, so that weighted sums of fixed-point similarities are
// integers too and have no order. A sum of all of them times the largest rise, 2^27, fits 63 bits.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/types.h"

namespace qdit {

class RowWeights {
 public:
  static constexpr int kSumBits = 35;   // of all weights together, but for rounding up
  static constexpr int kMostBits = 31;  // of one weight

  RowWeights() = default;  // 1 each
  // The nearest integers, at least 1 each, without the factors of two that all of them share: 1, 1, 1 is what
  // no weights are, and bits are as without. Throws std::invalid_argument unless they are positive and
  // finite.
  explicit RowWeights(std::span<const double> weights);

  // One for each row; null where all are 1.
  const std::uint32_t* data() const { return weights_.empty() ? nullptr : weights_.data(); }
  double scale() const { return scale_; }  // integers per unit of weight, a power of two

 private:
  std::vector<std::uint32_t> weights_;
  double scale_ = 1.0;
};

// What a rise of row v counts; weights as data() gives them.
inline Fixed weighted(const std::uint32_t* weights, std::size_t v, Fixed rise) {
  return weights == nullptr ? rise : rise * static_cast<Fixed>(weights[v]);
}

}  // namespace qdit
