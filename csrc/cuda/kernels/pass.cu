// The pass by mma.sync, and which kernels make it.
#include "cuda/kernels/pass.cuh"
#include "cuda/kernels/wgmma_kernels.h"

namespace qdit::cuda {

void launch_pass(const Arithmetic& how, const PassArguments& arguments, std::int64_t first,
                 std::int64_t count, cudaStream_t stream) {
  if (how.kernels == Kernels::kWgmma) {
    wgmma::launch_pass(how.precision, arguments, first, count, stream);
  } else if (how.precision == Precision::kHalf) {
    launch_pass_of<HalfTile>(arguments, first, count, stream);
  } else {
    launch_pass_of<SplitTile>(arguments, first, count, stream);
  }
}

void launch_fill(const Arithmetic& how, const PassArguments& arguments, Pair* pairs, std::int64_t first,
                 std::int64_t count, cudaStream_t stream) {
  if (how.kernels == Kernels::kWgmma) {
    wgmma::launch_fill(how.precision, arguments, pairs, first, count, stream);
  } else if (how.precision == Precision::kHalf) {
    launch_fill_of<HalfTile>(arguments, pairs, first, count, stream);
  } else {
    launch_fill_of<SplitTile>(arguments, pairs, first, count, stream);
  }
}

}  // namespace qdit::cuda
