// Bounds (prefix.h) of a block of rows with packed columns, tile by tile.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "cpu/aligned.h"
#include "cpu/kernels.h"
#include "cpu/prefix.h"
#include "engine/types.h"

namespace qdit::cpu {

// Short rows in the layout of BoundTile::rows, padded to whole tiles.
class BoundRows {
 public:
  // capacity: the most rows, a multiple of the kernels' tile rows.
  BoundRows(Index columns, Index capacity);
  void load(const Prefix& prefix, std::span<const Index> ids);
  // shorten(i, to): writes the i-th row, and returns its terms.
  template <class Shorten>
  void load(Index count, const Shorten& shorten) {
    count_ = count;
    for (Index i = 0; i < count; ++i) {
      terms_[static_cast<std::size_t>(i)] = shorten(i, values_.data() + i * columns_);
    }
  }

  Index count() const { return count_; }
  Index columns() const { return columns_; }
  const std::uint8_t* values(Index row) const { return values_.data() + row * columns_; }
  const BoundTerms* terms(Index row) const { return terms_.data() + row; }

 private:
  Index columns_;
  Index count_ = 0;
  AlignedVector<std::uint8_t> values_;
  AlignedVector<BoundTerms> terms_;
};

// Short rows in the layout of BoundTile::panels, padded to an even number of panels.
class BoundPanels {
 public:
  void pack(const Prefix& prefix, std::span<const Index> ids, Index columns, const Kernels& kernels);
  // shorten: as of BoundRows; zero: what it writes for 0.
  template <class Shorten>
  void pack(Index count, Index columns, int zero, const Kernels& kernels, const Shorten& shorten) {
    reset(count, columns, kernels);
    std::vector<std::uint8_t> values(static_cast<std::size_t>(columns));
    for (Index c = 0; c < count; ++c) {
      const BoundTerms terms = shorten(c, values.data());
      set(c, values, zero, terms);
    }
  }

  Index count() const { return count_; }
  Index padded() const { return static_cast<Index>(offsets_.size()); }
  const std::int8_t* values(Index column) const { return values_.data() + column * columns_; }
  const float* terms(Index column) const { return terms_.data() + 4 * column; }
  const std::int32_t* offsets(Index column) const { return offsets_.data() + column; }
  std::size_t bytes() const { return values_.size() + (terms_.size() + offsets_.size()) * 4; }

 private:
  void reset(Index count, Index columns, const Kernels& kernels);
  void set(Index c, std::span<const std::uint8_t> values, int zero, const BoundTerms& terms);

  Index lanes_ = 0;
  Index columns_ = 0;
  Index count_ = 0;
  AlignedVector<std::int8_t> values_;
  AlignedVector<float> terms_;
  AlignedVector<std::int32_t> offsets_;
};

// Calls work(tile, row, column) for all tiles, panel by panel.
template <class Work>
void for_each_bound_tile(const Kernels& kernels, const BoundRows& rows, const BoundPanels& columns,
                         const Work& work) {
  BoundTile tile{};
  tile.depth = static_cast<int>(rows.columns());
  for (Index column = 0; column < columns.padded(); column += Index{2} * kernels.lanes) {
    tile.panels = columns.values(column);
    tile.lane_terms = columns.terms(column);
    tile.lane_offset = columns.offsets(column);
    for (Index row = 0; row < rows.count(); row += kernels.tile_rows) {
      tile.rows = rows.values(row);
      tile.row_terms = rows.terms(row);
      work(tile, row, column);
    }
  }
}

// Bounds of all pairs, in fixed point: those of a row start `stride` after those of the row before, and both
// are padded to whole tiles.
inline void store_bounds(const Kernels& kernels, const BoundRows& rows, const BoundPanels& columns,
                         std::int32_t* to, Index stride) {
  for_each_bound_tile(kernels, rows, columns, [&](BoundTile& tile, Index row, Index column) {
    tile.bounds = to + row * stride + column;
    tile.bounds_stride = static_cast<std::size_t>(stride);
    kernels.bounds(tile);
  });
}

// Compares the bounds of all pairs with row_max, one for each row, and with column_max, one for each column,
// both padded to whole tiles. found(row, columns, first): called for each row of which any is above either,
// with a bit for each such column from number `first` on.
template <class Found>
void compare_bounds(const Kernels& kernels, const BoundRows& rows, const std::int32_t* row_max,
                    const BoundPanels& columns, const std::int32_t* column_max, const Found& found) {
  std::uint32_t over[kMostTileRows];
  for_each_bound_tile(kernels, rows, columns, [&](BoundTile& tile, Index row, Index column) {
    tile.row_max = row_max + row;
    tile.lane_max = column_max + column;
    tile.over = over;
    kernels.bounds(tile);
    const Index left = columns.count() - column;
    const std::uint32_t there = left >= 32 ? ~0u : (1u << left) - 1u;
    for (Index i = row; i < std::min(rows.count(), row + kernels.tile_rows); ++i) {
      if ((over[i - row] & there) != 0) found(i, over[i - row] & there, column);
    }
  });
}

}  // namespace qdit::cpu
