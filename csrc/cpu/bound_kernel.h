// The kernels of bounds (prefix.h), written once over a vector type as those of tile_kernel.h are, and
// included in the same way.
//
// V offers beside what those take: load_bytes, store_bytes (the low ones of the lanes), to_float, larger (of
// two floats), and dot: to each sum of 32 bits it adds the products of four bytes of row_0 and lanes_0 and of
// four of row_1 and lanes_1. Of rows bytes are 0 to 127, of lanes -63 to 63: eight such products are at most
// 64,008, and four, as they are added first, fit 16 bits.
#pragma once

#include "cpu/kernels.h"

namespace {

using qdit::cpu::BoundTerms;
using qdit::cpu::BoundTile;
using qdit::cpu::kMostTileRows;
using qdit::cpu::ShortRow;

template <class V>
inline __attribute__((always_inline)) typename V::I broadcast_four(const std::uint8_t* p) {
  std::int32_t four;
  __builtin_memcpy(&four, p, sizeof four);
  return V::broadcast_int(four);
}

// products[i][j] = offset_j + sum over k of row_i[k] * panel_j[k]
template <class V, int kRows>
inline __attribute__((always_inline)) void multiply_short(const BoundTile& tile, int first,
                                                          typename V::I (&products)[kRows][2]) {
  constexpr int kFour = 4 * V::kLanes;  // bytes of four columns
#pragma GCC unroll 8
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 2
    for (int j = 0; j < 2; ++j) products[i][j] = V::load_int(tile.lane_offset + j * V::kLanes);
  }
  const std::uint8_t* rows =
      tile.rows + static_cast<std::size_t>(first) * static_cast<std::size_t>(tile.depth);
  const std::int8_t* panels[2] = {tile.panels,
                                  tile.panels + static_cast<std::size_t>(tile.depth) * V::kLanes};
  for (int k = 0; k < tile.depth; k += 8) {
    typename V::I lanes[2][2];
#pragma GCC unroll 2
    for (int j = 0; j < 2; ++j) {
      lanes[j][0] = V::load_bytes(panels[j]);
      lanes[j][1] = V::load_bytes(panels[j] + kFour);
      panels[j] += 2 * kFour;
    }
#pragma GCC unroll 8
    for (int i = 0; i < kRows; ++i) {
      const std::uint8_t* row = rows + static_cast<std::size_t>(i) * static_cast<std::size_t>(tile.depth);
      const typename V::I low = broadcast_four<V>(row + k);
      const typename V::I high = broadcast_four<V>(row + k + 4);
#pragma GCC unroll 2
      for (int j = 0; j < 2; ++j)
        products[i][j] = V::dot(products[i][j], low, lanes[j][0], high, lanes[j][1]);
    }
  }
}

template <class V>
inline __attribute__((always_inline)) typename V::I bound_of(typename V::I product, const BoundTerms& row,
                                                             const float* lanes) {
  const auto lane = [lanes](int term) { return V::load(lanes + term * V::kLanes); };
  typename V::F sum = V::mul(V::broadcast(row.rest), lane(1));
  sum = V::fma(V::broadcast(row.error), lane(2), sum);
  sum = V::fma(V::broadcast(row.norm), lane(3), sum);
  return V::to_int(V::fma(V::to_float(product), V::mul(V::broadcast(row.scale), lane(0)), sum));
}

// kGroup rows at a time, whose sums are in registers.
template <class V, int kRows, int kGroup>
void bound_kernel(const BoundTile& tile) {
  static_assert(kRows % kGroup == 0 && kRows <= kMostTileRows && 2 * V::kLanes <= 32);
  for (int first = 0; first < kRows; first += kGroup) {
    typename V::I products[kGroup][2];
    multiply_short<V, kGroup>(tile, first, products);
#pragma GCC unroll 8
    for (int i = 0; i < kGroup; ++i) {
      const int row = first + i;
      std::uint32_t over = 0;
#pragma GCC unroll 2
      for (int j = 0; j < 2; ++j) {
        const typename V::I bound =
            bound_of<V>(products[i][j], tile.row_terms[row], tile.lane_terms + j * 4 * V::kLanes);
        if (tile.bounds != nullptr) {
          V::store_int(tile.bounds + static_cast<std::size_t>(row) * tile.bounds_stride + j * V::kLanes,
                       bound);
          continue;
        }
        const typename V::I max =
            V::min_int(V::broadcast_int(tile.row_max[row]), V::load_int(tile.lane_max + j * V::kLanes));
        over |= static_cast<std::uint32_t>(V::greater(bound, max)) << (j * V::kLanes);
      }
      if (tile.bounds == nullptr) tile.over[row] = over;
    }
  }
}

// Calls work(k, numbers) for all of a row, kLanes at a time, with zeros behind the last one.
template <class V, class Work>
inline __attribute__((always_inline)) void for_each_lanes(const float* row, int depth, const Work& work) {
  int k = 0;
  for (; k + V::kLanes <= depth; k += V::kLanes) work(k, V::load(row + k));
  if (k == depth) return;
  float last[V::kLanes] = {};
  for (int i = 0; k + i < depth; ++i) last[i] = row[k + i];
  work(k, V::load(last));
}

template <class V>
inline float sum_floats(typename V::F x) {
  float lanes[V::kLanes];
  V::store(lanes, x);
  float sum = 0.0f;
  for (const float lane : lanes) sum += lane;
  return sum;
}

// Writes whole vectors.
template <class V, int kLimit>
ShortRow shorten_kernel(const float* row, int depth, std::uint8_t* to) {
  typename V::F largest = V::zero();
  const typename V::F minus = V::broadcast(-1.0f);
  for_each_lanes<V>(row, depth, [&](int, typename V::F x) {
    largest = V::larger(largest, V::larger(x, V::mul(minus, x)));
  });
  float lanes[V::kLanes];
  V::store(lanes, largest);
  float most = 0.0f;
  for (const float x : lanes) most = x > most ? x : most;
  const bool room = most > 0x1p-60f && most < 0x1p60f;
  const float step = room ? most / static_cast<float>(kLimit) : 0.0f;
  const typename V::F inverse = V::broadcast(room ? static_cast<float>(kLimit) / most : 0.0f);
  const typename V::F back = V::broadcast(-step);
  const typename V::I zero = V::broadcast_int(kLimit + 1);
  typename V::F errors = V::zero();
  typename V::F squares = V::zero();
  for_each_lanes<V>(row, depth, [&](int k, typename V::F x) {
    const typename V::I multiple = V::to_int(V::mul(x, inverse));
    V::store_bytes(to + k, V::add_int(multiple, zero));
    const typename V::F left = V::fma(V::to_float(multiple), back, x);
    errors = V::fma(left, left, errors);
    squares = V::fma(x, x, squares);
  });
  return {step, sum_floats<V>(errors), sum_floats<V>(squares)};
}

template <class V>
std::int32_t short_product_kernel(const std::uint8_t* a, const std::int8_t* b) {
  constexpr int kBytes = 4 * V::kLanes;
  typename V::I sum = V::zero_int();
#pragma GCC unroll 2
  for (int k = 0; k < 256; k += 2 * kBytes) {
    sum = V::dot(sum, V::load_bytes(a + k), V::load_bytes(b + k), V::load_bytes(a + k + kBytes),
                 V::load_bytes(b + k + kBytes));
  }
  std::int32_t lanes[V::kLanes];
  V::store_int(lanes, sum);
  std::int32_t total = 0;
  for (int lane = 0; lane < V::kLanes; ++lane) total += lanes[lane];
  return total;
}

}  // namespace
