#pragma once

#include <cstdint>

namespace qdit {

// splitmix64 (Steele, Lea, Flood 2014): a bijection of 64 bits that passes BigCrush as a counter generator.
constexpr std::uint64_t mix(std::uint64_t z) {
  z += 0x9e3779b97f4a7c15ULL;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

}  // namespace qdit
