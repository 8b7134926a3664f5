// AVX-512 with products of bytes in one instruction (VNNI): the tiles of AVX-512, and bounds of 8 bits.
#include "cpu/bound_kernel.h"
#include "cpu/eight_floats.h"
#include "cpu/sixteen_lanes.h"
#include "cpu/tile_kernel.h"

namespace {

struct Vnni : Avx512 {
  static I dot(I sum, I row_0, I lanes_0, I row_1, I lanes_1) {
    return _mm512_dpbusd_epi32(_mm512_dpbusd_epi32(sum, row_0, lanes_0), row_1, lanes_1);
  }
};

constexpr Kernels kKernels = {
    "avx512vnni",
    14,
    Avx512::kLanes,
    tile_kernel<Avx512, 14, 1>,
    tile_kernel<Avx512, 14, 2>,
    bound_kernel<Vnni, 14, 7>,
    short_product_kernel<Vnni>,
    0.2,
    shorten_kernel<Avx512, 127>,
    127,
    decode_float16,
    products_kernel<Eight>,
    estimate_kernel<Avx512>,
    gain_kernel<Avx512>,
    raise_kernel<Avx512>,
    above_kernel<Avx512>,
    above_uses_kernel<Avx512>,
    above_one_kernel<Avx512>,
};

}  // namespace

const Kernels* qdit::cpu::avx512vnni_kernels() { return &kKernels; }
