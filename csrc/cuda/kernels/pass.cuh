// The pass over all pairs: each tile of similarities is computed once and serves its rows and its columns.
// Kernels of any shape of tile; pass.cu and pass_wgmma.cu make those of theirs.
#pragma once

#include "cuda/kernels/kernels.h"
#include "cuda/kernels/launch.h"
#include "cuda/kernels/tile.cuh"

namespace qdit::cuda {

// Sums of a tile's rows by each warp across it, and of its columns by each warp down it.
template <class Shape>
struct TileSums {
  Sum row[Shape::kWarpsAcross][Shape::kTile];
  Sum column[Shape::kWarpsDown][Shape::kTile];
};

// The sums take the place of the pipeline, which is free after the product.
template <class Shape>
__device__ __forceinline__ TileSums<Shape>& tile_sums() {
  static_assert(sizeof(TileSums<Shape>) <= Tile<Shape>::kPipelineBytes);
  return *reinterpret_cast<TileSums<Shape>*>(shared_memory());
}

template <class Shape>
__device__ __forceinline__ void load_limits(const PassSide& side, std::int32_t first, std::int32_t* max,
                                            std::int32_t* threshold, int i) {
  const std::int32_t row = first + i;
  const bool there = row < side.rows.count;
  const std::int32_t source = there ? source_of(side.rows, row) : 0;
  max[i] = there ? side.max[source] : kNoRowMax;
  threshold[i] = there ? side.threshold[source] : kNoList;
}

template <class Shape>
__device__ __forceinline__ void load_limits(const PassArguments& arguments, std::int32_t first_row,
                                            std::int32_t first_column, TileSides<Shape>& sides) {
  const int thread = static_cast<int>(threadIdx.x);
  constexpr int kRows = Shape::kTile;
  if (thread < kRows) {
    load_limits<Shape>(arguments.rows, first_row, sides.row_max, sides.row_threshold, thread);
  } else {
    load_limits<Shape>(arguments.columns, first_column, sides.column_max, sides.column_threshold,
                       thread - kRows);
  }
}

// Rows as candidates over the columns' maxima, and as lists of the columns above their thresholds.
template <class Shape>
__device__ __forceinline__ void sum_rows(const TileSims<Shape>& sims, const TileSides<Shape>& sides,
                                         TileSums<Shape>& sums) {
  using T = Tile<Shape>;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const int warp = static_cast<int>(threadIdx.x) / kWarp;
#pragma unroll
  for (int i = 0; i < T::kDown; ++i) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const std::int32_t threshold = sides.row_threshold[sims.row(i, 2 * half)];
      std::uint32_t sum = 0;
      std::uint32_t count = 0;
#pragma unroll
      for (int j = 0; j < T::kAcross; ++j) {
#pragma unroll
        for (int e = 0; e < 2; ++e) {
          const std::int32_t sim = sims.at[i][j][2 * half + e];
          sum += relu_difference(sim, sides.column_max[sims.column(j, e)]);
          count += sim > threshold ? 1 : 0;
        }
      }
      Sum value = packed(sum, count);
      value += shuffle_xor(value, 1);
      value += shuffle_xor(value, 2);
      if (lane % 4 == 0) sums.row[warp % Shape::kWarpsAcross][sims.row(i, 2 * half)] = value;
    }
  }
}

template <class Shape>
__device__ __forceinline__ void sum_columns(const TileSims<Shape>& sims, const TileSides<Shape>& sides,
                                            TileSums<Shape>& sums) {
  using T = Tile<Shape>;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const int warp = static_cast<int>(threadIdx.x) / kWarp;
#pragma unroll
  for (int j = 0; j < T::kAcross; ++j) {
#pragma unroll
    for (int e = 0; e < 2; ++e) {
      const std::int32_t threshold = sides.column_threshold[sims.column(j, e)];
      std::uint32_t sum = 0;
      std::uint32_t count = 0;
#pragma unroll
      for (int i = 0; i < T::kDown; ++i) {
#pragma unroll
        for (int half = 0; half < 2; ++half) {
          const std::int32_t sim = sims.at[i][j][2 * half + e];
          sum += relu_difference(sim, sides.row_max[sims.row(i, 2 * half)]);
          count += sim > threshold ? 1 : 0;
        }
      }
      Sum value = packed(sum, count);
      value += shuffle_xor(value, 4);
      value += shuffle_xor(value, 8);
      value += shuffle_xor(value, 16);
      if (lane < 4) sums.column[warp / Shape::kWarpsAcross][sims.column(j, e)] = value;
    }
  }
}

__device__ __forceinline__ void add(const PassSide& side, std::int32_t row, Sum value) {
  if (row >= side.rows.count) return;
  const std::int32_t source = source_of(side.rows, row);
  const Sum sum = packed_sum(value);
  const std::uint32_t count = packed_count(value);
  if (sum != 0) atomicAdd(side.gains + source, sum);
  if (count != 0) atomicAdd(side.counts + source, count);
}

// In a tile on the diagonal every pair occurs as (row, column) already.
__device__ __forceinline__ bool both_sides(const PassArguments& arguments, const TilePlace& place) {
  return !arguments.map.symmetric || place.row != place.column;
}

