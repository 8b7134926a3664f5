// What wgmma is told of an operand in shared memory, and where it finds its items.
//
// PTX ISA, "Asynchronous Warpgroup Level Matrix Instructions": matrix descriptor, and the layouts with items
// along the summed dimension next to each other ("K-major"), which both operands have here.
#pragma once

#include <cstdint>

#include "engine/host_device.h"

namespace qdit::cuda {

enum class Swizzle : std::uint32_t { kNone = 0, k128 = 1, k64 = 2, k32 = 3 };

// A descriptor's fields; addresses and offsets in bytes, multiples of 16 below 2^18.
struct WgmmaOperand {
  std::uint32_t start = 0;    // address in shared memory
  std::uint32_t leading = 0;  // from eight bytes' worth of items to the next; without swizzle only
  std::uint32_t stride = 0;   // from eight rows to the next eight
  std::uint32_t base = 0;     // where the swizzle's pattern starts, in rows of 128 bytes modulo 8
  Swizzle swizzle = Swizzle::kNone;
};

// Bits 0-13 start, 16-29 leading, 32-45 stride (all / 16), 49-51 base offset, 62-63 swizzle.
QDIT_HD inline std::uint64_t encode(const WgmmaOperand& operand) {
  const auto field = [](std::uint32_t bytes) { return static_cast<std::uint64_t>((bytes & 0x3ffffu) >> 4); };
  return field(operand.start) | field(operand.leading) << 16 | field(operand.stride) << 32 |
         static_cast<std::uint64_t>(operand.base & 7u) << 49 |
         static_cast<std::uint64_t>(operand.swizzle) << 62;
}

QDIT_HD inline WgmmaOperand decode(std::uint64_t descriptor) {
  const auto field = [descriptor](int shift) {
    return static_cast<std::uint32_t>(descriptor >> shift & 0x3fffu) << 4;
  };
  return {field(0), field(16), field(32), static_cast<std::uint32_t>(descriptor >> 49 & 7u),
          static_cast<Swizzle>(descriptor >> 62)};
}

// Where in shared memory byte `byte` (0 .. 31: sixteen halves) of row `row` lies. A swizzle exchanges units
// of 16 bytes by address bits: bits 4 up are flipped by bits 7 up, three of them, two or one.
QDIT_HD inline std::uint32_t operand_byte(const WgmmaOperand& operand, int row, int byte) {
  const auto r = static_cast<std::uint32_t>(row);
  const auto b = static_cast<std::uint32_t>(byte);
  const std::uint32_t group = operand.start + r / 8 * operand.stride;
  if (operand.swizzle == Swizzle::kNone) return group + b / 16 * operand.leading + r % 8 * 16 + b % 16;
  const int bits = 4 - static_cast<int>(operand.swizzle);  // 3 of 128 bytes, 2 of 64, 1 of 32
  const std::uint32_t plain = group + (r % 8 << (4 + bits)) + b;
  const std::uint32_t phase = ((plain >> 7) - operand.base) & ((1u << bits) - 1);
  return plain ^ phase << 4;
}

// Items 16 k .. 16 k + 15 of the rows of a slab: rows of 128 bytes, swizzled as swizzled() in layout.h does.
// The slab starts at a multiple of 1024, where the pattern starts; so k only moves the start. With a swizzle
// of the rows' whole length nothing reads the leading offset.
QDIT_HD inline std::uint64_t slab_descriptor(std::uint32_t slab, int k) {
  WgmmaOperand operand;
  operand.start = slab + static_cast<std::uint32_t>(k) * 32;
  operand.leading = 16;
  operand.stride = 1024;
  operand.swizzle = Swizzle::k128;
  return encode(operand);
}

}  // namespace qdit::cuda
