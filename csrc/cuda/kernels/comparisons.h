// Which rows a tile of the graph's candidates compares, and how lists of candidates are put in order.
#pragma once

#include <cstdint>

#include "engine/host_device.h"

namespace qdit::cuda {

// Some rows with some columns, both runs of an array of row numbers. What is found goes to the lists of the
// rows.
struct Comparison {
  std::int64_t rows = 0;        // where the numbers of its rows begin ...
  std::int64_t columns = 0;     // ... and those of its columns
  std::int64_t first_tile = 0;  // tiles of all comparisons are numbered through
  std::int32_t row_count = 0;
  std::int32_t column_count = 0;
  std::int32_t row_place = 0;  // where they lie in the operand, if they were gathered
  std::int32_t column_place = 0;
  // Only columns whose own part the row does not see: with the others it is compared as one who sees them.
  bool unseen = false;

  QDIT_HD std::int64_t tiles(std::int32_t tile) const {
    return static_cast<std::int64_t>((row_count + tile - 1) / tile) * ((column_count + tile - 1) / tile);
  }
};

struct ComparedTile {
  std::int32_t first_row;
  std::int32_t first_column;
};

// Tile number `index` of all; it must be one of this comparison's. Tiles next to each other share columns.
QDIT_HD inline ComparedTile tile_of(const Comparison& comparison, std::int64_t index, std::int32_t tile) {
  const std::int64_t inside = index - comparison.first_tile;
  const std::int32_t down = (comparison.row_count + tile - 1) / tile;
  return {static_cast<std::int32_t>(inside % down) * tile, static_cast<std::int32_t>(inside / down) * tile};
}

// Whose tile number `index` is. None of the comparisons is without tiles.
QDIT_HD inline std::int64_t comparison_of(const Comparison* all, std::int64_t count, std::int64_t index) {
  std::int64_t low = 0;
  std::int64_t high = count - 1;
  while (low < high) {
    const std::int64_t middle = (low + high + 1) / 2;
    if (all[middle].first_tile <= index) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  return low;
}

// seen: `probes` parts that a row sees.
QDIT_HD inline bool sees(const std::int32_t* seen, std::int32_t probes, std::int32_t part) {
  bool any = false;
  for (std::int32_t j = 0; j < probes; ++j) any |= seen[j] == part;
  return any;
}

// A key finds its place in a list of `count` keys, `stride` apart, the largest first; the last one leaves it.
template <class Key>
QDIT_HD inline void insert_key(Key* list, std::int64_t stride, std::int32_t count, Key key) {
  std::int32_t place = count - 1;
  while (place > 0 && list[(place - 1) * stride] < key) {
    list[place * stride] = list[(place - 1) * stride];
    --place;
  }
  list[place * stride] = key;
}

// Batcher's bitonic sort in the form whose comparisons all point the same way, so that a list of any length
// is sorted as if it went on with smallest items. Runs of 2, 4, 8 .. items come in order; in each, `half`
// goes from half a run down to 1.
struct SortPair {
  std::uint32_t low;
  std::uint32_t high;  // of a pair of places; may lie behind the end
};
QDIT_HD inline std::uint32_t sort_pairs(std::uint32_t items, std::uint32_t half) {
  return (items + 2 * half - 1) / (2 * half) * half;
}
QDIT_HD inline SortPair sort_pair(std::uint32_t number, std::uint32_t half, bool first_of_run) {
  const std::uint32_t begin = number / half * (2 * half);
  const std::uint32_t inside = number % half;
  return {begin + inside, first_of_run ? begin + 2 * half - 1 - inside : begin + half + inside};
}

}  // namespace qdit::cuda
