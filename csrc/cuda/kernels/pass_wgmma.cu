// The pass by wgmma: a file of its own, since it is compiled for sm_90a alone.
#include "cuda/kernels/pass_wgmma.cuh"
#include "cuda/kernels/wgmma_kernels.h"

namespace qdit::cuda::wgmma {

void launch_pass(Precision precision, const PassArguments& arguments, std::int64_t first, std::int64_t count,
                 cudaStream_t stream) {
  if (precision == Precision::kHalf) {
    launch_wide_pass<WgmmaHalfTile>(arguments, first, count, stream);
  } else {
    launch_wide_pass<WgmmaSplitTile>(arguments, first, count, stream);
  }
}

void launch_fill(Precision precision, const PassArguments& arguments, Pair* pairs, std::int64_t first,
                 std::int64_t count, cudaStream_t stream) {
  if (precision == Precision::kHalf) {
    launch_fill_of<WgmmaHalfTile>(arguments, pairs, first, count, stream);
  } else {
    launch_fill_of<WgmmaSplitTile>(arguments, pairs, first, count, stream);
  }
}

}  // namespace qdit::cuda::wgmma
