// A batch of candidates with rows of the pool: their gains, their similarities, the nearest of them. Kernels
// of any shape of tile; products.cu and products_wgmma.cu make those of theirs.
//
// A block computes one tile (pass.cuh and pass_wgmma.cuh say what of it is where) and sums, stores or
// compares what its threads hold. Expected for 192 x 192 by wgmma, not measured: 13,824 clocks of products,
// about 1,000 until the first slab is there, and of 36,864 pairs 2,304 for F2I, beside which the sums of
// gains fit; similarities are 147 KB to store, up to 7,400 clocks at the multiprocessor's share of the
// memory. One candidate costs what 192 do.
#pragma once

#include "cuda/kernels/kernels.h"
#include "cuda/kernels/launch.h"
#include "cuda/kernels/tile.cuh"

namespace qdit::cuda {

struct Place {
  std::int32_t row;
  std::int32_t column;
};

// Blocks next to each other take the same columns (the long side) with all tiles of the rows (the batch).
template <class Shape>
__device__ __forceinline__ Place place_of_block(const Operand& rows) {
  const std::uint32_t down = (static_cast<std::uint32_t>(rows.count) + Shape::kTile - 1) / Shape::kTile;
  return {static_cast<std::int32_t>(blockIdx.x % down) * Shape::kTile,
          static_cast<std::int32_t>(blockIdx.x / down) * Shape::kTile};
}

// kLosses: gains lost since the maxima were rises.from; else gains over maxima rises.from.
template <class Shape, bool kLosses>
__global__ void __launch_bounds__(Tile<Shape>::kThreads, Shape::kBlocks)
    gains_kernel(const Operand candidates, const Operand rows, const PastRises rises, Sum* gains) {
  using T = Tile<Shape>;
  const Place place = place_of_block<Shape>(candidates);
  TileSides<Shape>& sides = tile_sides<Shape>();
  std::int32_t (&to)[Shape::kTile] = sides.row_max;  // rows of the tile, candidates here, have none
  const int thread = static_cast<int>(threadIdx.x);
  if (thread >= T::kRows) {
    const int column = thread - T::kRows;
    const std::int32_t row = place.column + column;
    const bool there = row < rows.count;
    const std::int32_t source = there ? source_of(rows, row) : 0;
    sides.column_max[column] = there ? rises.from[source] : kNoRowMax;
    if constexpr (kLosses) {
      to[column] = there ? rises.to[source] : kNoRowMax;
      sides.column_threshold[column] = there ? rises.threshold[source] : kNoList;
    }
  }
  TileSims<Shape> sims;
  compute_similarities<Shape>(shared_memory(), sides, candidates, place.row, rows, place.column, sims);
  Sum* sums = reinterpret_cast<Sum*>(shared_memory());  // [warps across][rows], where the pipeline was
  const int warp = thread / kWarp;
#pragma unroll
  for (int i = 0; i < T::kDown; ++i) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      Sum value = 0;
      std::uint32_t sum = 0;  // of up to 24 contributions
#pragma unroll
      for (int j = 0; j < T::kAcross; ++j) {
#pragma unroll
        for (int e = 0; e < 2; ++e) {
          const std::int32_t sim = sims.at[i][j][2 * half + e];
          const int column = sims.column(j, e);
          if constexpr (kLosses) {
            sum += lost(sim, sides.column_max[column], to[column], sides.column_threshold[column]);
          } else {
            sum += relu_difference(sim, sides.column_max[column]);
          }
        }
        if (j % 12 == 11 || j == T::kAcross - 1) {
          value += sum;
          sum = 0;
        }
      }
      value += shuffle_xor(value, 1);
      value += shuffle_xor(value, 2);
      if (thread % 4 == 0) sums[warp % Shape::kWarpsAcross * T::kRows + sims.row(i, 2 * half)] = value;
    }
  }
  sync_block();
  if (thread < T::kRows && place.row + thread < candidates.count) {
    Sum value = 0;
#pragma unroll
    for (int across = 0; across < Shape::kWarpsAcross; ++across) value += sums[across * T::kRows + thread];
    if (value != 0) atomicAdd(gains + place.row + thread, value);
  }
}

