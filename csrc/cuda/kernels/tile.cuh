// One tile of similarities by tensor cores: the part that all kernels over pairs share.
//
// Every tile of an engine sums its products in the same order with the same instruction (mma.cuh or
// wgmma.cuh: sixteen columns of the rows after the other into one accumulator), so s(c, v) has the same bits
// in whatever kernel and wherever in a tile its pair lands; and s(c, v) = s(v, c), since the products
// commute.
#pragma once

#include <type_traits>

#include "cuda/kernels/epilogue.h"
#include "cuda/kernels/mma.cuh"
#include "cuda/kernels/wgmma.cuh"

namespace qdit::cuda {

// What the epilogue knows of the rows and columns of its tile, in shared memory.
template <class Shape>
struct TileSides {
  float row_factor[Shape::kTile];
  float column_factor[Shape::kTile];
  std::int32_t row_max[Shape::kTile];
  std::int32_t column_max[Shape::kTile];
  std::int32_t row_threshold[Shape::kTile];
  std::int32_t column_threshold[Shape::kTile];
};
template <class Shape>
inline constexpr std::size_t kTileBytes = Tile<Shape>::kPipelineBytes + sizeof(TileSides<Shape>);
static_assert(HalfTile::kBlocks * (kTileBytes<HalfTile> + kReservedBytes) <= kMultiprocessorBytesOf89);
static_assert(SplitTile::kBlocks * (kTileBytes<SplitTile> + kReservedBytes) <= kMultiprocessorBytesOf89);
static_assert(kTileBytes<WgmmaHalfTile> <= kSharedBytesOf90 &&
              kTileBytes<WgmmaSplitTile> <= kSharedBytesOf90);

// Similarities of a tile in shared memory, where the pipeline was: rows so far apart that neither 32 rows nor
// 32 columns share a bank, and what a warp stores at a time hardly does.
template <class Shape>
inline constexpr int kSimStride = Shape::kTile + 9;
template <class Shape>
inline constexpr std::size_t kSimBytes = std::size_t{Shape::kTile} * kSimStride<Shape> * sizeof(std::int32_t);
// Shared memory of a kernel that stores them there, and what lies before its TileSides.
template <class Shape>
inline constexpr std::size_t kStoredTileOffset =
    kSimBytes<Shape> > Tile<Shape>::kPipelineBytes ? kSimBytes<Shape> : Tile<Shape>::kPipelineBytes;
template <class Shape>
inline constexpr std::size_t kStoredTileBytes = kStoredTileOffset<Shape> + sizeof(TileSides<Shape>);
static_assert(kStoredTileBytes<HalfTile> <= kSharedBytes);  // two of them fit 8.0, one 8.6 and 8.9
static_assert(HalfTile::kBlocks * (kStoredTileBytes<HalfTile> + kReservedBytes) <= kMultiprocessorBytesOf80);
static_assert(SplitTile::kBlocks * (kStoredTileBytes<SplitTile> + kReservedBytes) <=
              kMultiprocessorBytesOf89);
static_assert(kStoredTileBytes<WgmmaHalfTile> <= kSharedBytesOf90);
static_assert(kStoredTileOffset<WgmmaHalfTile> % 16 == 0 && kStoredTileOffset<HalfTile> % 16 == 0);

template <class Shape>
using AccumulatorsOf =
    std::conditional_t<Shape::kKernels == Kernels::kWgmma, WgmmaAccumulators<Shape>, Accumulators<Shape>>;

__device__ __forceinline__ std::int32_t source_of(const Operand& operand, std::int32_t row) {
  return operand.ids != nullptr ? operand.ids[row] : row;
}

// A thread per row and one per column; multiply() makes what they stored visible to all.
template <class Shape>
__device__ __forceinline__ void load_factors(TileSides<Shape>& sides, const Operand& rows,
                                             std::int32_t first_row, const Operand& columns,
                                             std::int32_t first_column) {
  constexpr int kRows = Shape::kTile;
  const int thread = static_cast<int>(threadIdx.x);
  if (thread < kRows) {
    const std::int32_t row = first_row + thread;
    sides.row_factor[thread] = row < rows.count ? rows.factors[source_of(rows, row)] : 0.0f;
  } else {
    const std::int32_t column = first_column + thread - kRows;
    sides.column_factor[thread - kRows] =
        column < columns.count ? columns.factors[source_of(columns, column)] : 0.0f;
  }
}

// Similarities of the tile in fixed point; kNoPair where a row or column is beyond its operand's end.
template <class Shape>
struct TileSims {
  using T = Tile<Shape>;
  std::int32_t at[T::kDown][T::kAcross][4];

