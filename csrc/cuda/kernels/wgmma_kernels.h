// The functions of kernels.h and graph_kernels.h that multiply, by wgmma: for compute capability 9.0.
#pragma once

#include "cuda/kernels/graph_kernels.h"
#include "cuda/kernels/kernels.h"

namespace qdit::cuda::wgmma {

// True if this library holds them for the current device.
bool has_kernels();

void launch_pass(Precision precision, const PassArguments& arguments, std::int64_t first, std::int64_t count,
                 cudaStream_t stream);
void launch_fill(Precision precision, const PassArguments& arguments, Pair* pairs, std::int64_t first,
                 std::int64_t count, cudaStream_t stream);
void launch_gains(Precision precision, const Operand& candidates, const Operand& rows,
                  const std::int32_t* max, Sum* gains, cudaStream_t stream);
void launch_losses(Precision precision, const Operand& candidates, const Operand& rows,
                   const PastRises& rises, Sum* losses, cudaStream_t stream);
void launch_similarities(Precision precision, const Operand& candidates, const Operand& rows,
                         std::int32_t* sims, std::int64_t stride, cudaStream_t stream);
void launch_nearest(Precision precision, const Operand& rows, const Operand& candidates, std::uint32_t begin,
                    Sum* best, cudaStream_t stream);
void launch_candidates(Precision precision, const CandidateArguments& arguments, std::int64_t first,
                       std::int64_t count, cudaStream_t stream);

}  // namespace qdit::cuda::wgmma
