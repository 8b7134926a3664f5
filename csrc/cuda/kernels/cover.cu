// Running maxima: a thread takes a row. Bound by memory: 4 bytes of each candidate and 8 of the maximum a
// row.
#include "cuda/kernels/kernels.h"
#include "cuda/kernels/launch.h"
#include "cuda/kernels/ptx.h"
#include "cuda/kernels/sums.cuh"

namespace qdit::cuda {
namespace {

__global__ void __launch_bounds__(kThreads)
    set_kernel(std::int32_t* values, std::int64_t count, std::int32_t value) {
  const std::int64_t i = thread_of();
  if (i < count) values[i] = value;
}

__global__ void __launch_bounds__(kThreads)
    cover_kernel(const std::int32_t* sims, std::int64_t stride, std::int32_t candidates, std::int64_t count,
                 std::int32_t* max, bool first, Sum* rises) {
  const std::int64_t v = thread_of();
  const bool there = v < count;  // a thread without a row still takes part in its warp's sums
  std::int32_t m = there && !first ? max[v] : 0;
  for (std::int32_t c = 0; c < candidates; ++c) {
    std::int64_t rise = 0;
    if (there) {
      const std::int32_t sim = sims[c * stride + v];
      if (first && c == 0) {
        rise = sim;
        m = sim;
      } else if (sim > m) {
        rise = static_cast<std::int64_t>(sim) - m;
        m = sim;
      }
    }
    add_of_warp(rises + c, static_cast<Sum>(rise));
  }
  if (there) max[v] = m;
}

__global__ void __launch_bounds__(kThreads)
    sum_kernel(const std::int32_t* values, std::int64_t count, Sum* sum) {
  const std::int64_t i = thread_of();
  add_of_warp(sum, static_cast<Sum>(i < count ? static_cast<std::int64_t>(values[i]) : 0));
}

}  // namespace

bool has_kernels() {
  cudaFuncAttributes attributes{};
  const cudaError_t error = cudaFuncGetAttributes(&attributes, reinterpret_cast<const void*>(&set_kernel));
  if (error != cudaSuccess) (void)cudaGetLastError();
  return error == cudaSuccess;
}

void launch_set(std::int32_t* values, std::int64_t count, std::int32_t value, cudaStream_t stream) {
  launch(set_kernel, threads(count), stream, values, count, value);
}

void launch_cover(const std::int32_t* sims, std::int64_t stride, std::int32_t candidates, std::int64_t count,
                  std::int32_t* max, bool first, Sum* rises, cudaStream_t stream) {
  launch(cover_kernel, threads(count), stream, sims, stride, candidates, count, max, first, rises);
}

void launch_sum(const std::int32_t* values, std::int64_t count, Sum* sum, cudaStream_t stream) {
  launch(sum_kernel, threads(count), stream, values, count, sum);
}

}  // namespace qdit::cuda
