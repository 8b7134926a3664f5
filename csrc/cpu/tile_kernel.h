// The kernels, written once over a vector type. Included by one file per instruction set, inside its
// anonymous namespace's type `V`, so that no instantiation is shared between files with different compiler
// flags.
//
// V offers: kLanes, F (floats), I (int32), and static functions load, store, broadcast, zero, add, fma, mul,
// to_int (round to nearest even), load_int, store_int, broadcast_int, zero_int, add_int, relu_difference,
// max_int, min_int, transpose (of kLanes vectors), accumulate (adds unsigned 32-bit lanes to int64s in
// memory), greater (a bit per lane), store_selected (numbers and values of the lanes of a mask, packed).
#pragma once

#include "cpu/kernels.h"

namespace {

using qdit::cpu::kDepth;
using qdit::cpu::Kernels;
using qdit::cpu::kMostTileRows;
using qdit::cpu::kRowStride;
using qdit::cpu::Pairs;
using qdit::cpu::Tile;
using qdit::cpu::Uses;

template <class V, int kRows, int kPanels>
struct Accumulators {
  typename V::F at[kRows][kPanels];
};

// One column block: acc[i][j] = sum over k of row_i[k] * panel_j[k], in order.
template <class V, int kRows, int kPanels>
inline __attribute__((always_inline)) void multiply(const float* rows, const float* panel,
                                                    std::size_t panel_stride, int depth,
                                                    Accumulators<V, kRows, kPanels>& acc) {
#pragma GCC unroll 32
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 4
    for (int j = 0; j < kPanels; ++j) acc.at[i][j] = V::zero();
  }
#pragma GCC unroll 2
  for (int k = 0; k < depth; ++k) {
    typename V::F lanes[kPanels];
#pragma GCC unroll 4
    for (int j = 0; j < kPanels; ++j) {
      lanes[j] = V::load(panel + static_cast<std::size_t>(j) * panel_stride);
    }
#pragma GCC unroll 32
    for (int i = 0; i < kRows; ++i) {
      const typename V::F row = V::broadcast(rows[i * kRowStride]);
#pragma GCC unroll 4
      for (int j = 0; j < kPanels; ++j) acc.at[i][j] = V::fma(row, lanes[j], acc.at[i][j]);
    }
    ++rows;
    panel += V::kLanes;
  }
}

// What happens to a finished tile: similarity in fixed point, relu against the running maximum, sums.
template <class V, int kRows, int kPanels>
inline __attribute__((always_inline)) void reduce(const Tile& tile,
                                                  const Accumulators<V, kRows, kPanels>& acc) {
#pragma GCC unroll 4
  for (int j = 0; j < kPanels; ++j) {
    const typename V::F lane_factor = V::load(tile.lane_factor + j * V::kLanes);
    typename V::I gain = V::zero_int();
#pragma GCC unroll 32
    for (int i = 0; i < kRows; ++i) {
      const typename V::F factor = V::mul(V::broadcast(tile.row_factor[i]), lane_factor);
      const typename V::I sim = V::to_int(V::mul(acc.at[i][j], factor));
      // At most 2^27 each, and no tile has more than 16 rows: the sum fits 32 unsigned bits.
      gain = V::add_int(gain, V::relu_difference(sim, V::broadcast_int(tile.row_max[i])));
      if (tile.sims != nullptr) V::store_int(tile.sims + i * tile.sims_stride + j * V::kLanes, sim);
    }
    V::accumulate(gain, tile.gains + j * V::kLanes);
  }
}

template <class V, int kRows, int kPanels>
void tile_kernel(const Tile& tile) {
  static_assert(kRows <= kMostTileRows, "reduce() sums a tile's contributions in 32 bits");
  Accumulators<V, kRows, kPanels> acc;
  const float* rows = tile.rows;
  const float* panel = tile.panel;
  for (int begin = 0;; begin += kDepth) {
    const int depth = tile.depth - begin < kDepth ? tile.depth - begin : kDepth;
    multiply<V, kRows, kPanels>(rows, panel, tile.panel_stride, depth, acc);
    rows += tile.block_stride;
    panel += kDepth * V::kLanes;
    const bool last = begin + kDepth >= tile.depth;
    if (begin == 0 && last) break;
#pragma GCC unroll 32
    for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 4
      for (int j = 0; j < kPanels; ++j) {
        float* partial = tile.partial + (i * kPanels + j) * V::kLanes;
        if (begin > 0) acc.at[i][j] = V::add(V::load(partial), acc.at[i][j]);
        if (!last) V::store(partial, acc.at[i][j]);
      }
    }
    if (last) break;
  }
  reduce<V, kRows, kPanels>(tile, acc);
}