  // Row and column in the tile of element e of product (i, j): the layout of an mma accumulator.
  __device__ __forceinline__ static int row(int i, int e) {
    const int thread = static_cast<int>(threadIdx.x);
    return thread / kWarp / Shape::kWarpsAcross * T::kWarpRows + i * 16 + e / 2 * 8 + thread % kWarp / 4;
  }
  __device__ __forceinline__ static int column(int j, int e) {
    const int thread = static_cast<int>(threadIdx.x);
    return thread / kWarp % Shape::kWarpsAcross * T::kWarpColumns + j * 8 + thread % 4 * 2 + e % 2;
  }
};

template <class Shape>
__device__ __forceinline__ void compute_similarities(unsigned char* pipeline, TileSides<Shape>& sides,
                                                     const Operand& rows, std::int32_t first_row,
                                                     const Operand& columns, std::int32_t first_column,
                                                     TileSims<Shape>& sims) {
  using T = Tile<Shape>;
  load_factors<Shape>(sides, rows, first_row, columns, first_column);
  AccumulatorsOf<Shape> acc;
  multiply<Shape>(shared_address(pipeline), rows, first_row, columns, first_column, acc);
#pragma unroll
  for (int j = 0; j < T::kAcross; ++j) {
#pragma unroll
    for (int e = 0; e < 4; ++e) {
      const float column_factor = sides.column_factor[sims.column(j, e)];
#pragma unroll
      for (int i = 0; i < T::kDown; ++i) {
        const float factor = sides.row_factor[sims.row(i, e)] * column_factor;
        sims.at[i][j][e] = to_fixed(acc.value(i, j, e), factor);
      }
    }
  }
  const bool at_end = first_row + T::kRows > rows.count || first_column + T::kRows > columns.count;
  if (!at_end) return;
#pragma unroll
  for (int i = 0; i < T::kDown; ++i) {
#pragma unroll
    for (int j = 0; j < T::kAcross; ++j) {
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        const bool there =
            first_row + sims.row(i, e) < rows.count && first_column + sims.column(j, e) < columns.count;
        if (!there) sims.at[i][j][e] = kNoPair;
      }
    }
  }
}

template <class Shape>
__device__ __forceinline__ TileSides<Shape>& tile_sides() {
  return *reinterpret_cast<TileSides<Shape>*>(shared_memory() + Tile<Shape>::kPipelineBytes);
}

template <class Shape>
__device__ __forceinline__ TileSides<Shape>& sides_of_stored_tile() {
  return *reinterpret_cast<TileSides<Shape>*>(shared_memory() + kStoredTileOffset<Shape>);
}

// Similarity (row, column) of the tile becomes item row * kSimStride + column of what is returned.
template <class Shape>
__device__ __forceinline__ const std::int32_t* stored_similarities(const TileSims<Shape>& sims) {
  using T = Tile<Shape>;
  auto* tile = reinterpret_cast<std::int32_t*>(shared_memory());
#pragma unroll
  for (int i = 0; i < T::kDown; ++i) {
#pragma unroll
    for (int j = 0; j < T::kAcross; ++j) {
#pragma unroll
      for (int e = 0; e < 4; ++e)
        tile[sims.row(i, e) * kSimStride<Shape> + sims.column(j, e)] = sims.at[i][j][e];
    }
  }
  sync_block();
  return tile;
}

}  // namespace qdit::cuda
