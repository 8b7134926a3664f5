// How alpha joins gain and quality: (1 - alpha) * factor * gain + alpha * quality (arXiv 2311.14736,
// Algorithm 2).
#pragma once

#include "engine/types.h"

namespace qdit {

// What a gain is multiplied by beside 1 - alpha. Late in a run one pick raises the summed coverage by about n
// / k times the rise of its mean, so the balance of the plain sum moves with n / k; k / n takes that out.
// n: of the rows that are covered, or what they weigh.
enum class GainScale { kSum, kPerK };

inline double gain_factor(GainScale scale, Index k, double n) {
  return scale == GainScale::kSum ? 1.0 : static_cast<double>(k) / n;
}

// What a gain in units of similarity is multiplied by in a score. Divided by Backend::scale() it is
// GreedyOptions::weight.
inline double gain_weight(double alpha, GainScale scale, Index k, double n) {
  return (1.0 - alpha) * gain_factor(scale, k, n);
}

// What quality adds to a score; zero and not -0 or NaN where it does not count.
inline double quality_bonus(double alpha, double quality) { return alpha > 0.0 ? alpha * quality : 0.0; }

}  // namespace qdit
