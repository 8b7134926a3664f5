// Batches of candidates by mma.sync, and which kernels take them.
#include "cuda/kernels/products.cuh"
#include "cuda/kernels/wgmma_kernels.h"

namespace qdit::cuda {

void launch_gains(const Arithmetic& how, const Operand& candidates, const Operand& rows,
                  const std::int32_t* max, Sum* gains, cudaStream_t stream) {
  if (how.kernels == Kernels::kWgmma) {
    wgmma::launch_gains(how.precision, candidates, rows, max, gains, stream);
  } else if (how.precision == Precision::kHalf) {
    launch_gains_of<HalfTile>(candidates, rows, max, gains, stream);
  } else {
    launch_gains_of<SplitTile>(candidates, rows, max, gains, stream);
  }
}

void launch_losses(const Arithmetic& how, const Operand& candidates, const Operand& rows,
                   const PastRises& rises, Sum* losses, cudaStream_t stream) {
  if (how.kernels == Kernels::kWgmma) {
    wgmma::launch_losses(how.precision, candidates, rows, rises, losses, stream);
  } else if (how.precision == Precision::kHalf) {
    launch_losses_of<HalfTile>(candidates, rows, rises, losses, stream);
  } else {
    launch_losses_of<SplitTile>(candidates, rows, rises, losses, stream);
  }
}

void launch_similarities(const Arithmetic& how, const Operand& candidates, const Operand& rows,
                         std::int32_t* sims, std::int64_t stride, cudaStream_t stream) {
  if (how.kernels == Kernels::kWgmma) {
    wgmma::launch_similarities(how.precision, candidates, rows, sims, stride, stream);
  } else if (how.precision == Precision::kHalf) {
    launch_similarities_of<HalfTile>(candidates, rows, sims, stride, stream);
  } else {
    launch_similarities_of<SplitTile>(candidates, rows, sims, stride, stream);
  }
}

void launch_nearest(const Arithmetic& how, const Operand& rows, const Operand& candidates,
                    std::uint32_t begin, Sum* best, cudaStream_t stream) {
  if (how.kernels == Kernels::kWgmma) {
    wgmma::launch_nearest(how.precision, rows, candidates, begin, best, stream);
  } else if (how.precision == Precision::kHalf) {
    launch_nearest_of<HalfTile>(rows, candidates, begin, best, stream);
  } else {
    launch_nearest_of<SplitTile>(rows, candidates, begin, best, stream);
  }
}

}  // namespace qdit::cuda
