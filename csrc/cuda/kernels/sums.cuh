// What the kernels without tensor cores share: a thread per item, sums of a warp.
#pragma once

#include "cuda/kernels/epilogue.h"
#include "cuda/kernels/launch.h"
#include "cuda/kernels/layout.h"
#include "cuda/kernels/ptx.h"

namespace qdit::cuda {

inline constexpr int kThreads = 256;

__device__ __forceinline__ std::int64_t thread_of() {
  return static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
}
__device__ __forceinline__ int lane_of() { return static_cast<int>(threadIdx.x) % kWarp; }
// Number of the warp in the grid.
__device__ __forceinline__ std::int64_t warp_of() { return thread_of() / kWarp; }

__device__ __forceinline__ Sum warp_sum(Sum value) {
  for (int mask = kWarp / 2; mask > 0; mask /= 2) value += shuffle_xor(value, mask);
  return value;
}

// *to += the sum of the warp's values; all lanes must come here.
__device__ __forceinline__ void add_of_warp(Sum* to, Sum value) {
  value = warp_sum(value);
  if (lane_of() == 0 && value != 0) atomicAdd(to, value);
}

inline LaunchShape threads(std::int64_t count) { return {divide_up(count, kThreads), kThreads}; }
inline LaunchShape warps(std::int64_t count) { return {divide_up(count, kThreads / kWarp), kThreads}; }

}  // namespace qdit::cuda
