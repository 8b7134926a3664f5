// How rows lie on the device, and the shapes of the tiles that kernels compute.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cuda/kernels/tile_map.h"

namespace qdit::cuda {

inline constexpr int kSlab =
    64;  // items of a row whose products split precision sums before it rounds: 128 bytes
inline constexpr int kRowItems = 8;  // a row is padded to whole 16-byte units
inline constexpr int kUnit = 8;      // items of one 16-byte copy
inline constexpr int kWarp = 32;

// Shared memory: what a block may take on every device from 8.0 on, and on 9.0; what blocks of a
// multiprocessor share on 8.0 (A100), on 8.6 and 8.9 (Ampere without it, Ada) and on 9.0, of which each block
// costs some more.
inline constexpr std::size_t kSharedBytes = 99 * 1024;
inline constexpr std::size_t kSharedBytesOf90 = 227 * 1024;
inline constexpr std::size_t kMultiprocessorBytesOf80 = 164 * 1024;
inline constexpr std::size_t kMultiprocessorBytesOf89 = 100 * 1024;
inline constexpr std::size_t kReservedBytes = 1024;

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

// A shape of tile:
//   kTile          rows and columns of it
//   kWarpsDown, kWarpsAcross   how its warps share it
//   kPlanes        1: float16; 2: split, high * high, high * low and low * high, each summed on its own
//   kSlab, kStages items of a row in a stage of the pipeline, and stages
//   kBlocks        that share a multiprocessor, so that the epilogue of one overlaps the products of the
//   other

// A stage is 16 KB and two are enough: while one block waits for a slab, the other multiplies. So two fit 100
// KB.
struct HalfTile {
  static constexpr Kernels kKernels = Kernels::kMma;
  static constexpr int kBlocks = 2;
  static constexpr int kTile = 128;
  static constexpr int kWarpsDown = 2;
  static constexpr int kWarpsAcross = 4;
  static constexpr int kPlanes = 1;
  static constexpr int kSlab = 32;
  static constexpr int kStages = 2;
};

// Four sums of a tile take 128 registers of a thread, so that tiles are small.
struct SplitTile {
  static constexpr Kernels kKernels = Kernels::kMma;
  static constexpr int kBlocks = 2;
  static constexpr int kTile = 64;
  static constexpr int kWarpsDown = 2;
  static constexpr int kWarpsAcross = 2;
  static constexpr int kPlanes = 2;
  static constexpr int kSlab = 32;
  static constexpr int kStages = 2;
};

// By wgmma a warp holds 16 rows of all columns, as the instruction leaves them. One block has a
// multiprocessor to itself, for a large tile: with 192 rows a byte from the second-level cache serves 96
// operations, with 128 (two blocks) 64. At 400 TFLOP/s that is 4.2 or 6.3 TB/s.
struct WgmmaHalfTile {
  static constexpr Kernels kKernels = Kernels::kWgmma;
  static constexpr int kBlocks = 1;
  static constexpr int kTile = 192;
  static constexpr int kWarpsDown = 12;
  static constexpr int kWarpsAcross = 1;
  static constexpr int kPlanes = 1;
  static constexpr int kSlab = cuda::kSlab;
  static constexpr int kStages = 4;
  static constexpr int kPending = 1;  // slabs that are still multiplied while the next one's products start
};

// As large as its sums let it be: three of the tile and one of some columns take 224 registers of a thread. A
// byte serves 96 operations, three of which make one product; with 64 rows it was half of that.
struct WgmmaSplitTile {
  static constexpr Kernels kKernels = Kernels::kWgmma;
  static constexpr int kBlocks = 1;
  static constexpr int kTile = 128;
  static constexpr int kWarpsDown = 8;
  static constexpr int kWarpsAcross = 1;
  static constexpr int kPlanes = 2;
  static constexpr int kSlab = cuda::kSlab;
  static constexpr int kStages = 3;
  static constexpr int kPending = 1;
};

template <class Shape>
struct Tile {
  static constexpr int kRows = Shape::kTile;
  static constexpr int kThreads = kWarp * Shape::kWarpsDown * Shape::kWarpsAcross;
  static constexpr int kWarpRows = kRows / Shape::kWarpsDown;
  static constexpr int kWarpColumns = kRows / Shape::kWarpsAcross;
  static constexpr int kDown = kWarpRows / 16;  // products of 16 x 8 per warp
  static constexpr int kAcross = kWarpColumns / 8;
  static constexpr int kUnits = Shape::kSlab / kUnit;       // 16-byte units of a row in a stage
  static constexpr int kLoads = kRows * kUnits / kThreads;  // copies of them per thread and plane
  static constexpr int kLoadedRows = kThreads / kUnits;     // rows that all threads copy at a time
  static constexpr int kPlaneBytes = kRows * Shape::kSlab * 2;
  static constexpr int kOperandBytes = Shape::kPlanes * kPlaneBytes;
  static constexpr int kStageBytes = 2 * kOperandBytes;
  static constexpr int kPipelineBytes = Shape::kStages * kStageBytes;
  static_assert(kThreads == 2 * kRows, "a thread per row and per column of the tile");
  static_assert(kRows % kLoadedRows == 0 && kLoadedRows % 8 == 0);
  static_assert(kDown * 16 * Shape::kWarpsDown == kRows && kAcross % 2 == 0);
  static_assert(kSlab % Shape::kSlab == 0);
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

// The place of a 16-byte unit of a row in shared memory, in bytes, with kItems items of each row there. Units
// of eight consecutive rows at one place of the row lie in eight different groups of banks.
template <int kItems = kSlab>
QDIT_HD inline int swizzled(int row, int unit) {
  constexpr int kUnits = kItems / kUnit;
  static_assert(kUnits == 8 || kUnits == 4);
  return row * (kItems * 2) + ((unit ^ (row / (8 / kUnits) & (kUnits - 1))) << 4);
}

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