// Every thread that has a row or column adds what the warps have of it, less `too_much`, to the pool's.
template <class Shape>
__device__ __forceinline__ void add_sums(const PassArguments& arguments, const TilePlace& place,
                                         const TileSums<Shape>& sums, Sum too_much) {
  const int thread = static_cast<int>(threadIdx.x);
  Sum value = 0 - too_much;
  if (thread < Shape::kTile) {
#pragma unroll
    for (int warp = 0; warp < Shape::kWarpsAcross; ++warp) value += sums.row[warp][thread];
    add(arguments.rows, place.row * Shape::kTile + thread, value);
  } else if (both_sides(arguments, place)) {
#pragma unroll
    for (int warp = 0; warp < Shape::kWarpsDown; ++warp) value += sums.column[warp][thread - Shape::kTile];
    add(arguments.columns, place.column * Shape::kTile + thread - Shape::kTile, value);
  }
}

template <class Shape>
__global__ void __launch_bounds__(Tile<Shape>::kThreads, Shape::kBlocks)
    pass_kernel(const PassArguments arguments, std::int64_t first) {
  const TilePlace place = arguments.map.at(first + blockIdx.x);
  if (!place.used) return;  // the whole block
  const std::int32_t first_row = place.row * Shape::kTile;
  const std::int32_t first_column = place.column * Shape::kTile;
  TileSides<Shape>& sides = tile_sides<Shape>();
  load_limits<Shape>(arguments, first_row, first_column, sides);
  TileSims<Shape> sims;
  compute_similarities<Shape>(shared_memory(), sides, arguments.rows.rows, first_row, arguments.columns.rows,
                              first_column, sims);
  const bool both = both_sides(arguments, place);
  TileSums<Shape>& sums = tile_sums<Shape>();
  sum_rows<Shape>(sims, sides, sums);
  if (both) sum_columns<Shape>(sims, sides, sums);
  sync_block();
  add_sums<Shape>(arguments, place, sums, 0);
}

// Appends candidate `id` to the list of a row.
__device__ __forceinline__ void append(const PassSide& side, std::int32_t row, std::int32_t id,
                                       std::int32_t sim, Pair* pairs) {
  const std::int32_t source = source_of(side.rows, row);
  const std::uint32_t place = atomicAdd(side.counts + source, 1u);
  pairs[side.list_begin[source] + place] = {static_cast<std::uint32_t>(id), sim};
}

template <class Shape>
__global__ void __launch_bounds__(Tile<Shape>::kThreads, Shape::kBlocks)
    fill_kernel(const PassArguments arguments, Pair* pairs, std::int64_t first) {
  using T = Tile<Shape>;
  const TilePlace place = arguments.map.at(first + blockIdx.x);
  if (!place.used) return;
  const std::int32_t first_row = place.row * Shape::kTile;
  const std::int32_t first_column = place.column * Shape::kTile;
  TileSides<Shape>& sides = tile_sides<Shape>();
  load_limits<Shape>(arguments, first_row, first_column, sides);
  TileSims<Shape> sims;
  compute_similarities<Shape>(shared_memory(), sides, arguments.rows.rows, first_row, arguments.columns.rows,
                              first_column, sims);
  const bool both = both_sides(arguments, place);
  // Few pairs are stored, each at a place of its own: from shared memory that takes no registers to speak of.
  constexpr int kStride = T::kRows + 8;
  static_assert(T::kRows * kStride * sizeof(std::int32_t) <= T::kPipelineBytes);
  auto* tile = reinterpret_cast<std::int32_t*>(shared_memory());
#pragma unroll
  for (int i = 0; i < T::kDown; ++i) {
#pragma unroll
    for (int j = 0; j < T::kAcross; ++j) {
#pragma unroll
      for (int e = 0; e < 4; ++e) tile[sims.row(i, e) * kStride + sims.column(j, e)] = sims.at[i][j][e];
    }
  }
  sync_block();
  const int column = static_cast<int>(threadIdx.x) % T::kRows;
  const std::int32_t column_threshold = both ? sides.column_threshold[column] : kNoList;
  for (int row = static_cast<int>(threadIdx.x) / T::kRows; row < T::kRows; row += T::kThreads / T::kRows) {
    const std::int32_t sim = tile[row * kStride + column];
    if (sim > sides.row_threshold[row]) {
      append(arguments.rows, first_row + row, arguments.columns.begin + first_column + column, sim, pairs);
    }
    if (sim > column_threshold) {
      append(arguments.columns, first_column + column, arguments.rows.begin + first_row + row, sim, pairs);
    }
  }
}

template <class Shape>
LaunchShape pass_shape(std::int64_t count) {
  return {count, Tile<Shape>::kThreads, kTileBytes<Shape>};
}

template <class Shape>
void launch_pass_of(const PassArguments& arguments, std::int64_t first, std::int64_t count,
                    cudaStream_t stream) {
  launch(pass_kernel<Shape>, pass_shape<Shape>(count), stream, arguments, first);
}

template <class Shape>
void launch_fill_of(const PassArguments& arguments, Pair* pairs, std::int64_t first, std::int64_t count,
                    cudaStream_t stream) {
  launch(fill_kernel<Shape>, pass_shape<Shape>(count), stream, arguments, pairs, first);
}

}  // namespace qdit::cuda