// Products of one row with `count` others, a lane for each of them, transposed as they are read. W is a
// vector type such as V, maybe narrower. Blocks of columns are independent until their totals are added:
// three of them at a time hide most of the latency.
template <class W, int kBlocks>
inline __attribute__((always_inline)) typename W::F add_blocks(const float* row, const float* const* others,
                                                               int begin, int depth, typename W::F total) {
  typename W::F sums[kBlocks];
  for (auto& sum : sums) sum = W::zero();
  int k = begin;
  for (; k + W::kLanes <= begin + depth; k += W::kLanes) {
#pragma GCC unroll 4
    for (int block = 0; block < kBlocks; ++block) {
      typename W::F lanes[W::kLanes];
#pragma GCC unroll 16
      for (int j = 0; j < W::kLanes; ++j) lanes[j] = W::load(others[j] + k + block * kDepth);
      W::transpose(lanes);
#pragma GCC unroll 16
      for (int j = 0; j < W::kLanes; ++j) {
        sums[block] = W::fma(W::broadcast(row[k + block * kDepth + j]), lanes[j], sums[block]);
      }
    }
  }
  for (; k < begin + depth; ++k) {
    float lanes[W::kLanes];
    for (int j = 0; j < W::kLanes; ++j) lanes[j] = others[j][k];
    sums[0] = W::fma(W::broadcast(row[k]), W::load(lanes), sums[0]);
  }
  for (const auto& sum : sums) total = W::add(total, sum);
  return total;
}

template <class W>
void products_kernel(const float* row, const float* const* others, std::size_t count, int depth, float* out) {
  constexpr int kBlocks = 3;
  for (std::size_t first = 0; first < count; first += W::kLanes) {
    const float* some[W::kLanes];
    for (std::size_t j = 0; j < W::kLanes; ++j) some[j] = others[first + j < count ? first + j : first];
    typename W::F total = W::zero();
    int begin = 0;
    for (; begin + kBlocks * kDepth <= depth; begin += kBlocks * kDepth) {
      total = add_blocks<W, kBlocks>(row, some, begin, kDepth, total);
    }
    for (; begin < depth; begin += kDepth) {
      total = add_blocks<W, 1>(row, some, begin, depth - begin < kDepth ? depth - begin : kDepth, total);
    }
    float lanes[W::kLanes];
    W::store(lanes, total);
    for (std::size_t j = 0; j < W::kLanes && first + j < count; ++j) out[first + j] = lanes[j];
  }
}

template <class V>
float estimate_kernel(const float* a, const float* b, int depth) {
  constexpr int kSums = 4;
  typename V::F sums[kSums];
  for (auto& sum : sums) sum = V::zero();
  int k = 0;
  for (; k + kSums * V::kLanes <= depth; k += kSums * V::kLanes) {
#pragma GCC unroll 4
    for (int j = 0; j < kSums; ++j) {
      sums[j] = V::fma(V::load(a + k + j * V::kLanes), V::load(b + k + j * V::kLanes), sums[j]);
    }
  }
  float lanes[V::kLanes];
  V::store(lanes, V::add(V::add(sums[0], sums[1]), V::add(sums[2], sums[3])));
#pragma GCC unroll 4
  for (int width = V::kLanes / 2; width > 0; width /= 2) {
#pragma GCC unroll 8
    for (int lane = 0; lane < width; ++lane) lanes[lane] += lanes[lane + width];
  }
  float total = lanes[0];
  for (; k < depth; ++k) total += a[k] * b[k];
  return total;
}

template <class V>
std::int64_t sum_lanes(const std::int64_t* lanes) {
  std::int64_t sum = 0;
  for (int lane = 0; lane < V::kLanes; ++lane) sum += lanes[lane];
  return sum;
}

// sum of max(0, sims - max); raises max to sims where kRaise.
template <class V, bool kRaise>
std::int64_t stored_gain(const std::int32_t* sims, std::int32_t* max, std::size_t count) {
  constexpr std::size_t kStep = static_cast<std::size_t>(V::kLanes) * 8;
  std::int64_t lanes[V::kLanes] = {};
  std::size_t i = 0;
  for (; i + kStep <= count; i += kStep) {
    typename V::I gain = V::zero_int();
#pragma GCC unroll 16
    for (std::size_t j = 0; j < kStep; j += V::kLanes) {
      const typename V::I sim = V::load_int(sims + i + j);
      const typename V::I m = V::load_int(max + i + j);
      gain = V::add_int(gain, V::relu_difference(sim, m));
      if constexpr (kRaise) V::store_int(max + i + j, V::max_int(sim, m));
    }
    V::accumulate(gain, lanes);
  }
  std::int64_t sum = sum_lanes<V>(lanes);
  for (; i < count; ++i) {
    if (sims[i] <= max[i]) continue;
    sum += static_cast<std::int64_t>(sims[i]) - max[i];
    if constexpr (kRaise) max[i] = sims[i];
  }
  return sum;
}

