// The pass by wgmma. Its warps hold 16 rows of all columns of a tile, so a lane has few pairs of many
// columns: similarities go into their sums as they come, and sums of columns over lanes take half of the
// columns a step.
//
// A block has a multiprocessor to itself and walks many tiles: 192 x 192 (WgmmaHalfTile) in four stages of 64
// items, or 128 x 128 (WgmmaSplitTile) in three. A thread holds 96 sums of products, or 192 and 32 for the
// totals of a slab; then, of each of its 48 or 32 columns, a sum, and a byte for a count. The loads of the
// next tile's first slabs run beside the epilogue, nothing else does: its time adds up.
//
// Expected from the machine code, not measured: 768 items of a tile are 13,824 clocks of the tensor cores
// (2,048 products a clock), three planes of the smaller one 18,432. A pair takes ten instructions of
// integers: two relus (VIADDMNMX), two sums, and two comparisons with an addition each where pairs are
// counted. They run 64 lanes a clock, not the 128 that the schedulers issue: 5,760 clocks for 36,864 pairs.
// F2I, at 16 lanes a clock, needs 2,304 of its own unit beside that, the columns' sums over lanes and the
// start of a tile about 700. So a tile takes 13,824 + 6,500 clocks, 0.68 of the peak; without counts 13,824 +
// 4,200, 0.77 of it. In split precision it is 18,432 + 3,100. Per clock that is 29 to 37 bytes from the
// second-level cache, 6.7 to 8.5 TB/s of all multiprocessors at 1.75 GHz, which may well be the bound.
#pragma once

#include <algorithm>

#include "cuda/kernels/pass.cuh"

namespace qdit::cuda {

template <class T>
struct alignas(2 * sizeof(T)) Two {
  T at[2];
};
template <class T>
__device__ __forceinline__ const Two<T>& two(const T* from) {
  return *reinterpret_cast<const Two<T>*>(from);
}

// Element i of `half` of the values, for the lanes of a step; the other lanes get theirs.
template <int kCount>
__device__ __forceinline__ void exchange_half(std::uint32_t (&values)[kCount], int count, int mask,
                                              bool upper) {
#pragma unroll
  for (int i = 0; i < kCount / 2; ++i) {
    if (i >= count / 2) break;
    const std::uint32_t keep = upper ? values[i + count / 2] : values[i];
    const std::uint32_t give = upper ? values[i] : values[i + count / 2];
    values[i] = keep + shuffle_xor(give, mask);
  }
}

// What a lane has of the columns of its warp's rows. Columns of a lane are numbered 2 j + e. A column's 16
// contributions fit 31 bits, and their count a byte.
template <class Shape, bool kCount>
struct ColumnSums {
  static constexpr int kColumns = 2 * Tile<Shape>::kAcross;
  static constexpr int kWords = kColumns / 4;
  static_assert(kColumns % 16 == 0);

  std::uint32_t sum[kColumns];
  std::uint32_t count[kWords];

