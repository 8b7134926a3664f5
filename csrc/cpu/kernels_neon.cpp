// NEON of aarch64: 8 x 8 tiles in 16 accumulators.
#include <arm_neon.h>

#include "cpu/bound_kernel.h"
#include "cpu/tile_kernel.h"

namespace {

struct Neon {
  static constexpr int kLanes = 4;
  using F = float32x4_t;
  using I = int32x4_t;

  static F load(const float* p) { return vld1q_f32(p); }
  static void store(float* p, F x) { vst1q_f32(p, x); }
  static F broadcast(float x) { return vdupq_n_f32(x); }
  static F zero() { return vdupq_n_f32(0.0f); }
  static F add(F a, F b) { return vaddq_f32(a, b); }
  static F larger(F a, F b) { return vmaxq_f32(a, b); }
  static F mul(F a, F b) { return vmulq_f32(a, b); }
  static F fma(F a, F b, F c) { return vfmaq_f32(c, a, b); }
  static void transpose(F (&x)[4]) {
    const float32x4x2_t low = vtrnq_f32(x[0], x[1]);
    const float32x4x2_t high = vtrnq_f32(x[2], x[3]);
    x[0] = vcombine_f32(vget_low_f32(low.val[0]), vget_low_f32(high.val[0]));
    x[1] = vcombine_f32(vget_low_f32(low.val[1]), vget_low_f32(high.val[1]));
    x[2] = vcombine_f32(vget_high_f32(low.val[0]), vget_high_f32(high.val[0]));
    x[3] = vcombine_f32(vget_high_f32(low.val[1]), vget_high_f32(high.val[1]));
  }
  static I to_int(F x) { return vcvtnq_s32_f32(x); }
  static I load_int(const std::int32_t* p) { return vld1q_s32(p); }
  static void store_int(std::int32_t* p, I x) { vst1q_s32(p, x); }
  static I broadcast_int(std::int32_t x) { return vdupq_n_s32(x); }
  static I load_bytes(const void* p) {
    return vreinterpretq_s32_s8(vld1q_s8(static_cast<const std::int8_t*>(p)));
  }
  static void store_bytes(std::uint8_t* p, I x) {
    const uint16x4_t halves = vmovn_u32(vreinterpretq_u32_s32(x));
    const uint8x8_t bytes = vmovn_u16(vcombine_u16(halves, halves));
    vst1_lane_u32(reinterpret_cast<std::uint32_t*>(p), vreinterpret_u32_u8(bytes), 0);
  }
  static F to_float(I x) { return vcvtq_f32_s32(x); }
  static I dot(I sum, I row_0, I lanes_0, I row_1, I lanes_1) {
    const int8x16_t a = vreinterpretq_s8_s32(row_0);
    const int8x16_t b = vreinterpretq_s8_s32(lanes_0);
    const int8x16_t c = vreinterpretq_s8_s32(row_1);
    const int8x16_t d = vreinterpretq_s8_s32(lanes_1);
#if defined(__ARM_FEATURE_DOTPROD)
    return vdotq_s32(vdotq_s32(sum, a, b), c, d);
#else
    const int16x8_t low = vmlal_s8(vmull_s8(vget_low_s8(a), vget_low_s8(b)), vget_low_s8(c), vget_low_s8(d));
    const int16x8_t high = vmlal_high_s8(vmull_high_s8(a, b), c, d);
    return vpadalq_s16(sum, vpaddq_s16(low, high));
#endif
  }
  static I zero_int() { return vdupq_n_s32(0); }
  static I add_int(I a, I b) { return vaddq_s32(a, b); }
  static I max_int(I a, I b) { return vmaxq_s32(a, b); }
  static I min_int(I a, I b) { return vminq_s32(a, b); }
  static I relu_difference(I a, I b) { return vmaxq_s32(vsubq_s32(a, b), zero_int()); }
  static unsigned greater(I a, I b) {
    const uint32x4_t bits = {1, 2, 4, 8};
    return vaddvq_u32(vandq_u32(vcgtq_s32(a, b), bits));
  }
  static void store_selected(unsigned mask, std::uint32_t first, I values, std::uint32_t* ids,
                             std::int32_t* sims) {
    store_selected_one_by_one<Neon>(mask, first, values, ids, sims);
  }
  static void accumulate(I sums, std::int64_t* to) {
    const uint32x4_t bits = vreinterpretq_u32_s32(sums);
    const int64x2_t low = vreinterpretq_s64_u64(vmovl_u32(vget_low_u32(bits)));
    const int64x2_t high = vreinterpretq_s64_u64(vmovl_high_u32(bits));
    vst1q_s64(to, vaddq_s64(vld1q_s64(to), low));
    vst1q_s64(to + 2, vaddq_s64(vld1q_s64(to + 2), high));
  }
};

void decode_float16(const std::uint16_t* from, float* to, std::size_t count) {
  std::size_t i = 0;
  for (; i + 4 <= count; i += 4) {
    vst1q_f32(to + i, vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(from + i))));
  }
  for (; i < count; ++i) to[i] = half_to_float(from[i]);
}

constexpr Kernels kKernels = {
    "neon",
    8,
    Neon::kLanes,
    tile_kernel<Neon, 8, 1>,
    tile_kernel<Neon, 8, 2>,
    bound_kernel<Neon, 8, 4>,
    short_product_kernel<Neon>,
    0.8,
    shorten_kernel<Neon, 63>,
    63,
    decode_float16,
    products_kernel<Neon>,
    estimate_kernel<Neon>,
    gain_kernel<Neon>,
    raise_kernel<Neon>,
    above_kernel<Neon>,
    above_uses_kernel<Neon>,
    above_one_kernel<Neon>,
};

}  // namespace

const Kernels* qdit::cpu::neon_kernels() { return &kKernels; }
