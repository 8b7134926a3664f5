// Reproducible sub-sampling of candidates for stochastic greedy.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/types.h"

namespace qdit {

// ceil((n / k) ln(1 / epsilon)): Mirzasoleiman et al., "Lazier Than Lazy Greedy" (AAAI 2015).
Index stochastic_sample_size(Index n, Index k, double epsilon);

// `count` distinct rows that are not taken, ascending; all of them if there are no more than `count`.
// A pure function of its arguments, so a resumed run draws what the unbroken one drew.
// marks: n zero bytes of work space, zero again on return.
std::vector<Index> sample_candidates(std::uint64_t seed, std::uint64_t step,
                                     std::span<const std::uint8_t> taken, Index free, Index count,
                                     std::span<std::uint8_t> marks);

}  // namespace qdit
