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
    TilePlace place;
    place.row = static_cast<std::int32_t>(down) * kSquare + inside % kSquare;
    place.column = static_cast<std::int32_t>(across) * kSquare + inside / kSquare;
    place.used = place.row < rows && place.column < columns && (!symmetric || place.row <= place.column);
    return place;
  }

 private:
  // The largest c with c (c + 1) / 2 <= square.
  QDIT_HD static std::int64_t column_of(std::int64_t square) {
    auto c = static_cast<std::int64_t>((sqrt(8.0 * static_cast<double>(square) + 1.0) - 1.0) / 2.0);
    while (c * (c + 1) / 2 > square) --c;  // what rounding may have moved
    while ((c + 1) * (c + 2) / 2 <= square) ++c;
    return c;
  }
};

}  // namespace qdit::cuda
