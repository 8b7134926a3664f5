// Which tile of similarities a thread block computes.
//
// Tiles are walked square by square of kSquare x kSquare tiles, so that blocks that run at the same time
// share rows in the second-level cache. Of a symmetric matrix only the squares on and above the diagonal are
// walked; in those on it the tiles below it are skipped.
#pragma once

#include <math.h>

#include <cstdint>

#include "engine/host_device.h"

namespace qdit::cuda {

inline constexpr int kSquare = 16;

struct TilePlace {
  std::int32_t row = 0;
  std::int32_t column = 0;
  bool used = false;
};

struct TileMap {
  std::int32_t rows = 0;     // in tiles
  std::int32_t columns = 0;  // in tiles; equal to rows where symmetric
  bool symmetric = false;

  QDIT_HD std::int64_t squares() const {
    const std::int64_t down = (rows + kSquare - 1) / kSquare;
    const std::int64_t across = (columns + kSquare - 1) / kSquare;
    return symmetric ? across * (across + 1) / 2 : down * across;
  }

  // Tile number `index` of squares() * kSquare * kSquare.
  QDIT_HD TilePlace at(std::int64_t index) const {
    const std::int64_t square = index / (kSquare * kSquare);
    const auto inside = static_cast<std::int32_t>(index % (kSquare * kSquare));
    std::int64_t down;
    std::int64_t across;
    if (symmetric) {
      across = column_of(square);
      down = square - across * (across + 1) / 2;
    } else {
      const std::int64_t height = (rows + kSquare - 1) / kSquare;
      across = square / height;
      down = square % height;
    }
    return in_square(static_cast<std::int32_t>(down), static_cast<std::int32_t>(across), inside);
  }

 private:
  friend struct TileWalk;

  QDIT_HD TilePlace in_square(std::int32_t down, std::int32_t across, std::int32_t inside) const {
    TilePlace place;
    place.row = down * kSquare + inside % kSquare;
    place.column = across * kSquare + inside / kSquare;
    place.used = place.row < rows && place.column < columns && (!symmetric || place.row <= place.column);
    return place;
  }
  // The largest c with c (c + 1) / 2 <= square.
  QDIT_HD static std::int64_t column_of(std::int64_t square) {
    auto c = static_cast<std::int64_t>((sqrt(8.0 * static_cast<double>(square) + 1.0) - 1.0) / 2.0);
    while (c * (c + 1) / 2 > square) --c;  // what rounding may have moved
    while ((c + 1) * (c + 2) / 2 <= square) ++c;
    return c;
  }
};

// at(index) for numbers that grow by steps, without its divisions.
struct TileWalk {
  TileMap map;
  std::int32_t down = 0;  // of the square
  std::int32_t across = 0;
  std::int32_t inside = 0;  // number of the tile in it

  QDIT_HD TileWalk(const TileMap& of, std::int64_t index) : map(of) {
    const std::int64_t first = index - index % (kSquare * kSquare);
    const TilePlace corner = map.at(first);
    down = corner.row / kSquare;
    across = corner.column / kSquare;
    inside = static_cast<std::int32_t>(index - first);
  }
  QDIT_HD TilePlace place() const { return map.in_square(down, across, inside); }
  QDIT_HD void advance(std::int32_t step) {
    const std::int32_t height = (map.rows + kSquare - 1) / kSquare;
    for (inside += step; inside >= kSquare * kSquare; inside -= kSquare * kSquare) {
      if (++down == (map.symmetric ? across + 1 : height)) {
        down = 0;
        ++across;
      }
    }
  }
};

}  // namespace qdit::cuda
