// Binary16 by integer arithmetic, the same on the host and on the device.
#pragma once

#include <cstdint>

#include "engine/host_device.h"

namespace qdit::cuda {

QDIT_HD inline std::uint32_t float_bits(float value) {
#if defined(__CUDA_ARCH__)
  return __float_as_uint(value);
#else
  std::uint32_t bits;
  __builtin_memcpy(&bits, &value, sizeof bits);
  return bits;
#endif
}

QDIT_HD inline float float_from_bits(std::uint32_t bits) {
#if defined(__CUDA_ARCH__)
  return __uint_as_float(bits);
#else
  float value;
  __builtin_memcpy(&value, &bits, sizeof value);
  return value;
#endif
}

// Exact for every value, subnormal ones, infinities and NaN included.
QDIT_HD inline float half_to_float(std::uint16_t half) {
  const std::uint32_t magnitude = (half & 0x7fffu) << 13;
  const std::uint32_t sign = (half & 0x8000u) << 16;
  // The difference of the exponent biases; normalises subnormals on the way.
  std::uint32_t bits = float_bits(float_from_bits(magnitude) * 0x1p112f);
  bits |= sign | (magnitude >= 0x0f800000u ? 0x7f800000u : 0u);
  return float_from_bits(bits);
}

// To nearest, ties to even; too large becomes infinity, NaN stays NaN.
QDIT_HD inline std::uint16_t float_to_half(float value) {
  const std::uint32_t bits = float_bits(value);
  const auto sign = static_cast<std::uint16_t>((bits >> 16) & 0x8000u);
  const std::uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return static_cast<std::uint16_t>(sign | 0x7e00u);
  if (magnitude >= 0x477ff000u) return static_cast<std::uint16_t>(sign | 0x7c00u);  // 65520 and more
  if (magnitude < 0x38800000u) {  // below 2^-14: a whole number of steps of 2^-24
    // Adding 0.5 makes the addition round to that step: its last bit is 2^-24.
    const float shifted = float_from_bits(magnitude) + 0.5f;
    return static_cast<std::uint16_t>(sign | (float_bits(shifted) - 0x3f000000u));
  }
  const std::uint32_t rounded = magnitude + 0x0fffu + ((magnitude >> 13) & 1u);
  return static_cast<std::uint16_t>(sign | ((rounded - 0x38000000u) >> 13));
}

QDIT_HD inline float bfloat_to_float(std::uint16_t bits) {
  return float_from_bits(static_cast<std::uint32_t>(bits) << 16);
}

// A row item as two halves: value = high + low / kLowScale, to 22 bits.
inline constexpr float kLowScale = 2048.0f;

struct SplitItem {
  std::uint16_t high;
  std::uint16_t low;
};

QDIT_HD inline SplitItem split_item(float value) {
  const std::uint16_t high = float_to_half(value);
  return {high, float_to_half((value - half_to_float(high)) * kLowScale)};
}

// The k for which largest * 2^k lies in [2^14, 2^15): rows then use the range of binary16 to the full.
QDIT_HD inline int row_shift(float largest) {
  const std::uint32_t bits = float_bits(largest) & 0x7fffffffu;
  if (bits == 0 || bits >= 0x7f800000u) return 0;
  if (bits >= 0x00800000u) return 14 + 127 - static_cast<int>(bits >> 23);
  int leading = 0;  // subnormal: bits * 2^-149
  for (std::uint32_t rest = bits; rest > 1; rest >>= 1) ++leading;
  return 14 + 149 - leading;
}

// value * 2^shift in steps that are powers of two in range, so that only the last can round.
QDIT_HD inline float scaled_by(float value, int shift) {
  while (shift > 120) {
    value *= 0x1p120f;
    shift -= 120;
  }
  while (shift < -120) {
    value *= 0x1p-120f;
    shift += 120;
  }
  return value * float_from_bits(static_cast<std::uint32_t>(127 + shift) << 23);
}

}  // namespace qdit::cuda
