// The exact sum of doubles, rounded once (Shewchuk 1997), as math.fsum of Python: which of two selections is
// better must not depend on the order of picks, and not on the language.
#pragma once

#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

namespace qdit::capi {

class ExactSum {
 public:
  void add(double x) {
    std::size_t kept = 0;
    for (double y : partials_) {
      if (std::fabs(x) < std::fabs(y)) std::swap(x, y);
      const double high = x + y;
      const double low = y - (high - x);
      if (low != 0.0) partials_[kept++] = low;
      x = high;
    }
    partials_.resize(kept);
    partials_.push_back(x);
  }

  double value() const {
    if (partials_.empty()) return 0.0;
    std::size_t i = partials_.size() - 1;
    double high = partials_[i];
    double low = 0.0;
    while (i > 0) {
      const double x = high;
      const double y = partials_[--i];
      high = x + y;
      low = y - (high - x);
      if (low != 0.0) break;
    }
    // half-way cases look at what is below
    if (i > 0 && ((low < 0.0 && partials_[i - 1] < 0.0) || (low > 0.0 && partials_[i - 1] > 0.0))) {
      const double twice = low * 2.0;
      const double rounded = high + twice;
      if (twice == rounded - high) high = rounded;
    }
    return high;
  }

 private:
  std::vector<double> partials_;  // do not overlap, the smallest first
};

}  // namespace qdit::capi
