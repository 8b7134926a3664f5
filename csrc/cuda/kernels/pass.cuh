// The pass over all pairs: each tile of similarities is computed once and serves its rows and its columns.
// Kernels of any shape of tile; pass.cu and pass_wgmma.cu make those of theirs (by wgmma only fill_kernel:
// its pass is in pass_wgmma.cuh).
//
// A block computes one tile: 128 x 128 (HalfTile) or 64 x 64 (SplitTile), in two stages of 32 items. A thread
// holds 64 or 32 similarities of it, and a row's or a column's limits are in shared memory (TileSides).
//
// Expected, not measured: a tile of 768 items is 12,288 clocks of an A100's tensor cores (1,024 products a
// clock), a split one 9,216. Of a pair the epilogue takes ten integer instructions, counts four of them,
// which run 64 lanes a clock: 2,600 clocks a tile, which the other block of the multiprocessor hides. Split
// tiles of 64 need 43 bytes a clock from the second-level cache, which is about what an A100 has.
//
// fill_kernel stores the tile in shared memory and reads it once by rows and once by columns: of 192 x 192
// pairs (wgmma) 2,300 clocks to store, 2,300 to read, as many for comparisons, and one round trip for an
// atomic operation and what it lets be stored, about 1,500: 22,000 clocks with the 13,824 of the product.
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

// Rows as candidates over the columns' maxima and, if they are counted, as lists of the columns above their
// thresholds.
template <class Shape, bool kCount>
__device__ __forceinline__ void sum_rows(const TileSims<Shape>& sims, const TileSides<Shape>& sides,
                                         TileSums<Shape>& sums) {
  using T = Tile<Shape>;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const int warp = static_cast<int>(threadIdx.x) / kWarp;
#pragma unroll
  for (int i = 0; i < T::kDown; ++i) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const std::int32_t threshold = kCount ? sides.row_threshold[sims.row(i, 2 * half)] : kNoList;
      std::uint32_t sum = 0;
      std::uint32_t count = 0;
#pragma unroll
      for (int j = 0; j < T::kAcross; ++j) {
#pragma unroll
        for (int e = 0; e < 2; ++e) {
          const std::int32_t sim = sims.at[i][j][2 * half + e];
          sum += relu_difference(sim, sides.column_max[sims.column(j, e)]);
          if constexpr (kCount) count += sim > threshold ? 1 : 0;
        }
      }
      Sum value = packed(sum, count);
      value += shuffle_xor(value, 1);
      value += shuffle_xor(value, 2);
      if (lane % 4 == 0) sums.row[warp % Shape::kWarpsAcross][sims.row(i, 2 * half)] = value;
    }
  }
}

