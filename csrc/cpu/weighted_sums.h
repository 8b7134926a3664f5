// The sums of kernels.h where represented rows have weights: integers, so the same on every instruction set.
// They are a few percent of the products that they follow.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "engine/types.h"

namespace qdit::cpu {

// What a rise of at most 2^27 counts: an unsigned product, which every instruction set has for vectors.
inline Fixed weighted_rise(std::int32_t sim, std::int32_t max, std::uint32_t weight) {
  const auto rise = static_cast<std::uint32_t>(std::max(sim, max)) - static_cast<std::uint32_t>(max);
  return static_cast<Fixed>(std::uint64_t{rise} * weight);
}

// Of one row with many columns: to each of their gains is added what it gives.
inline void add_weighted(const std::int32_t* sims, std::int32_t max, std::uint32_t weight, std::size_t count,
                         Fixed* gains) {
  for (std::size_t i = 0; i < count; ++i) gains[i] += weighted_rise(sims[i], max, weight);
}

// Of many rows with one candidate: what it would raise their sum by.
inline Fixed weighted_gain(const std::int32_t* sims, const std::int32_t* max, const std::uint32_t* weights,
                           std::size_t count) {
  Fixed sum = 0;
  for (std::size_t i = 0; i < count; ++i) sum += weighted_rise(sims[i], max[i], weights[i]);
  return sum;
}

// The same, and max = max(max, sims).
inline Fixed weighted_raise(const std::int32_t* sims, std::int32_t* max, const std::uint32_t* weights,
                            std::size_t count) {
  const Fixed sum = weighted_gain(sims, max, weights, count);
  for (std::size_t i = 0; i < count; ++i) max[i] = std::max(max[i], sims[i]);
  return sum;
}

}  // namespace qdit::cpu
