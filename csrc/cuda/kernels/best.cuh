// The best of scored candidates, over a block.
#pragma once

#include "cuda/kernels/ptx.h"
#include "cuda/kernels/sums.cuh"
#include "engine/score.h"

namespace qdit::cuda {

__device__ __forceinline__ Scored better_of(const Scored& a, const Scored& b) {
  if (a.candidate < 0) return b;
  if (b.candidate < 0) return a;
  return better(a, b) ? a : b;
}

// The best of the threads' candidates, known to thread 0. shared: one item per warp.
__device__ __forceinline__ Scored best_of_block(Scored best, Scored* shared) {
  for (int mask = kWarp / 2; mask > 0; mask /= 2) {
    Scored other;
    other.score = shuffle_xor(best.score, mask);
    other.candidate = shuffle_xor(best.candidate, mask);
    best = better_of(best, other);
  }
  const int warp = static_cast<int>(threadIdx.x) / kWarp;
  if (lane_of() == 0) shared[warp] = best;
  sync_block();
  if (threadIdx.x == 0) {
    for (int i = 1; i < kThreads / kWarp; ++i) best = better_of(best, shared[i]);
  }
  return best;
}

}  // namespace qdit::cuda
