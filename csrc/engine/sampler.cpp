#include "engine/sampler.h"

#include <algorithm>
#include <cmath>

#include "engine/mix.h"

namespace qdit {

Index stochastic_sample_size(Index n, Index k, double epsilon) {
  const double size = std::ceil(static_cast<double>(n) / static_cast<double>(k) * std::log(1.0 / epsilon));
  return std::clamp<Index>(static_cast<Index>(std::min(size, 9e18)), 1, n);
}

std::vector<Index> sample_candidates(std::uint64_t seed, std::uint64_t step,
                                     std::span<const std::uint8_t> taken, Index free, Index count,
                                     std::span<std::uint8_t> marks) {
  const Index n = static_cast<Index>(taken.size());
  std::vector<Index> sample;
  sample.reserve(static_cast<std::size_t>(std::min(free, count)));
  if (count >= free) {
    for (Index i = 0; i < n; ++i) {
      if (taken[static_cast<std::size_t>(i)] == 0) sample.push_back(i);
    }
    return sample;
  }
  // Drawing the smaller of the sample and its complement keeps rejection cheap for large samples.
  const bool complement = count > free / 2;
  const Index draws = complement ? free - count : count;
  const std::uint64_t stream = mix(mix(seed) ^ step);
  std::vector<Index> drawn;
  drawn.reserve(static_cast<std::size_t>(draws));
  for (std::uint64_t i = 0; static_cast<Index>(drawn.size()) < draws; ++i) {
    // The bias of the remainder is below n / 2^64.
    const auto row = static_cast<std::size_t>(mix(stream + i) % static_cast<std::uint64_t>(n));
    if (taken[row] != 0 || marks[row] != 0) continue;
    marks[row] = 1;
    drawn.push_back(static_cast<Index>(row));
  }
  if (complement) {
    for (Index i = 0; i < n; ++i) {
      const auto row = static_cast<std::size_t>(i);
      if (taken[row] == 0 && marks[row] == 0) sample.push_back(i);
    }
  } else {
    sample = drawn;
    std::sort(sample.begin(), sample.end());
  }
  for (const Index row : drawn) marks[static_cast<std::size_t>(row)] = 0;
  return sample;
}

}  // namespace qdit
