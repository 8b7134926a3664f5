// Products by wgmma (m64nNk16), which devices of compute capability 9.0 have: each warpgroup takes 64 rows of
// the tile and all of its columns, straight from shared memory.
//
// WgmmaHalfTile: three warpgroups, n = 192, four instructions a slab; they take 1,152 clocks, in which 48 KB
// come in. WgmmaSplitTile: two warpgroups, and sixteen instructions a slab: totals of high * high for half of
// the columns (n = 64), high * low (128), totals for the other half, low * high. While the tensor cores are
// at the 128 columns of one, the threads add up the totals before. 1,536 clocks, in which 64 KB come in.
#pragma once

#include "cuda/kernels/loader.cuh"
#include "cuda/kernels/ptx_wgmma.h"
#include "cuda/kernels/wgmma_layout.h"

namespace qdit::cuda {

template <class Shape>
struct WgmmaAccumulators {
  static constexpr bool kSplit = Shape::kPlanes == 2;
  static constexpr int kCount = Shape::kTile / 2;
  static constexpr int kPartCount = kCount / 2;  // of half of the columns

  float sum[kCount];
  // Split precision only, as in Accumulators; totals of a slab are there for half of the columns at a time.
  float slab[kSplit ? kPartCount : 1];
  float high_low[kSplit ? kCount : 1];
  float low_high[kSplit ? kCount : 1];

  __device__ __forceinline__ void clear() {
#pragma unroll
    for (int i = 0; i < kCount; ++i) {
      sum[i] = 0.0f;
      if constexpr (kSplit) high_low[i] = low_high[i] = 0.0f;
    }
  }

  __device__ __forceinline__ void settle() {
    if constexpr (kSplit) {
      wgmma_settle(high_low);
      wgmma_settle(low_high);
    } else {
      wgmma_settle(sum);
    }
  }

  // All products are there: from now on value().
  __device__ __forceinline__ void finish() {
    settle();
    if constexpr (kSplit) {
#pragma unroll
      for (int i = 0; i < kCount; ++i) sum[i] += (high_low[i] + low_high[i]) * (1.0f / 2048.0f);
    }
  }

  // Element e of the j-th eight columns: the instruction leaves them as m16n8 products side by side.
  __device__ __forceinline__ float value(int /*i*/, int j, int e) const { return sum[4 * j + e]; }
};

// Products of two planes of a slab, of as many columns as `sums` holds. rows: of this warpgroup.
template <int kCount>
__device__ __forceinline__ void start_products(std::uint32_t rows, std::uint32_t columns,
                                               float (&sums)[kCount], bool anew) {
#pragma unroll
  for (int k = 0; k < kSlab / 16; ++k) {
    multiply_add_async(sums, slab_descriptor(rows, k), slab_descriptor(columns, k), !anew || k > 0);
  }
}

// Totals of high * high for one half of the columns, and the products with the other planes that run on while
// these are added up.
template <class Shape, int kPart>
__device__ __forceinline__ void start_part(std::uint32_t rows, std::uint32_t columns,
                                           WgmmaAccumulators<Shape>& acc) {
  constexpr std::uint32_t kLow = Tile<Shape>::kPlaneBytes;
  wgmma_fence();
  start_products(rows, columns + kPart * kLow / 2, acc.slab, true);
  wgmma_commit();
  if constexpr (kPart == 0) {
    start_products(rows, columns + kLow, acc.high_low, false);
  } else {
    start_products(rows + kLow, columns, acc.low_high, false);
  }
  wgmma_commit();
}
template <class Shape, int kPart>
__device__ __forceinline__ void end_part(WgmmaAccumulators<Shape>& acc) {
  wgmma_wait<1>();
  wgmma_settle(acc.slab);
#pragma unroll
  for (int i = 0; i < acc.kPartCount; ++i) acc.sum[kPart * acc.kPartCount + i] += acc.slab[i];
}

// Starts the products of a slab, or the first of them.
template <class Shape>
__device__ __forceinline__ void start_slab(std::uint32_t rows, std::uint32_t columns,
                                           WgmmaAccumulators<Shape>& acc) {
  if constexpr (Shape::kPlanes == 2) {
    start_part<Shape, 0>(rows, columns, acc);
  } else {
    wgmma_fence();
    start_products(rows, columns, acc.sum, false);
    wgmma_commit();
  }
}

// Starts what start_slab() has left; then no products but those of the latest Shape::kPending slabs are under
// way.
template <class Shape>
__device__ __forceinline__ void end_slab(std::uint32_t rows, std::uint32_t columns,
                                         WgmmaAccumulators<Shape>& acc) {
  if constexpr (Shape::kPlanes == 2) {
    end_part<Shape, 0>(acc);
    start_part<Shape, 1>(rows, columns, acc);
    end_part<Shape, 1>(acc);
  } else {
    wgmma_wait<Shape::kPending>();
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
        count_((rows.depth + Shape::kSlab - 1) / Shape::kSlab) {}

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
    const std::uint32_t stage = static_cast<std::uint32_t>(read * T::kStageBytes);
    const std::uint32_t columns = pipeline + stage + T::kOperandBytes;
    start_slab<Shape>(own_rows + stage, columns, acc);
    slabs.load(slab + kAhead, write);
    end_slab<Shape>(own_rows + stage, columns, acc);
    read = read + 1 == Shape::kStages ? 0 : read + 1;
    write = write + 1 == Shape::kStages ? 0 : write + 1;
  }
  wgmma_wait<0>();
  acc.finish();
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
