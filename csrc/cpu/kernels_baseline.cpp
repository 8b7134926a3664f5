// What every processor of the target can run: four lanes in the compiler's own vectors (SSE2 on x86-64).
// Multiply and add round separately here. For float16 and bfloat16 rows that changes nothing: the product of
// two such numbers is exact in float32.
#include <cmath>

#include "cpu/bound_kernel.h"
#include "cpu/tile_kernel.h"

namespace {

struct Baseline {
  static constexpr int kLanes = 4;
  using F = float __attribute__((vector_size(16)));
  using I = std::int32_t __attribute__((vector_size(16)));

  using S = std::int16_t __attribute__((vector_size(16)));

  // Bytes with their signs.
  static S even(I x) { return reinterpret_cast<S>(x) << 8 >> 8; }
  static S odd(I x) { return reinterpret_cast<S>(x) >> 8; }

  template <class T, class From>
  static T read(const From* p) {
    T x;
    __builtin_memcpy(&x, p, sizeof x);
    return x;
  }

  static F load(const float* p) { return read<F>(p); }
  static void store(float* p, F x) { __builtin_memcpy(p, &x, sizeof x); }
  static F broadcast(float x) { return F{x, x, x, x}; }
  static F zero() { return F{}; }
  static F add(F a, F b) { return a + b; }
  static F larger(F a, F b) {
    const I first = a > b;
    return reinterpret_cast<F>((reinterpret_cast<I>(a) & first) | (reinterpret_cast<I>(b) & ~first));
  }
  static F mul(F a, F b) { return a * b; }
  static F fma(F a, F b, F c) { return a * b + c; }
  static void transpose(F (&x)[4]) {
    const F original[4] = {x[0], x[1], x[2], x[3]};
    for (int i = 0; i < 4; ++i) x[i] = F{original[0][i], original[1][i], original[2][i], original[3][i]};
  }
  static I to_int(F x) {
    I out;
    for (int lane = 0; lane < kLanes; ++lane) out[lane] = static_cast<std::int32_t>(std::lrint(x[lane]));
    return out;
  }
  static I load_int(const std::int32_t* p) { return read<I>(p); }
  static void store_int(std::int32_t* p, I x) { __builtin_memcpy(p, &x, sizeof x); }
  static I broadcast_int(std::int32_t x) { return I{x, x, x, x}; }
  static I load_bytes(const void* p) {
    I x;
    __builtin_memcpy(&x, p, sizeof x);
    return x;
  }
  static void store_bytes(std::uint8_t* p, I x) {
    for (int lane = 0; lane < kLanes; ++lane) p[lane] = static_cast<std::uint8_t>(x[lane]);
  }
  static F to_float(I x) { return __builtin_convertvector(x, F); }
  static I dot(I sum, I row_0, I lanes_0, I row_1, I lanes_1) {
    const S pairs = even(row_0) * even(lanes_0) + odd(row_0) * odd(lanes_0) + even(row_1) * even(lanes_1) +
                    odd(row_1) * odd(lanes_1);
    const I both = reinterpret_cast<I>(pairs);
    return sum + (both << 16 >> 16) + (both >> 16);
  }
  static I zero_int() { return I{}; }
  static I add_int(I a, I b) { return a + b; }
  static I max_int(I a, I b) {
    const I larger = a > b;
    return (a & larger) | (b & ~larger);
  }
  static I min_int(I a, I b) {
    const I smaller = a < b;
    return (a & smaller) | (b & ~smaller);
  }
  static I relu_difference(I a, I b) { return (a - b) & (a > b); }
  static unsigned greater(I a, I b) {
    const I bits = (a > b) & I{1, 2, 4, 8};
    return static_cast<unsigned>(bits[0] + bits[1] + bits[2] + bits[3]);
  }
  static void store_selected(unsigned mask, std::uint32_t first, I values, std::uint32_t* ids,
                             std::int32_t* sims) {
    store_selected_one_by_one<Baseline>(mask, first, values, ids, sims);
  }
  static void accumulate(I sums, std::int64_t* to) {
    for (int lane = 0; lane < kLanes; ++lane) to[lane] += static_cast<std::uint32_t>(sums[lane]);
  }
};

void decode_float16(const std::uint16_t* from, float* to, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) to[i] = half_to_float(from[i]);
}

constexpr Kernels kKernels = {
    "baseline",
    4,
    Baseline::kLanes,
    tile_kernel<Baseline, 4, 1>,
    tile_kernel<Baseline, 4, 2>,
    bound_kernel<Baseline, 4, 2>,
    short_product_kernel<Baseline>,
    1.2,
    shorten_kernel<Baseline, 63>,
    63,
    decode_float16,
    products_kernel<Baseline>,
    estimate_kernel<Baseline>,
    gain_kernel<Baseline>,
    raise_kernel<Baseline>,
    above_kernel<Baseline>,
    above_uses_kernel<Baseline>,
    above_one_kernel<Baseline>,
};

}  // namespace

const Kernels* qdit::cpu::baseline_kernels() { return &kKernels; }