  // Adds up the lanes that share columns, and stores the columns' totals of this warp: each lane those of
  // kColumns / 8 columns.
  __device__ __forceinline__ void store(Sum (&to)[Shape::kTile], int lane) {
    const bool upper16 = (lane & 16) != 0;
    const bool upper8 = (lane & 8) != 0;
    const bool upper4 = (lane & 4) != 0;
    exchange_half(sum, kColumns, 16, upper16);
    exchange_half(sum, kColumns / 2, 8, upper8);
    exchange_half(sum, kColumns / 4, 4, upper4);
    if constexpr (kCount) {
      exchange_half(count, kWords, 16, upper16);
      exchange_half(count, kWords / 2, 8, upper8);
#pragma unroll
      for (int i = 0; i < kWords / 4; ++i) count[i] += shuffle_xor(count[i], 4);
    }
    const int first =
        (upper16 ? kColumns / 2 : 0) + (upper8 ? kColumns / 4 : 0) + (upper4 ? kColumns / 8 : 0);
#pragma unroll
    for (int i = 0; i < kColumns / 8; ++i) {
      const int column = (first + i) / 2 * 8 + lane % 4 * 2 + (first + i) % 2;
      std::uint32_t mine = 0;
      if constexpr (kCount) {
        const int other = i + kColumns / 8;
        mine = upper4 ? count[other / 4] >> (other % 4 * 8) : count[i / 4] >> (i % 4 * 8);
      }
      to[column] = packed(sum[i], mine & 0xffu);
    }
  }
};

// Pairs of rows or columns that are not there have similarity 0: see not_there().
template <class Shape, bool kCount>
__device__ __forceinline__ void sum_similarities(const WgmmaAccumulators<Shape>& acc, bool both,
                                                 const TileSides<Shape>& sides, TileSums<Shape>& sums) {
  using T = Tile<Shape>;
  constexpr int kFlush = 12;  // eights of columns whose contributions to a row fit 32 bits
  const int thread = thread_anew();
  const int lane = thread % kWarp;
  const int warp = thread / kWarp;
  const int first_row = warp * 16 + lane / 4;  // and eight on; columns 8 j + first_column and the next
  const int first_column = lane % 4 * 2;
  ColumnSums<Shape, kCount> column_sums;
  float factor[2];
  std::int32_t max[2];
  std::int32_t threshold[2] = {};
  std::uint32_t row_sum[2] = {};
  std::uint32_t row_count[2] = {};
  Sum total[2] = {};
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const int row = first_row + 8 * half;
    factor[half] = sides.row_factor[row];
    max[half] = sides.row_max[row];
    if constexpr (kCount) threshold[half] = sides.row_threshold[row];
  }
#pragma unroll
  for (int j = 0; j < T::kAcross; ++j) {
    const int first = 8 * j + first_column;
    const Two<float> column_factor = two(sides.column_factor + first);
    const Two<std::int32_t> column_max = two(sides.column_max + first);
    Two<std::int32_t> column_threshold{};
    if constexpr (kCount) column_threshold = two(sides.column_threshold + first);
    std::uint32_t counts = 0;
#pragma unroll
    for (int e = 0; e < 2; ++e) {
      std::uint32_t column_sum = 0;
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const std::int32_t sim = to_fixed(acc.value(0, j, 2 * half + e), factor[half] * column_factor.at[e]);
        row_sum[half] += relu_difference(sim, column_max.at[e]);
        column_sum += relu_difference(sim, max[half]);
        if constexpr (kCount) {
          add_if_above(row_count[half], sim, threshold[half], 1u);
          add_if_above(counts, sim, column_threshold.at[e], 1u << (8 * e));
        }
      }
      column_sums.sum[2 * j + e] = column_sum;
    }
    if constexpr (kCount) {
      if (j % 2 == 0) {
        column_sums.count[j / 2] = counts;
      } else {
        column_sums.count[j / 2] += counts << 16;
      }
    }
    if (j % kFlush == kFlush - 1 || j == T::kAcross - 1) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        total[half] += row_sum[half];
        row_sum[half] = 0;
      }
    }
  }
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    Sum value = total[half] + packed(0, row_count[half]);
    value += shuffle_xor(value, 1);
    value += shuffle_xor(value, 2);
    if (lane % 4 == 0) sums.row[0][first_row + 8 * half] = value;
  }
  if (both) column_sums.store(sums.column[warp], lane);
}

// What the epilogue needs to know of one row or column.
struct Limits {
  float factor;
  std::int32_t max;
  std::int32_t threshold;
};
__device__ __forceinline__ Limits limits_of(const PassSide& side, std::int32_t row) {
  if (row >= side.rows.count) return {0.0f, kNoRowMax, kNoList};
  const std::int32_t source = source_of(side.rows, row);
  return {side.rows.factors[source], side.max[source], side.threshold[source]};
}

// Those of this thread's row or column of a tile.
template <class Shape>
__device__ __forceinline__ Limits own_limits(const PassArguments& arguments, const TilePlace& place) {
  const int thread = static_cast<int>(threadIdx.x);
  if (thread < Shape::kTile) return limits_of(arguments.rows, place.row * Shape::kTile + thread);
  return limits_of(arguments.columns, place.column * Shape::kTile + thread - Shape::kTile);
}

template <class Shape>
__device__ __forceinline__ void store(const Limits& limits, TileSides<Shape>& sides) {
  const int thread = static_cast<int>(threadIdx.x);
  const bool row = thread < Shape::kTile;
  const int i = row ? thread : thread - Shape::kTile;
  (row ? sides.row_factor : sides.column_factor)[i] = limits.factor;
  (row ? sides.row_max : sides.column_max)[i] = limits.max;
  (row ? sides.row_threshold : sides.column_threshold)[i] = limits.threshold;
}