template <class Shape, bool kCount>
__device__ __forceinline__ void sum_columns(const TileSims<Shape>& sims, const TileSides<Shape>& sides,
                                            TileSums<Shape>& sums) {
  using T = Tile<Shape>;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const int warp = static_cast<int>(threadIdx.x) / kWarp;
#pragma unroll
  for (int j = 0; j < T::kAcross; ++j) {
#pragma unroll
    for (int e = 0; e < 2; ++e) {
      const std::int32_t threshold = kCount ? sides.column_threshold[sims.column(j, e)] : kNoList;
      std::uint32_t sum = 0;
      std::uint32_t count = 0;
#pragma unroll
      for (int i = 0; i < T::kDown; ++i) {
#pragma unroll
        for (int half = 0; half < 2; ++half) {
          const std::int32_t sim = sims.at[i][j][2 * half + e];
          sum += relu_difference(sim, sides.row_max[sims.row(i, 2 * half)]);
          if constexpr (kCount) count += sim > threshold ? 1 : 0;
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

template <class Shape, bool kCount>
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
  sum_rows<Shape, kCount>(sims, sides, sums);
  if (both) sum_columns<Shape, kCount>(sims, sides, sums);
  sync_block();
  add_sums<Shape>(arguments, place, sums, 0);
}

// Which pairs of a row or of a column of the tile are above its threshold, a bit for each.
template <class Shape>
struct Hits {
  static constexpr int kWords = Shape::kTile / kWarp;
  std::uint32_t word[kWords];
  std::uint32_t count = 0;

  // from: the similarity of the first pair; the next ones are `stride` apart.
  __device__ __forceinline__ Hits(const std::int32_t* from, int stride, std::int32_t threshold) {
#pragma unroll
    for (int w = 0; w < kWords; ++w) {
      word[w] = 0;
#pragma unroll 8
      for (int bit = 0; bit < kWarp; ++bit) {
        if (from[(w * kWarp + bit) * stride] > threshold) word[w] |= 1u << bit;
      }
      count += static_cast<std::uint32_t>(__popc(word[w]));
    }
  }

  // Stores them at `to`; the first pair is with row `id` of the pool.
  __device__ __forceinline__ void store(const std::int32_t* from, int stride, std::int32_t id,
                                        Pair* to) const {
#pragma unroll
    for (int w = 0; w < kWords; ++w) {
      for (std::uint32_t left = word[w]; left != 0; left &= left - 1) {
        const int i = w * kWarp + __ffs(static_cast<int>(left)) - 1;
        *to++ = {static_cast<std::uint32_t>(id + i), from[i * stride]};
      }
    }
  }
};

// A thread takes a row of the tile, or a column: it finds its pairs, takes places for all of them at once in
// the list, and stores them.
template <class Shape>
__global__ void __launch_bounds__(Tile<Shape>::kThreads, Shape::kBlocks)
    fill_kernel(const PassArguments arguments, Pair* pairs, std::int64_t first) {
  constexpr int kRows = Shape::kTile;
  const TilePlace place = arguments.map.at(first + blockIdx.x);
  if (!place.used) return;
  const std::int32_t first_row = place.row * kRows;
  const std::int32_t first_column = place.column * kRows;
  const int thread = static_cast<int>(threadIdx.x);
  const bool row = thread < kRows;
  const PassSide& side = row ? arguments.rows : arguments.columns;
  const int i = row ? thread : thread - kRows;
  const std::int32_t own = (row ? first_row : first_column) + i;
  const bool there = own < side.rows.count && (row || both_sides(arguments, place));
  const std::int32_t source = there ? source_of(side.rows, own) : 0;
  const std::int32_t threshold = there ? side.threshold[source] : kNoList;
  TileSims<Shape> sims;
  compute_similarities<Shape>(shared_memory(), sides_of_stored_tile<Shape>(), arguments.rows.rows, first_row,
                              arguments.columns.rows, first_column, sims);
  const std::int32_t* from = stored_similarities<Shape>(sims) + (row ? i * kSimStride<Shape> : i);
  const int stride = row ? 1 : kSimStride<Shape>;
  const Hits<Shape> hits(from, stride, threshold);
  if (hits.count == 0) return;
  const std::uint32_t at = atomicAdd(side.counts + source, hits.count);
  const std::int32_t id = row ? arguments.columns.begin + first_column : arguments.rows.begin + first_row;
  hits.store(from, stride, id, pairs + side.list_begin[source] + at);
}

template <class Shape>
void launch_pass_of(const PassArguments& arguments, std::int64_t first, std::int64_t count,
                    cudaStream_t stream) {
  const LaunchShape shape{count, Tile<Shape>::kThreads, kTileBytes<Shape>};
  if (arguments.rows.counts != nullptr) {
    launch(pass_kernel<Shape, true>, shape, stream, arguments, first);
  } else {
    launch(pass_kernel<Shape, false>, shape, stream, arguments, first);
  }
}

template <class Shape>
void launch_fill_of(const PassArguments& arguments, Pair* pairs, std::int64_t first, std::int64_t count,
                    cudaStream_t stream) {
  launch(fill_kernel<Shape>, {count, Tile<Shape>::kThreads, kStoredTileBytes<Shape>}, stream, arguments,
         pairs, first);
}

}  // namespace qdit::cuda
