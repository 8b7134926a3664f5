// AVX-512 (F, DQ, BW, VL): 14 x 32 tiles in 28 accumulators.
#include "cpu/bound_kernel.h"
#include "cpu/eight_floats.h"
#include "cpu/sixteen_lanes.h"
#include "cpu/tile_kernel.h"

namespace {

constexpr Kernels kKernels = {
    "avx512",
    14,
    Avx512::kLanes,
    tile_kernel<Avx512, 14, 1>,
    tile_kernel<Avx512, 14, 2>,
    bound_kernel<Avx512, 14, 7>,
    short_product_kernel<Avx512>,
    0.4,
    shorten_kernel<Avx512, 63>,
    63,
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

const Kernels* qdit::cpu::avx512_kernels() { return &kKernels; }