template <class V>
std::int64_t gain_kernel(const std::int32_t* sims, const std::int32_t* max, std::size_t count) {
  return stored_gain<V, false>(sims, const_cast<std::int32_t*>(max), count);
}

template <class V>
std::int64_t raise_kernel(const std::int32_t* sims, std::int32_t* max, std::size_t count) {
  return stored_gain<V, true>(sims, max, count);
}

// Where the thresholds of above() come from.
template <class V>
struct Each {
  const std::int32_t* at;
  typename V::I vector(std::size_t i) const { return V::load_int(at + i); }
  std::int32_t one(std::size_t i) const { return at[i]; }
};
template <class V>
struct Same {
  std::int32_t value;
  typename V::I vector(std::size_t /*i*/) const { return V::broadcast_int(value); }
  std::int32_t one(std::size_t /*i*/) const { return value; }
};
template <class V>
struct OfUses {
  const Uses& uses;
  typename V::I vector(std::size_t i) const {
    const typename V::I floor = V::min_int(V::broadcast_int(uses.floor), V::load_int(uses.floors + i));
    const typename V::I need = V::min_int(V::broadcast_int(uses.need), V::load_int(uses.needs + i));
    return V::max_int(floor, need);
  }
  std::int32_t one(std::size_t i) const {
    const std::int32_t floor = uses.floors[i] < uses.floor ? uses.floors[i] : uses.floor;
    const std::int32_t need = uses.needs[i] < uses.need ? uses.needs[i] : uses.need;
    return floor > need ? floor : need;
  }
};

template <class V, class Thresholds>
std::size_t collect_above(const std::int32_t* sims, const Thresholds& thresholds, std::size_t count,
                          const Pairs& out) {
  std::size_t found = 0;
  std::size_t i = 0;
  for (; i + V::kLanes <= count; i += V::kLanes) {
    const typename V::I sim = V::load_int(sims + i);
    const unsigned mask = V::greater(sim, thresholds.vector(i));
    if (mask == 0) continue;
    V::store_selected(mask, static_cast<std::uint32_t>(i), sim, out.ids + found, out.sims + found);
    found += static_cast<std::size_t>(__builtin_popcount(mask));
  }
  for (; i < count; ++i) {
    if (sims[i] <= thresholds.one(i)) continue;
    out.ids[found] = static_cast<std::uint32_t>(i);
    out.sims[found] = sims[i];
    ++found;
  }
  return found;
}

template <class V>
std::size_t above_kernel(const std::int32_t* sims, const std::int32_t* thresholds, std::size_t count,
                         const Pairs& out) {
  return collect_above<V>(sims, Each<V>{thresholds}, count, out);
}

template <class V>
std::size_t above_uses_kernel(const std::int32_t* sims, const Uses& uses, std::size_t count,
                              const Pairs& out) {
  return collect_above<V>(sims, OfUses<V>{uses}, count, out);
}

template <class V>
std::size_t above_one_kernel(const std::int32_t* sims, std::int32_t threshold, std::size_t count,
                             const Pairs& out) {
  return collect_above<V>(sims, Same<V>{threshold}, count, out);
}

// For vectors without a compressing store.
template <class V>
void store_selected_one_by_one(unsigned mask, std::uint32_t first, typename V::I values, std::uint32_t* ids,
                               std::int32_t* sims) {
  std::int32_t all[V::kLanes];
  V::store_int(all, values);
  while (mask != 0) {
    const auto lane = static_cast<std::uint32_t>(__builtin_ctz(mask));
    *ids++ = first + lane;
    *sims++ = all[lane];
    mask &= mask - 1;
  }
}

// Half to single precision by integer arithmetic: exact for every finite value, subnormal ones included.
inline float half_to_float(std::uint16_t half) {
  const std::uint32_t magnitude = static_cast<std::uint32_t>(half & 0x7fffu) << 13;
  const std::uint32_t sign = static_cast<std::uint32_t>(half & 0x8000u) << 16;
  float value;
  __builtin_memcpy(&value, &magnitude, sizeof value);
  value *= 0x1p112f;  // the difference of the exponent biases; normalises subnormals on the way
  std::uint32_t bits;
  __builtin_memcpy(&bits, &value, sizeof bits);
  // Infinity and NaN: the exponent all ones again.
  bits |= sign | (magnitude >= 0x0f800000u ? 0x7f800000u : 0u);
  __builtin_memcpy(&value, &bits, sizeof value);
  return value;
}

}  // namespace