// What the sums of this thread's row or column have too much. Past the ends of the operands rows are zeros
// and so is their factor, hence every similarity with them: above no maximum there is on the other side
// (kNoRowMax), but above thresholds below zero, and counted there.
template <class Shape>
__device__ __forceinline__ Sum not_there(const PassArguments& arguments, const TilePlace& place,
                                         const TileSides<Shape>& sides) {
  const int thread = static_cast<int>(threadIdx.x);
  const bool row = thread < Shape::kTile;
  const std::int32_t end = row ? (place.column + 1) * Shape::kTile - arguments.columns.rows.count
                               : (place.row + 1) * Shape::kTile - arguments.rows.rows.count;
  const std::int32_t threshold =
      row ? sides.row_threshold[thread] : sides.column_threshold[thread - Shape::kTile];
  return end > 0 && threshold < 0 ? packed(0, static_cast<std::uint32_t>(end)) : 0;
}

template <class Shape>
__device__ __forceinline__ Slabs<Shape> slabs_of(const PassArguments& arguments, const TilePlace& place) {
  return {shared_address(shared_memory()), arguments.rows.rows, place.row * Shape::kTile,
          arguments.columns.rows, place.column * Shape::kTile};
}

// The sums have a place of their own here: the pipeline is filled again meanwhile.
template <class Shape>
__device__ __forceinline__ TileSums<Shape>& own_sums() {
  return *reinterpret_cast<TileSums<Shape>*>(shared_memory() + kTileBytes<Shape>);
}
template <class Shape>
inline constexpr std::size_t kPassBytes = kTileBytes<Shape> + sizeof(TileSums<Shape>);
static_assert(kTileBytes<WgmmaHalfTile> % 16 == 0 && kTileBytes<WgmmaSplitTile> % 16 == 0);
static_assert(kPassBytes<WgmmaHalfTile> <= kSharedBytesOf90 &&
              kPassBytes<WgmmaSplitTile> <= kSharedBytesOf90);

// Tiles blockIdx.x, blockIdx.x + gridDim.x, ... of `count` from `first` on.
template <class Shape, bool kCount>
__global__ void __launch_bounds__(Tile<Shape>::kThreads, Shape::kBlocks)
    wide_pass_kernel(const PassArguments arguments, std::int64_t first, std::int32_t count) {
  const auto step = static_cast<std::int32_t>(gridDim.x);
  auto tile = static_cast<std::int32_t>(blockIdx.x);
  TileWalk walk(arguments.map, first + tile);
  TilePlace place;
  // The next tile to compute, from number `tile` on; false if there is none.
  const auto find = [&] {
    for (; tile < count; tile += step, walk.advance(step)) {
      place = walk.place();
      if (place.used) return true;
    }
    return false;
  };
  if (!find()) return;  // the whole block
  start_loading(slabs_of<Shape>(arguments, place));
  Limits limits = own_limits<Shape>(arguments, place);
  TileSides<Shape>& sides = tile_sides<Shape>();
  TileSums<Shape>& sums = own_sums<Shape>();
  for (bool more = true; more;) {
    store(limits, sides);  // those of the tile before are read by their own threads alone by now
    const TilePlace here = place;
    WgmmaAccumulators<Shape> acc;
    multiply_loading(shared_address(shared_memory()), slabs_of<Shape>(arguments, here), acc);
    tile += step;
    walk.advance(step);
    more = find();
    if (more) start_loading(slabs_of<Shape>(arguments, place));
    sum_similarities<Shape, kCount>(acc, both_sides(arguments, here), sides, sums);
    if (more) limits = own_limits<Shape>(arguments, place);  // arrives while the sums are added
    sync_block();
    add_sums<Shape>(arguments, here, sums, kCount ? not_there<Shape>(arguments, here, sides) : 0);
  }
}

template <class Shape>
void launch_wide_pass(const PassArguments& arguments, std::int64_t first, std::int64_t count,
                      cudaStream_t stream) {
  int device = 0;
  int multiprocessors = 0;
  QDIT_CUDA_CHECK(cudaGetDevice(&device));
  QDIT_CUDA_CHECK(cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, device));
  const std::int64_t blocks = std::min<std::int64_t>(count, std::int64_t{Shape::kBlocks} * multiprocessors);
  const LaunchShape shape{blocks, Tile<Shape>::kThreads, kPassBytes<Shape>};
  const auto tiles = static_cast<std::int32_t>(count);
  if (arguments.rows.counts != nullptr) {
    launch(wide_pass_kernel<Shape, true>, shape, stream, arguments, first, tiles);
  } else {
    launch(wide_pass_kernel<Shape, false>, shape, stream, arguments, first, tiles);
  }
}

}  // namespace qdit::cuda
