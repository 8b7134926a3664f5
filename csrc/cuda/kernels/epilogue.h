// What becomes of a dot product: similarity in fixed point, relu against a maximum, packed sums.
#pragma once

#include <cmath>
#include <cstdint>

#include "engine/host_device.h"

namespace qdit::cuda {

using Sum = unsigned long long;  // the type that atomicAdd takes; two's complement where a sum is signed

// |s| <= 2^26, so a relu fits 27 bits and eight of them 32.
inline constexpr int kScaleBits = 26;
// The maximum of a row that is not there: no similarity comes near it, and s - m cannot wrap.
inline constexpr std::int32_t kNoRowMax = 1 << 30;
// The similarity of a pair that is not there: adds nothing to any gain, is above no threshold.
inline constexpr std::int32_t kNoPair = -(1 << 30);
// The threshold of a list that is not kept.
inline constexpr std::int32_t kNoList = INT32_MAX;

// rint(dot * factor), both steps rounded on their own.
QDIT_HD inline std::int32_t to_fixed(float dot, float factor) {
#if defined(__CUDA_ARCH__)
  return __float2int_rn(__fmul_rn(dot, factor));
#else
  const float scaled = dot * factor;
  if (!(scaled > -0x1p31f)) return INT32_MIN;
  return scaled >= 0x1p31f ? INT32_MAX : static_cast<std::int32_t>(std::lrint(scaled));
#endif
}

QDIT_HD inline std::uint32_t relu_difference(std::int32_t sim, std::int32_t max) {
  return sim > max ? static_cast<std::uint32_t>(sim - max) : 0u;
}

// What the gain of a candidate has lost with a row whose maximum rose from `from` to `to`, if the pair is not
// in the row's list: those above its threshold are, and what they lose is subtracted as it happens.
QDIT_HD inline std::uint32_t lost(std::int32_t sim, std::int32_t from, std::int32_t to,
                                  std::int32_t threshold) {
  const std::int32_t reached = sim < to ? sim : to;
  return sim > threshold ? 0u : relu_difference(reached, from);
}

// A sum of up to 2^13 contributions and a count of up to 2^24, added up together.
inline constexpr int kCountShift = 40;
QDIT_HD inline Sum packed(std::uint32_t sum, std::uint32_t count) {
  return static_cast<Sum>(sum) | static_cast<Sum>(count) << kCountShift;
}
QDIT_HD inline Sum packed_sum(Sum value) { return value & ((Sum{1} << kCountShift) - 1); }
QDIT_HD inline std::uint32_t packed_count(Sum value) {
  return static_cast<std::uint32_t>(value >> kCountShift);
}

// Similarity and number as one key: the larger similarity wins, then the smaller number. Every key is > 0.
QDIT_HD inline Sum nearest_key(std::int32_t sim, std::uint32_t id) {
  return static_cast<Sum>(static_cast<std::uint32_t>(sim) ^ 0x80000000u) << 32 | (0xffffffffu - id);
}
QDIT_HD inline std::int32_t key_sim(Sum key) {
  return static_cast<std::int32_t>(static_cast<std::uint32_t>(key >> 32) ^ 0x80000000u);
}
QDIT_HD inline std::uint32_t key_id(Sum key) { return 0xffffffffu - static_cast<std::uint32_t>(key); }

// What the gain of a candidate, and the part of it that complete rows make up, change by when the maximum of
// a row rises from `from` to `to`; its similarity with the row is above `from`.
struct Change {
  std::int64_t gain;
  std::int64_t complete;
};
QDIT_HD inline Change change_of(std::int32_t sim, std::int32_t from, std::int32_t to, bool was_complete,
                                bool is_complete) {
  const std::int32_t reached = sim < to ? sim : to;
  const std::int64_t lost = static_cast<std::int64_t>(reached) - from;
  const std::int64_t rest = static_cast<std::int64_t>(sim) - reached;
  return {-lost, is_complete ? (was_complete ? -lost : rest) : 0};
}

}  // namespace qdit::cuda
