// The table of hot kernels that each instruction set fills in. Plain data only: this header is compiled with
// different flags in different files, so it must not define a function that the linker could merge.
#pragma once

#include <cstddef>
#include <cstdint>

namespace qdit::cpu {

// Products are summed over blocks of kDepth columns: within a block in column order by fused multiply-add
// into one accumulator, then block totals in order. Every kernel keeps to this, so a similarity has the same
// bits wherever its pair lands. Three short sums also round less than one long one.
inline constexpr int kDepth = 256;
// Floats from one decoded row to the next: a constant for the addressing, not a multiple of the page size.
inline constexpr int kRowStride = kDepth + 16;
// Padding rows get this as their running maximum, and so never contribute. In 26-bit fixed point no
// similarity comes near it, and s - m cannot wrap.
inline constexpr std::int32_t kPaddingMax = 1 << 30;
inline constexpr int kMostTileRows = 16;  // contributions of a tile are summed in 32 bits

struct Tile {
  // Decoded pool rows: column block b of row i starts at rows + b * block_stride + i * kRowStride.
  const float* rows;
  std::size_t block_stride;
  const float* row_factor;      // per row: similarity = dot * (row_factor * lane_factor)
  const std::int32_t* row_max;  // per row: running maximum m_v
  // Packed candidates: panel[k * lanes + lane]; the second panel (wide tiles) starts at panel + panel_stride.
  const float* panel;
  std::size_t panel_stride;
  const float* lane_factor;
  int depth;            // columns d
  float* partial;       // scratch for block totals: tile_rows * 2 * lanes
  std::int64_t* gains;  // per lane: sum over the tile's rows of max(0, s - m) is added
  std::int32_t* sims;   // if not null: s of row i and lane j goes to sims[i * sims_stride + j]
  std::size_t sims_stride;
};

// What the bound of two rows (prefix.h) takes of each beside its short integers: with the terms of one and
// the other, it is their product * scale * scale + rest * rest + error * norm + norm * error.
struct BoundTerms {
  float scale;
  float rest;
  float error;
  float norm;
};

// A tile of bounds, always two panels wide. Integers: every instruction set finds the same product.
struct BoundTile {
  const std::uint8_t* rows;  // row i starts at rows + i * depth; at most 127 each
  const BoundTerms* row_terms;
  const std::int32_t* row_max;
  // Panel p starts at panels + p * depth * lanes; column k of a lane is panel[(k / 4 * lanes + lane) * 4 + k
  // % 4], -63 to 63.
  const std::int8_t* panels;
  const std::int32_t* lane_offset;  // is added to the products of a lane
  // scale, rest, norm and error of all lanes of the first panel, then those of the second
  const float* lane_terms;
  int depth;  // columns, a multiple of 64
  // Where the bounds go, in fixed point, and by how many one row is after another; or null, and
  std::int32_t* bounds;
  std::size_t bounds_stride;
  // bit j of over[i] says that the bound of row i and lane j is above row_max[i] or above lane_max[j].
  const std::int32_t* lane_max;
  std::uint32_t* over;
};

// Whole rows as short integers: what is stored of a number is its multiple of `step`, from -limit to limit,
// plus limit + 1.
struct ShortRow {
  float step;           // 0 where float32 has no room for one: all multiples are then 0
  float squared_error;  // the sum of the squares of what that leaves
  float squared;        // and of the row
};

// Alive pairs of one row: numbers of the others, and similarities.
struct Pairs {
  std::uint32_t* ids;
  std::int32_t* sims;
};

// What a similarity must be above to be of use to a row or to one of some others: above the floor of either
// of the two, and no less than what the list of either takes: above a number of each, `need`.
struct Uses {
  const std::int32_t* floors;  // of the others
  const std::int32_t* needs;
  std::int32_t floor;  // of the row
  std::int32_t need;
};

struct Kernels {
  const char* name;
  int tile_rows;                // rows of a tile
  int lanes;                    // candidates of a panel
  void (*narrow)(const Tile&);  // one panel
  void (*wide)(const Tile&);    // two panels
  void (*bounds)(const BoundTile&);
  // The product of two short rows of 256 columns.
  std::int32_t (*short_product)(const std::uint8_t* a, const std::int8_t* b);
  double short_cost;  // of a column of bounds, in columns of wide()
  // A row as multiples that `bounds` takes, of at most short_limit.
  ShortRow (*shorten)(const float* row, int depth, std::uint8_t* to);
  int short_limit;
  void (*decode_float16)(const std::uint16_t* from, float* to, std::size_t count);
  // Dot products of a decoded row with others, with the bits that tiles give them.
  void (*products)(const float* row, const float* const* others, std::size_t count, int depth, float* out);
  // The dot product of two in the order that is fastest: it differs by rounding.
  float (*estimate)(const float* a, const float* b, int depth);
  // sum of max(0, sims - max)
  std::int64_t (*gain)(const std::int32_t* sims, const std::int32_t* max, std::size_t count);
  // the same, and max = max(max, sims)
  std::int64_t (*raise)(const std::int32_t* sims, std::int32_t* max, std::size_t count);
  // Writes number and similarity of every item above its threshold to `out`, in order; returns how many. Both
  // outputs need room for count + lanes.
  std::size_t (*above)(const std::int32_t* sims, const std::int32_t* thresholds, std::size_t count,
                       const Pairs& out);
  // The same of all that is above min(floor, floors[i]) and above min(need, needs[i]).
  std::size_t (*above_uses)(const std::int32_t* sims, const Uses& uses, std::size_t count, const Pairs& out);
  // The same with one threshold for all.
  std::size_t (*above_one)(const std::int32_t* sims, std::int32_t threshold, std::size_t count,
                           const Pairs& out);
};

const Kernels* baseline_kernels();
#if defined(QDIT_BUILD_X86)
const Kernels* avx2_kernels();
const Kernels* avx512_kernels();
const Kernels* avx512vnni_kernels();
#endif
#if defined(QDIT_BUILD_NEON)
const Kernels* neon_kernels();
#endif

}  // namespace qdit::cpu
