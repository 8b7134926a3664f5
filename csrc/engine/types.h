// Names shared by every part of the engine.
#pragma once

#include <cstdint>

namespace qdit {

using Index = std::int64_t;  // row number, row count
using Fixed = std::int64_t;  // similarity or gain in fixed point: rint(value * scale)

// A bound that promises nothing: the marginal gain was never evaluated.
inline constexpr Fixed kUnknownBound = INT64_MAX;

enum class Metric { kCosine, kDot };
enum class ZeroRows { kError, kIgnore };

}  // namespace qdit
