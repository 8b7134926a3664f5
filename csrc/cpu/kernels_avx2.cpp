// AVX2 + FMA + F16C: 6 x 16 tiles in 12 accumulators.
#include <immintrin.h>

#include "cpu/bound_kernel.h"
#include "cpu/eight_floats.h"
#include "cpu/tile_kernel.h"

namespace {

// For every mask of eight lanes the numbers of those that are set, in order.
struct Selected {
  std::uint8_t lanes[256][8] = {};
};
constexpr Selected select_lanes() {
  Selected all;
  for (int mask = 0; mask < 256; ++mask) {
    int count = 0;
    for (int lane = 0; lane < 8; ++lane) {
      if ((mask >> lane & 1) != 0) all.lanes[mask][count++] = static_cast<std::uint8_t>(lane);
    }
  }
  return all;
}
constexpr Selected kSelected = select_lanes();

struct Avx2 : Eight {
  using I = __m256i;

  static __m256i* cast(void* p) { return static_cast<__m256i*>(p); }
  static const __m256i* cast(const void* p) { return static_cast<const __m256i*>(p); }

  static I to_int(F x) { return _mm256_cvtps_epi32(x); }
  static I load_int(const std::int32_t* p) { return _mm256_loadu_si256(cast(p)); }
  static void store_int(std::int32_t* p, I x) { _mm256_storeu_si256(cast(p), x); }
  static I broadcast_int(std::int32_t x) { return _mm256_set1_epi32(x); }
  static I load_bytes(const void* p) { return _mm256_loadu_si256(cast(p)); }
  static void store_bytes(std::uint8_t* p, I x) {
    const I halves = _mm256_packus_epi32(x, x);
    const I bytes = _mm256_packus_epi16(halves, halves);
    const std::int32_t four[2] = {_mm256_extract_epi32(bytes, 0), _mm256_extract_epi32(bytes, 4)};
    __builtin_memcpy(p, four, sizeof four);
  }
  static F to_float(I x) { return _mm256_cvtepi32_ps(x); }
  static I dot(I sum, I row_0, I lanes_0, I row_1, I lanes_1) {
    const I pairs =
        _mm256_add_epi16(_mm256_maddubs_epi16(row_0, lanes_0), _mm256_maddubs_epi16(row_1, lanes_1));
    return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
  }
  static I zero_int() { return _mm256_setzero_si256(); }
  static I add_int(I a, I b) { return _mm256_add_epi32(a, b); }
  static I max_int(I a, I b) { return _mm256_max_epi32(a, b); }
  static I min_int(I a, I b) { return _mm256_min_epi32(a, b); }
  static I relu_difference(I a, I b) { return _mm256_max_epi32(_mm256_sub_epi32(a, b), zero_int()); }
  static unsigned greater(I a, I b) {
    return static_cast<unsigned>(_mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpgt_epi32(a, b))));
  }
  static void store_selected(unsigned mask, std::uint32_t first, I values, std::uint32_t* ids,
                             std::int32_t* sims) {
    // Packed in the register and stored whole: the room behind the last one is overwritten.
    const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(kSelected.lanes[mask]));
    const I lanes = _mm256_cvtepu8_epi32(bytes);
    const I numbers = _mm256_add_epi32(_mm256_set1_epi32(static_cast<int>(first)), lanes);
    _mm256_storeu_si256(cast(ids), numbers);
    _mm256_storeu_si256(cast(sims), _mm256_permutevar8x32_epi32(values, lanes));
  }
  static void accumulate(I sums, std::int64_t* to) {
    const __m256i low = _mm256_cvtepu32_epi64(_mm256_castsi256_si128(sums));
    const __m256i high = _mm256_cvtepu32_epi64(_mm256_extracti128_si256(sums, 1));
    _mm256_storeu_si256(cast(to), _mm256_add_epi64(_mm256_loadu_si256(cast(to)), low));
    _mm256_storeu_si256(cast(to + 4), _mm256_add_epi64(_mm256_loadu_si256(cast(to + 4)), high));
  }
};

void decode_float16(const std::uint16_t* from, float* to, std::size_t count) {
  std::size_t i = 0;
  for (; i + 8 <= count; i += 8) {
    _mm256_storeu_ps(to + i, _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from + i))));
  }
  for (; i < count; ++i) to[i] = half_to_float(from[i]);
}

constexpr Kernels kKernels = {
    "avx2",
    6,
    Avx2::kLanes,
    tile_kernel<Avx2, 6, 1>,
    tile_kernel<Avx2, 6, 2>,
    bound_kernel<Avx2, 6, 3>,
    short_product_kernel<Avx2>,
    0.4,
    shorten_kernel<Avx2, 63>,
    63,
    decode_float16,
    products_kernel<Eight>,
    estimate_kernel<Avx2>,
    gain_kernel<Avx2>,
    raise_kernel<Avx2>,
    above_kernel<Avx2>,
    above_uses_kernel<Avx2>,
    above_one_kernel<Avx2>,
};

}  // namespace

const Kernels* qdit::cpu::avx2_kernels() { return &kKernels; }
