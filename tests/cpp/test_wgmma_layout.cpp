// What wgmma is told of operands in shared memory: descriptors and swizzles by hand from the PTX ISA.
#include <cstdint>

#include "check.h"
#include "cuda/kernels/layout.h"
#include "cuda/kernels/wgmma_layout.h"

using namespace qdit::cuda;

// By hand from the PTX ISA's table of the matrix descriptor.
TEST(descriptors_have_the_fields_of_the_isa) {
  // 0xc400 / 16 = 0xc40, and 32 bytes for each k; 16 / 16 = 1 in bits 16-29; 1024 / 16 = 0x40 in bits 32-45;
  // 128-byte swizzle: 1 in bits 62-63.
  CHECK(slab_descriptor(0xc400, 0) == 0x4000'0040'0001'0c40u);
  CHECK(slab_descriptor(0xc400, 3) == 0x4000'0040'0001'0c46u);
  CHECK(slab_descriptor(0x3fc00, 1) == 0x4000'0040'0001'3fc2u);  // the last 1024 bytes that can be named
  CHECK(encode({0x10, 0x20, 0x30, 5, Swizzle::k32}) == 0xc00a'0003'0002'0001u);
  CHECK(encode({0, 0x3fff0, 0, 0, Swizzle::k64}) == 0x8000'0000'3fff'0000u);
  const WgmmaOperand operand = decode(0xc00a'0003'0002'0001u);
  CHECK(operand.start == 0x10 && operand.leading == 0x20 && operand.stride == 0x30 && operand.base == 5);
  CHECK(operand.swizzle == Swizzle::k32);
}

// The order of 16-byte units in eight rows, as the PTX ISA draws the swizzling modes.
TEST(swizzles_are_those_of_the_isa) {
  const int of128[8][8] = {{0, 1, 2, 3, 4, 5, 6, 7}, {1, 0, 3, 2, 5, 4, 7, 6}, {2, 3, 0, 1, 6, 7, 4, 5},
                           {3, 2, 1, 0, 7, 6, 5, 4}, {4, 5, 6, 7, 0, 1, 2, 3}, {5, 4, 7, 6, 1, 0, 3, 2},
                           {6, 7, 4, 5, 2, 3, 0, 1}, {7, 6, 5, 4, 3, 2, 1, 0}};
  const int of64[8][4] = {{0, 1, 2, 3}, {0, 1, 2, 3}, {1, 0, 3, 2}, {1, 0, 3, 2},
                          {2, 3, 0, 1}, {2, 3, 0, 1}, {3, 2, 1, 0}, {3, 2, 1, 0}};
  const int of32[8][2] = {{0, 1}, {0, 1}, {0, 1}, {0, 1}, {1, 0}, {1, 0}, {1, 0}, {1, 0}};
  for (int row = 0; row < 8; ++row) {
    for (int unit = 0; unit < 8; ++unit) {
      const auto at = [&](Swizzle swizzle, int width) {
        const auto start = static_cast<std::uint32_t>(4096 + unit / 2 * 32);
        const WgmmaOperand operand{start, 0, 1024, 0, swizzle};
        return static_cast<int>(operand_byte(operand, row, unit % 2 * 16)) - 4096 - row * width * 16;
      };
      CHECK(at(Swizzle::k128, 8) == 16 * of128[row][unit]);
      if (unit < 4) CHECK(at(Swizzle::k64, 4) == 16 * of64[row][unit]);
      if (unit < 2) CHECK(at(Swizzle::k32, 2) == 16 * of32[row][unit]);
    }
  }
  // Without swizzle: core matrices of eight rows of 16 bytes.
  const WgmmaOperand plain{1024, 256, 512, 0, Swizzle::kNone};
  CHECK(operand_byte(plain, 0, 0) == 1024 && operand_byte(plain, 3, 6) == 1024 + 48 + 6);
  CHECK(operand_byte(plain, 1, 18) == 1024 + 256 + 16 + 2 &&
        operand_byte(plain, 17, 0) == 1024 + 2 * 512 + 16);
  // A pattern that starts 384 bytes after a multiple of 1024 has base offset 3.
  const WgmmaOperand moved{1024 + 384, 0, 1024, 3, Swizzle::k128};
  CHECK(operand_byte(moved, 0, 0) == 1024 + 384 && operand_byte(moved, 1, 0) == 1024 + 512 + 16);
}

TEST(wgmma_finds_what_the_loader_stores) {
  for (const std::uint32_t slab : {0u, 1024u, 3u * 49152u}) {
    for (int k = 0; k < kSlab / 16; ++k) {
      const WgmmaOperand operand = decode(slab_descriptor(slab, k));
      for (int row = 0; row < WgmmaHalfTile::kTile; ++row) {
        for (int byte = 0; byte < 32; ++byte) {
          const int wanted = swizzled(row, 2 * k + byte / 16) + byte % 16;
          CHECK(operand_byte(operand, row, byte) == slab + static_cast<std::uint32_t>(wanted));
        }
      }
    }
  }
}

TEST(slabs_of_wgmma_start_where_its_swizzle_does) {
  CHECK(Tile<WgmmaHalfTile>::kStageBytes % 1024 == 0 && Tile<WgmmaHalfTile>::kPlaneBytes % 1024 == 0);
  CHECK(Tile<WgmmaSplitTile>::kStageBytes % 1024 == 0 && Tile<WgmmaSplitTile>::kPlaneBytes % 1024 == 0);
  CHECK(Tile<WgmmaSplitTile>::kPlaneBytes / 2 % 1024 == 0);  // half of its columns are multiplied at a time
  CHECK(Tile<WgmmaHalfTile>::kPipelineBytes <= (1 << 18));   // what a descriptor can name
  CHECK(Tile<WgmmaSplitTile>::kPipelineBytes <= (1 << 18));
  CHECK(tile_rows({Precision::kHalf, Kernels::kWgmma}) == 192 &&
        tile_rows({Precision::kHalf, Kernels::kMma}) == 128);
  CHECK(tile_rows({Precision::kSplit, Kernels::kWgmma}) == 128 &&
        tile_rows({Precision::kSplit, Kernels::kMma}) == 64);
}

int main() { return check::run(); }
