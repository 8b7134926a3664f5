// Products by mma.sync (m16n8k16), which every device from 8.0 on has.
//
// Warps are 2 x 4 of 64 x 32 pairs (HalfTile), or 2 x 2 of 32 x 32 (SplitTile): a thread holds 64 sums, or
// four times 32. A stage has 32 items of all rows and columns, 16 KB. Sixteen items of a warp are six
// ldmatrix of 512 bytes for 16 products: 3 KB in the 32 clocks that they take on an A100, of the 4 KB that
// shared memory gives.
#pragma once

#include "cuda/kernels/loader.cuh"

namespace qdit::cuda {

template <class Shape>
struct Accumulators {
  using T = Tile<Shape>;
  static constexpr bool kSplit = Shape::kPlanes == 2;

  float sum[T::kDown][T::kAcross][4];
  // Split precision only. The tensor cores cut sums off instead of rounding them, so high * high is summed by
  // them for one slab only, and slab by slab by rounding additions.
  float slab[kSplit ? T::kDown : 1][kSplit ? T::kAcross : 1][4];
  float high_low[kSplit ? T::kDown : 1][kSplit ? T::kAcross : 1][4];
  float low_high[kSplit ? T::kDown : 1][kSplit ? T::kAcross : 1][4];

  __device__ __forceinline__ void clear() {
#pragma unroll
    for (int i = 0; i < T::kDown; ++i) {
#pragma unroll
      for (int j = 0; j < T::kAcross; ++j) {
#pragma unroll
        for (int e = 0; e < 4; ++e) {
          sum[i][j][e] = 0.0f;
          if constexpr (kSplit) slab[i][j][e] = high_low[i][j][e] = low_high[i][j][e] = 0.0f;
        }
      }
    }
  }

  // After kSlab items.
  __device__ __forceinline__ void end_slab() {
    if constexpr (kSplit) {
#pragma unroll
      for (int i = 0; i < T::kDown; ++i) {
#pragma unroll
        for (int j = 0; j < T::kAcross; ++j) {
#pragma unroll
          for (int e = 0; e < 4; ++e) {
            sum[i][j][e] += slab[i][j][e];
            slab[i][j][e] = 0.0f;
          }
        }
      }
    }
  }

  __device__ __forceinline__ float value(int i, int j, int e) const {
    if constexpr (kSplit) return sum[i][j][e] + (high_low[i][j][e] + low_high[i][j][e]) * (1.0f / 2048.0f);
    return sum[i][j][e];
  }
};

// Where a lane's fragments lie. ldmatrix gives lane l of an 8 x 8 matrix the items 2 (l % 4), 2 (l % 4) + 1
// of row l / 4: what mma wants of both operands, as both lie row by row along the columns that are summed
// over.
template <class Shape>
__device__ __forceinline__ void multiply_slab(std::uint32_t rows, std::uint32_t columns,
                                              Accumulators<Shape>& acc) {
  using T = Tile<Shape>;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const int warp = static_cast<int>(threadIdx.x) / kWarp;
  // Matrices of the rows: 0 and 1 upper and lower eight rows, 2 and 3 the same of the next eight columns.
  const int row = warp / Shape::kWarpsAcross * T::kWarpRows + lane % 16;
  const int row_unit = lane / 16;
  // Matrices of the columns: 0 and 1 both halves of the first eight, 2 and 3 of the next eight.
  const int column = warp % Shape::kWarpsAcross * T::kWarpColumns + lane % 8 + lane / 16 * 8;
  const int column_unit = lane / 8 % 2;
#pragma unroll
  for (int k = 0; k < Shape::kSlab / 16; ++k) {
    std::uint32_t b[Shape::kPlanes][T::kAcross / 2][4];
#pragma unroll
    for (int plane = 0; plane < Shape::kPlanes; ++plane) {
#pragma unroll
      for (int j = 0; j < T::kAcross / 2; ++j) {
        const int at = swizzled<Shape::kSlab>(column + j * 16, 2 * k + column_unit) + plane * T::kPlaneBytes;
        load_matrices(b[plane][j], columns + static_cast<std::uint32_t>(at));
      }
    }
#pragma unroll
    for (int i = 0; i < T::kDown; ++i) {
      std::uint32_t a[Shape::kPlanes][4];
#pragma unroll
      for (int plane = 0; plane < Shape::kPlanes; ++plane) {
        const int at = swizzled<Shape::kSlab>(row + i * 16, 2 * k + row_unit) + plane * T::kPlaneBytes;
        load_matrices(a[plane], rows + static_cast<std::uint32_t>(at));
      }
#pragma unroll
      for (int j = 0; j < T::kAcross; ++j) {
        const int pair = j / 2;
        const int half = j % 2 * 2;
        if constexpr (Shape::kPlanes == 1) {
          multiply_add(acc.sum[i][j], a[0], b[0][pair][half], b[0][pair][half + 1]);
        } else {
          multiply_add(acc.slab[i][j], a[0], b[0][pair][half], b[0][pair][half + 1]);
          multiply_add(acc.high_low[i][j], a[0], b[1][pair][half], b[1][pair][half + 1]);
          multiply_add(acc.low_high[i][j], a[1], b[0][pair][half], b[0][pair][half + 1]);
        }
      }
    }
  }
}

// acc = the dot products of rows first_row .. and columns first_column .. of the operands. pipeline: shared
// memory of kPipelineBytes. Synchronises the block, also after its last read of that memory.
template <class Shape>
__device__ __forceinline__ void multiply(std::uint32_t pipeline, const Operand& rows, std::int32_t first_row,
                                         const Operand& columns, std::int32_t first_column,
                                         Accumulators<Shape>& acc) {
  using T = Tile<Shape>;
  const Loader<Shape> row_loader(rows, first_row);
  const Loader<Shape> column_loader(columns, first_column);
  const int slabs = (rows.depth + Shape::kSlab - 1) / Shape::kSlab;
  constexpr int kRounded =
      kSlab / Shape::kSlab;  // slabs of the pipeline that are summed before they are rounded
  const auto load = [&](int slab, int stage) {
    const std::uint32_t to = pipeline + static_cast<std::uint32_t>(stage * T::kStageBytes);
    row_loader.load(to, slab);
    column_loader.load(to + T::kOperandBytes, slab);
  };
#pragma unroll
  for (int stage = 0; stage < Shape::kStages - 1; ++stage) {
    if (stage < slabs) load(stage, stage);
    copy_async_commit();  // an empty group where there is nothing to load: the count of groups stays right
  }
  acc.clear();
  int read = 0;
  int write = Shape::kStages - 1;
  for (int slab = 0; slab < slabs; ++slab) {
    copy_async_wait<Shape::kStages - 2>();  // this thread's part of `slab` is there ...
    sync_block();                           // ... and everyone's; and all are done with the stage to write
    const int next = slab + Shape::kStages - 1;
    if (next < slabs) load(next, write);
    copy_async_commit();
    const std::uint32_t from = pipeline + static_cast<std::uint32_t>(read * T::kStageBytes);
    multiply_slab<Shape>(from, from + T::kOperandBytes, acc);
    if (slab % kRounded == kRounded - 1 || slab == slabs - 1) acc.end_slab();
    read = read + 1 == Shape::kStages ? 0 : read + 1;
    write = write + 1 == Shape::kStages ? 0 : write + 1;
  }
  copy_async_wait<0>();
  sync_block();
}

}  // namespace qdit::cuda
