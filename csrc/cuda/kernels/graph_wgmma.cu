// Candidate pairs of the similarity graph by wgmma: a file of its own, since it is compiled for sm_90a alone.
#include "cuda/kernels/candidates.cuh"
#include "cuda/kernels/wgmma_kernels.h"

namespace qdit::cuda::wgmma {

void launch_candidates(Precision precision, const CandidateArguments& arguments, std::int64_t first,
                       std::int64_t count, cudaStream_t stream) {
  if (precision == Precision::kHalf) {
    launch_candidates_of<WgmmaHalfTile>(arguments, first, count, stream);
  } else {
    launch_candidates_of<WgmmaSplitTile>(arguments, first, count, stream);
  }
}

}  // namespace qdit::cuda::wgmma
