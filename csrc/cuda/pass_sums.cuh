// Sums of a tile of the pass whose warps hold 16 rows of all columns, as wgmma leaves them.
//
// A lane has few pairs of many columns here, so similarities go into their sums as they come, and sums of
// columns over lanes take half of the columns a step. Per pair: two roundings, one conversion, 7 integer
// operations for both sides and 2 for the columns' sums; at 64 a clock, 36,864 pairs take some 5,000 clocks
// of a multiprocessor, beside 13,824 for the product of 768 items at the tensor cores' full rate.
#pragma once

#include "cuda/kernels.h"
#include "cuda/product.cuh"

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
template <class Shape>
struct ColumnSums {
  static constexpr int kColumns = 2 * Tile<Shape>::kAcross;
  static constexpr int kWords = kColumns / 4;
  static_assert(kColumns % 16 == 0);

  std::uint32_t sum[kColumns];
  std::uint32_t count[kWords];

  // Adds up the lanes that share columns, and stores the columns' totals of this warp: each lane those of
  // kColumns / 8 columns.
  __device__ __forceinline__ void store(Sum (&to)[Shape::kTile]) {
    const int lane = static_cast<int>(threadIdx.x) % kWarp;
    const bool upper16 = (lane & 16) != 0;
    const bool upper8 = (lane & 8) != 0;
    const bool upper4 = (lane & 4) != 0;
    exchange_half(sum, kColumns, 16, upper16);
    exchange_half(sum, kColumns / 2, 8, upper8);
    exchange_half(sum, kColumns / 4, 4, upper4);
    exchange_half(count, kWords, 16, upper16);
    exchange_half(count, kWords / 2, 8, upper8);
#pragma unroll
    for (int i = 0; i < kWords / 4; ++i) count[i] += shuffle_xor(count[i], 4);
    const int first =
        (upper16 ? kColumns / 2 : 0) + (upper8 ? kColumns / 4 : 0) + (upper4 ? kColumns / 8 : 0);
#pragma unroll
    for (int i = 0; i < kColumns / 8; ++i) {
      const int other = i + kColumns / 8;
      const std::uint32_t mine = upper4 ? count[other / 4] >> (other % 4 * 8) : count[i / 4] >> (i % 4 * 8);
      const int column = (first + i) / 2 * 8 + lane % 4 * 2 + (first + i) % 2;
      to[column] = packed(sum[i], mine & 0xffu);
    }
  }
};

// kAtEnd: some rows or columns of the tile are not there.
template <class Shape, bool kAtEnd>
__device__ __forceinline__ void sum_similarities(const WgmmaAccumulators<Shape>& acc, int rows, int columns,
                                                 bool both, const TileSides<Shape>& sides,
                                                 TileSums<Shape>& sums) {
  using T = Tile<Shape>;
  using Sims = TileSims<Shape>;
  constexpr int kFlush = 12;  // eights of columns whose contributions to a row fit 32 bits
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const int warp = static_cast<int>(threadIdx.x) / kWarp;
  ColumnSums<Shape> column_sums;
  float factor[2];
  std::int32_t max[2];
  std::int32_t threshold[2];
  std::uint32_t row_sum[2] = {};
  std::uint32_t row_count[2] = {};
  Sum total[2] = {};
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const int row = Sims::row(0, 2 * half);
    factor[half] = sides.row_factor[row];
    max[half] = sides.row_max[row];
    threshold[half] = sides.row_threshold[row];
  }
#pragma unroll
  for (int j = 0; j < T::kAcross; ++j) {
    const int first = Sims::column(j, 0);
    const Two<float> column_factor = two(sides.column_factor + first);
    const Two<std::int32_t> column_max = two(sides.column_max + first);
    const Two<std::int32_t> column_threshold = two(sides.column_threshold + first);
    std::uint32_t counts = 0;
#pragma unroll
    for (int e = 0; e < 2; ++e) {
      std::uint32_t column_sum = 0;
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        std::int32_t sim = to_fixed(acc.value(0, j, 2 * half + e), factor[half] * column_factor.at[e]);
        if constexpr (kAtEnd) {
          if (Sims::row(0, 2 * half) >= rows || first + e >= columns) sim = kNoPair;
        }
        row_sum[half] += relu_difference(sim, column_max.at[e]);
        row_count[half] += sim > threshold[half] ? 1 : 0;
        column_sum += relu_difference(sim, max[half]);
        counts += sim > column_threshold.at[e] ? 1u << (8 * e) : 0u;
      }
      column_sums.sum[2 * j + e] = column_sum;
    }
    if (j % 2 == 0) {
      column_sums.count[j / 2] = counts;
    } else {
      column_sums.count[j / 2] += counts << 16;
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
    if (lane % 4 == 0) sums.row[0][Sims::row(0, 2 * half)] = value;
  }
  if (both) column_sums.store(sums.column[warp]);
}

template <class Shape>
__device__ __forceinline__ void sum_wide_tile(const PassArguments& arguments, std::int32_t first_row,
                                              std::int32_t first_column, bool both, TileSides<Shape>& sides,
                                              TileSums<Shape>& sums) {
  const Operand& rows = arguments.rows.rows;
  const Operand& columns = arguments.columns.rows;
  load_factors<Shape>(sides, rows, first_row, columns, first_column);
  WgmmaAccumulators<Shape> acc;
  multiply<Shape>(shared_address(shared_memory()), rows, first_row, columns, first_column, acc);
  const int row_count = rows.count - first_row;
  const int column_count = columns.count - first_column;
  if (row_count < Shape::kTile || column_count < Shape::kTile) {
    sum_similarities<Shape, true>(acc, row_count, column_count, both, sides, sums);
  } else {
    sum_similarities<Shape, false>(acc, row_count, column_count, both, sides, sums);
  }
}

}  // namespace qdit::cuda
