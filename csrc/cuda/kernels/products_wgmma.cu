// Batches of candidates by wgmma: a file of its own, since it is compiled for sm_90a alone.
#include "cuda/kernels/products.cuh"
#include "cuda/kernels/wgmma_kernels.h"

namespace qdit::cuda::wgmma {

bool has_kernels() {
  cudaFuncAttributes attributes{};
  const auto* kernel = reinterpret_cast<const void*>(&similarities_kernel<WgmmaHalfTile>);
  const cudaError_t error = cudaFuncGetAttributes(&attributes, kernel);
  if (error != cudaSuccess) (void)cudaGetLastError();
  return error == cudaSuccess;
}

void launch_gains(Precision precision, const Operand& candidates, const Operand& rows,
                  const std::int32_t* max, Sum* gains, cudaStream_t stream) {
  if (precision == Precision::kHalf) {
    launch_gains_of<WgmmaHalfTile>(candidates, rows, max, gains, stream);
  } else {
    launch_gains_of<WgmmaSplitTile>(candidates, rows, max, gains, stream);
  }
}

void launch_losses(Precision precision, const Operand& candidates, const Operand& rows,
                   const PastRises& rises, Sum* losses, cudaStream_t stream) {
  if (precision == Precision::kHalf) {
    launch_losses_of<WgmmaHalfTile>(candidates, rows, rises, losses, stream);
  } else {
    launch_losses_of<WgmmaSplitTile>(candidates, rows, rises, losses, stream);
  }
}

void launch_similarities(Precision precision, const Operand& candidates, const Operand& rows,
                         std::int32_t* sims, std::int64_t stride, cudaStream_t stream) {
  if (precision == Precision::kHalf) {
    launch_similarities_of<WgmmaHalfTile>(candidates, rows, sims, stride, stream);
  } else {
    launch_similarities_of<WgmmaSplitTile>(candidates, rows, sims, stride, stream);
  }
}

void launch_nearest(Precision precision, const Operand& rows, const Operand& candidates, std::uint32_t begin,
                    Sum* best, cudaStream_t stream) {
  if (precision == Precision::kHalf) {
    launch_nearest_of<WgmmaHalfTile>(rows, candidates, begin, best, stream);
  } else {
    launch_nearest_of<WgmmaSplitTile>(rows, candidates, begin, best, stream);
  }
}

}  // namespace qdit::cuda::wgmma
