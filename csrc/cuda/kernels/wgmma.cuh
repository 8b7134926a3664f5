// Products by wgmma (m64nNk16), which devices of compute capability 9.0 have: each warpgroup takes 64 rows of
// the tile and all of its columns, straight from shared memory.
#pragma once

#include "cuda/kernels/loader.cuh"
#include "cuda/kernels/ptx_wgmma.h"
#include "cuda/kernels/wgmma_layout.h"

namespace qdit::cuda {

template <class Shape>
struct WgmmaAccumulators {
  static constexpr bool kSplit = Shape::kPlanes == 2;
  static constexpr int kCount = Shape::kTile / 2;

  float sum[kCount];
  // Split precision only, as in Accumulators.
  float slab[kSplit ? kCount : 1];
  float high_low[kSplit ? kCount : 1];
  float low_high[kSplit ? kCount : 1];

  __device__ __forceinline__ void clear() {
#pragma unroll
    for (int i = 0; i < kCount; ++i) {
      sum[i] = 0.0f;
      if constexpr (kSplit) slab[i] = high_low[i] = low_high[i] = 0.0f;
    }
  }

  __device__ __forceinline__ void settle() {
    wgmma_settle(sum);
    if constexpr (kSplit) {
      wgmma_settle(high_low);
      wgmma_settle(low_high);
    }
  }

  // Element e of the j-th eight columns: the instruction leaves them as m16n8 products side by side.
  __device__ __forceinline__ float value(int /*i*/, int j, int e) const {
    const int at = 4 * j + e;
    if constexpr (kSplit) return sum[at] + (high_low[at] + low_high[at]) * (1.0f / 2048.0f);
    return sum[at];
  }
};

// Starts the products of a slab. rows: of this warpgroup.
template <class Shape>
__device__ __forceinline__ void start_slab(std::uint32_t rows, std::uint32_t columns,
                                           WgmmaAccumulators<Shape>& acc) {
  wgmma_fence();
#pragma unroll
  for (int k = 0; k < kSlab / 16; ++k) {
    const std::uint64_t a = slab_descriptor(rows, k);
    const std::uint64_t b = slab_descriptor(columns, k);
    if constexpr (Shape::kPlanes == 1) {
      multiply_add_async(acc.sum, a, b, true);
    } else {
      const std::uint64_t a_low = slab_descriptor(rows + Tile<Shape>::kPlaneBytes, k);
      const std::uint64_t b_low = slab_descriptor(columns + Tile<Shape>::kPlaneBytes, k);
      multiply_add_async(acc.slab, a, b, k > 0);
      multiply_add_async(acc.high_low, a, b_low, true);
      multiply_add_async(acc.low_high, a_low, b, true);
    }
  }
  wgmma_commit();
}

// Waits for all products but those of the latest Shape::kPending slabs.
template <class Shape>
__device__ __forceinline__ void end_slab(WgmmaAccumulators<Shape>& acc) {
  wgmma_wait<Shape::kPending>();
  if constexpr (Shape::kPlanes == 2) {
    static_assert(Shape::kPending == 0);
    wgmma_settle(acc.slab);
#pragma unroll
    for (int i = 0; i < acc.kCount; ++i) acc.sum[i] += acc.slab[i];
    wgmma_settle(acc.sum);  // the slab's totals are read before the next ones take their place
  }
}

// The slabs of a tile on their way through the stages of the pipeline, which is shared memory of
// kPipelineBytes at a multiple of 1024.
template <class Shape>
class Slabs {
 public:
  using T = Tile<Shape>;
  static constexpr int kAhead = Shape::kStages - 1 - Shape::kPending;  // loaded before they are needed

  __device__ Slabs(std::uint32_t pipeline, const Operand& rows, std::int32_t first_row,
                   const Operand& columns, std::int32_t first_column)
      : row_loader_(rows, first_row),
        column_loader_(columns, first_column),
        pipeline_(pipeline),
        count_((rows.depth + kSlab - 1) / kSlab) {}

  __device__ __forceinline__ int count() const { return count_; }
  // One group of copies, empty where there is no such slab: the count of groups stays right.
  __device__ __forceinline__ void load(int slab, int stage) const {
    if (slab < count_) {
      const std::uint32_t to = pipeline_ + static_cast<std::uint32_t>(stage * T::kStageBytes);
      row_loader_.load(to, slab);
      column_loader_.load(to + T::kOperandBytes, slab);
    }
    copy_async_commit();
  }

 private:
  Loader<Shape> row_loader_;
  Loader<Shape> column_loader_;
  std::uint32_t pipeline_;
  int count_;
};

// Starts to load the first slabs. All threads must be done with the pipeline.
template <class Shape>
__device__ __forceinline__ void start_loading(const Slabs<Shape>& slabs) {
#pragma unroll
  for (int stage = 0; stage < Slabs<Shape>::kAhead; ++stage) slabs.load(stage, stage);
}

// acc = the dot products of the tile, after start_loading(). Synchronises the block, also after its last read
// of the pipeline.
//
// A stage is written anew once every warpgroup is done with it: each waits for the products of the slab
// before the last, then comes to the barrier, then loads into the stage that slab had.
template <class Shape>
__device__ __forceinline__ void multiply_loading(std::uint32_t pipeline, const Slabs<Shape>& slabs,
                                                 WgmmaAccumulators<Shape>& acc) {
  using T = Tile<Shape>;
  constexpr int kAhead = Slabs<Shape>::kAhead;
  acc.clear();
  acc.settle();
  // The same number in all lanes, and the compiler should know.
  const int warpgroup = shuffle(static_cast<int>(threadIdx.x) / (4 * kWarp), 0);
  const std::uint32_t own_rows = pipeline + static_cast<std::uint32_t>(warpgroup * 64 * kSlab * 2);
  int read = 0;
  int write = kAhead;
  for (int slab = 0; slab < slabs.count(); ++slab) {
    copy_async_wait<kAhead - 1>();  // this thread's part of `slab` is there ...
    fence_async_proxy();            // ... for wgmma too ...
    sync_block();                   // ... and everyone's; and all are done with the stage to write
    const auto from = static_cast<std::uint32_t>(read * T::kStageBytes);
    start_slab<Shape>(own_rows + from, pipeline + from + T::kOperandBytes, acc);
    slabs.load(slab + kAhead, write);
    end_slab<Shape>(acc);
    read = read + 1 == Shape::kStages ? 0 : read + 1;
    write = write + 1 == Shape::kStages ? 0 : write + 1;
  }
  wgmma_wait<0>();
  acc.settle();
  copy_async_wait<0>();
  sync_block();
}

template <class Shape>
__device__ __forceinline__ void multiply(std::uint32_t pipeline, const Operand& rows, std::int32_t first_row,
                                         const Operand& columns, std::int32_t first_column,
                                         WgmmaAccumulators<Shape>& acc) {
  const Slabs<Shape> slabs(pipeline, rows, first_row, columns, first_column);
  start_loading(slabs);
  multiply_loading(pipeline, slabs, acc);
}

}  // namespace qdit::cuda