template <class Shape>
__global__ void __launch_bounds__(Tile<Shape>::kThreads, Shape::kBlocks)
    similarities_kernel(const Operand candidates, const Operand rows, std::int32_t* out,
                        std::int64_t stride) {
  using T = Tile<Shape>;
  const Place place = place_of_block<Shape>(candidates);
  TileSims<Shape> sims;
  compute_similarities<Shape>(shared_memory(), tile_sides<Shape>(), candidates, place.row, rows, place.column,
                              sims);
#pragma unroll
  for (int i = 0; i < T::kDown; ++i) {
#pragma unroll
    for (int e = 0; e < 4; ++e) {
      const std::int32_t candidate = place.row + sims.row(i, e);
      if (candidate >= candidates.count) continue;
      std::int32_t* to = out + candidate * stride;
#pragma unroll
      for (int j = 0; j < T::kAcross; ++j) {
        const std::int32_t row = place.column + sims.column(j, e);
        if (row < rows.count) to[row] = sims.at[i][j][e];
      }
    }
  }
}

template <class Shape>
__global__ void __launch_bounds__(Tile<Shape>::kThreads, Shape::kBlocks)
    nearest_kernel(const Operand rows, const Operand candidates, std::uint32_t begin, Sum* best) {
  using T = Tile<Shape>;
  const Place place = place_of_block<Shape>(rows);
  TileSims<Shape> sims;
  compute_similarities<Shape>(shared_memory(), tile_sides<Shape>(), rows, place.row, candidates, place.column,
                              sims);
#pragma unroll
  for (int i = 0; i < T::kDown; ++i) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      Sum key = 0;
#pragma unroll
      for (int j = 0; j < T::kAcross; ++j) {
#pragma unroll
        for (int e = 0; e < 2; ++e) {
          const std::int32_t candidate = place.column + sims.column(j, e);
          if (candidate >= candidates.count) continue;
          const Sum other =
              nearest_key(sims.at[i][j][2 * half + e], begin + static_cast<std::uint32_t>(candidate));
          key = other > key ? other : key;
        }
      }
#pragma unroll
      for (int mask = 1; mask <= 2; mask *= 2) {
        const Sum other = shuffle_xor(key, mask);
        key = other > key ? other : key;
      }
      const std::int32_t row = place.row + sims.row(i, 2 * half);
      if (threadIdx.x % 4 == 0 && row < rows.count && key != 0) atomicMax(best + row, key);
    }
  }
}

template <class Shape>
LaunchShape product_shape(const Operand& rows, const Operand& columns) {
  return {divide_up(rows.count, Shape::kTile) * divide_up(columns.count, Shape::kTile), Tile<Shape>::kThreads,
          kTileBytes<Shape>};
}

template <class Shape>
void launch_gains_of(const Operand& candidates, const Operand& rows, const std::int32_t* max, Sum* gains,
                     cudaStream_t stream) {
  launch(gains_kernel<Shape, false>, product_shape<Shape>(candidates, rows), stream, candidates, rows,
         PastRises{max, nullptr, nullptr}, gains);
}

template <class Shape>
void launch_losses_of(const Operand& candidates, const Operand& rows, const PastRises& rises, Sum* losses,
                      cudaStream_t stream) {
  launch(gains_kernel<Shape, true>, product_shape<Shape>(candidates, rows), stream, candidates, rows, rises,
         losses);
}

template <class Shape>
void launch_similarities_of(const Operand& candidates, const Operand& rows, std::int32_t* sims,
                            std::int64_t stride, cudaStream_t stream) {
  launch(similarities_kernel<Shape>, product_shape<Shape>(candidates, rows), stream, candidates, rows, sims,
         stride);
}

template <class Shape>
void launch_nearest_of(const Operand& rows, const Operand& candidates, std::uint32_t begin, Sum* best,
                       cudaStream_t stream) {
  launch(nearest_kernel<Shape>, product_shape<Shape>(rows, candidates), stream, rows, candidates, begin,
         best);
}

}  // namespace qdit::cuda
