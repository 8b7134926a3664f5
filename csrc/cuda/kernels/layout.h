// How rows lie on the device, and the shapes of the tiles that kernels compute.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cuda/kernels/tile_map.h"

namespace qdit::cuda {

inline constexpr int kSlab = 64;     // items of a row that are multiplied per pipeline stage: 128 bytes
inline constexpr int kRowItems = 8;  // a row is padded to whole 16-byte units
inline constexpr int kUnit = 8;      // items of one 16-byte copy
inline constexpr int kWarp = 32;
inline constexpr std::size_t kSharedBytes = 99 * 1024;  // what a block may take on every device from 8.0 on
inline constexpr std::size_t kSharedBytesOf90 = 227 * 1024;  // and on 9.0

// Rows as halves, high plane and, in split precision, low plane.
struct Operand {
  const std::uint16_t* high = nullptr;
  const std::uint16_t* low = nullptr;
  const float* factors = nullptr;     // similarity in fixed point = dot product * (factor * factor)
  const std::int32_t* ids = nullptr;  // row i of the operand is row ids[i]; null: row i
  std::int32_t count = 0;
  std::int32_t stride = 0;  // items from one row to the next, a multiple of kRowItems
  std::int32_t depth = 0;   // items that count, a multiple of kRowItems; the last may be zeros
};

// Which instruction multiplies. mma.sync is there from 8.0 on; wgmma on 9.0 alone, whose tensor cores
// mma.sync does not keep busy.
enum class Kernels : std::int32_t { kMma, kWgmma };

// float16: one product per item pair. Two blocks share a multiprocessor, so that the epilogue of one overlaps
// the products of the other.
struct HalfTile {
  static constexpr Kernels kKernels = Kernels::kMma;
  static constexpr int kBlocks = 2;  // that share a multiprocessor
  static constexpr int kTile = 128;
  static constexpr int kWarpsDown = 2;
  static constexpr int kWarpsAcross = 4;
  static constexpr int kPlanes = 1;
  static constexpr int kStages = 3;
};

// split: high * high, high * low and low * high, each summed on its own.
struct SplitTile {
  static constexpr Kernels kKernels = Kernels::kMma;
  static constexpr int kBlocks = 2;
  static constexpr int kTile = 64;
  static constexpr int kWarpsDown = 2;
  static constexpr int kWarpsAcross = 2;
  static constexpr int kPlanes = 2;
  static constexpr int kStages = 3;
};

// The same by wgmma: a warp holds 16 rows of all columns, as the instruction leaves them. One block has a
// multiprocessor to itself, for a large tile: with 192 rows a byte from the second-level cache serves 96
// operations, with 128 (two blocks) 64. At 400 TFLOP/s that is 4.2 or 6.3 TB/s.
struct WgmmaHalfTile {
  static constexpr Kernels kKernels = Kernels::kWgmma;
  static constexpr int kBlocks = 1;
  static constexpr int kTile = 192;
  static constexpr int kWarpsDown = 12;
  static constexpr int kWarpsAcross = 1;
  static constexpr int kPlanes = 1;
  static constexpr int kStages = 4;
  static constexpr int kPending = 1;  // slabs that are still multiplied while the next one's products start
};

// Slab totals are added up by the threads, so no products are under way from one slab to the next.
struct WgmmaSplitTile {
  static constexpr Kernels kKernels = Kernels::kWgmma;
  static constexpr int kBlocks = 2;
  static constexpr int kTile = 64;
  static constexpr int kWarpsDown = 4;
  static constexpr int kWarpsAcross = 1;
  static constexpr int kPlanes = 2;
  static constexpr int kStages = 3;
  static constexpr int kPending = 0;
};

template <class Shape>
struct Tile {
  static constexpr int kRows = Shape::kTile;
  static constexpr int kThreads = kWarp * Shape::kWarpsDown * Shape::kWarpsAcross;
  static constexpr int kWarpRows = kRows / Shape::kWarpsDown;
  static constexpr int kWarpColumns = kRows / Shape::kWarpsAcross;
  static constexpr int kDown = kWarpRows / 16;  // products of 16 x 8 per warp
  static constexpr int kAcross = kWarpColumns / 8;
  static constexpr int kLoads = kRows * (kSlab / kUnit) / kThreads;  // 16-byte copies per thread and plane
  static constexpr int kPlaneBytes = kRows * kSlab * 2;
  static constexpr int kOperandBytes = Shape::kPlanes * kPlaneBytes;
  static constexpr int kStageBytes = 2 * kOperandBytes;
  static constexpr int kPipelineBytes = Shape::kStages * kStageBytes;
  static_assert(kThreads == 2 * kRows, "a thread per row and per column of the tile");
  static_assert(kRows * (kSlab / kUnit) % kThreads == 0 && (kThreads / 8) % 8 == 0);
  static_assert(kDown * 16 * Shape::kWarpsDown == kRows && kAcross % 2 == 0);
};

enum class Precision : std::int32_t { kHalf, kSplit };

// How similarities are computed: the same for all kernels of an engine, so that s(c, v) has the same bits.
struct Arithmetic {
  Precision precision = Precision::kHalf;
  Kernels kernels = Kernels::kMma;
};

inline std::int64_t tile_rows(const Arithmetic& how) {
  if (how.kernels == Kernels::kWgmma) {
    return how.precision == Precision::kHalf ? WgmmaHalfTile::kTile : WgmmaSplitTile::kTile;
  }
  return how.precision == Precision::kHalf ? HalfTile::kTile : SplitTile::kTile;
}

// The place of a 16-byte unit of a row in shared memory, in bytes. Units of eight consecutive rows at one
// place of the row lie in eight different groups of banks.
QDIT_HD inline int swizzled(int row, int unit) { return row * (kSlab * 2) + ((unit ^ (row & 7)) << 4); }

struct alignas(8) Pair {
  std::uint32_t id;
  std::int32_t sim;
};

// Alive pairs of every row v: pairs[begin[v]] .. pairs[begin[v] + count[v]], each a candidate with s(c, v).
struct Lists {
  Pair* pairs = nullptr;
  const std::int64_t* begin = nullptr;
  std::uint32_t* count = nullptr;
  const std::int32_t* threshold = nullptr;  // every pair above it is listed
};

}  // namespace qdit::cuda
