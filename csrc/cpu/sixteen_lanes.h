// Sixteen lanes of AVX-512 (F, DQ, BW, VL). Included inside an anonymous namespace's file, as tile_kernel.h
// is, by files that are compiled for it or better.
#pragma once

#include <immintrin.h>

#include "cpu/tile_kernel.h"

namespace {

struct Avx512 {
  static constexpr int kLanes = 16;
  using F = __m512;
  using I = __m512i;

  static F load(const float* p) { return _mm512_loadu_ps(p); }
  static void store(float* p, F x) { _mm512_storeu_ps(p, x); }
  static F broadcast(float x) { return _mm512_set1_ps(x); }
  static F zero() { return _mm512_setzero_ps(); }
  static F add(F a, F b) { return _mm512_add_ps(a, b); }
  static F larger(F a, F b) { return _mm512_max_ps(a, b); }
  static F mul(F a, F b) { return _mm512_mul_ps(a, b); }
  static F fma(F a, F b, F c) { return _mm512_fmadd_ps(a, b, c); }
  static I to_int(F x) { return _mm512_cvtps_epi32(x); }
  static I load_int(const std::int32_t* p) { return _mm512_loadu_si512(p); }
  static void store_int(std::int32_t* p, I x) { _mm512_storeu_si512(p, x); }
  static I broadcast_int(std::int32_t x) { return _mm512_set1_epi32(x); }
  static I load_bytes(const void* p) { return _mm512_loadu_si512(p); }
  static void store_bytes(std::uint8_t* p, I x) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(x));
  }
  static F to_float(I x) { return _mm512_cvtepi32_ps(x); }
  static I dot(I sum, I row_0, I lanes_0, I row_1, I lanes_1) {
    const I pairs =
        _mm512_add_epi16(_mm512_maddubs_epi16(row_0, lanes_0), _mm512_maddubs_epi16(row_1, lanes_1));
    return _mm512_add_epi32(sum, _mm512_madd_epi16(pairs, _mm512_set1_epi16(1)));
  }
  static I zero_int() { return _mm512_setzero_si512(); }
  static I add_int(I a, I b) { return _mm512_add_epi32(a, b); }
  static I max_int(I a, I b) { return _mm512_max_epi32(a, b); }
  static I min_int(I a, I b) { return _mm512_min_epi32(a, b); }
  static I relu_difference(I a, I b) { return _mm512_max_epi32(_mm512_sub_epi32(a, b), zero_int()); }
  static unsigned greater(I a, I b) {
    // By hand: where registers are short GCC 12 stores the mask as 16 bits and reads 32 of them back.
    unsigned bits;
    __asm__("kmovw %1, %0" : "=r"(bits) : "k"(_mm512_cmpgt_epi32_mask(a, b)));
    return bits;
  }
  static void store_selected(unsigned mask, std::uint32_t first, I values, std::uint32_t* ids,
                             std::int32_t* sims) {
    const auto m = static_cast<__mmask16>(mask);
    const I lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const I numbers = _mm512_add_epi32(_mm512_set1_epi32(static_cast<int>(first)), lanes);
    // Compressed in the register and stored whole: the room behind the last one is overwritten.
    _mm512_storeu_si512(ids, _mm512_maskz_compress_epi32(m, numbers));
    _mm512_storeu_si512(sims, _mm512_maskz_compress_epi32(m, values));
  }
  static void accumulate(I sums, std::int64_t* to) {
    const __m512i low = _mm512_cvtepu32_epi64(_mm512_castsi512_si256(sums));
    const __m512i high = _mm512_cvtepu32_epi64(_mm512_extracti64x4_epi64(sums, 1));
    _mm512_storeu_si512(to, _mm512_add_epi64(_mm512_loadu_si512(to), low));
    _mm512_storeu_si512(to + 8, _mm512_add_epi64(_mm512_loadu_si512(to + 8), high));
  }
};

void decode_float16(const std::uint16_t* from, float* to, std::size_t count) {
  std::size_t i = 0;
  for (; i + 16 <= count; i += 16) {
    const __m256i halves = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + i));
    _mm512_storeu_ps(to + i, _mm512_cvtph_ps(halves));
  }
  for (; i < count; ++i) to[i] = half_to_float(from[i]);
}

}  // namespace
