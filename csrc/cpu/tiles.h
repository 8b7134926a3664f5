// A block of decoded rows times packed columns, tile by tile.
#pragma once

#include <cstdint>

#include "cpu/kernels.h"
#include "cpu/pool.h"
#include "engine/types.h"

namespace qdit::cpu {

struct BlockOperands {
  const RowBlock& rows;
  Index count;                  // rows of the block
  const float* row_factor;      // per row, zeros up to a whole tile
  const std::int32_t* row_max;  // per row, padded to a whole tile
  const Panels& columns;
  int depth;
  float* partial;  // scratch: tile_rows * 2 * lanes
  Fixed* gains;    // per column, padded to whole panels: added to
};

// place(row, column): where the similarities of the tile that starts there go, or null; `stride` apart by
// row. done(row, column, columns): called after each tile.
template <class Place, class Done>
void multiply_tiles(const Kernels& kernels, const BlockOperands& operands, std::size_t stride,
                    const Place& place, const Done& done) {
  const Panels& panels = operands.columns;
  Tile tile{};
  tile.block_stride = operands.rows.block_stride();
  tile.panel_stride = panels.stride();
  tile.depth = operands.depth;
  tile.partial = operands.partial;
  tile.sims_stride = stride;
  for (Index p = 0; p < panels.panels(); p += 2) {
    const bool wide = p + 1 < panels.panels();
    const Index column = p * kernels.lanes;
    tile.panel = panels.panel(p);
    tile.lane_factor = panels.lane_factor(p);
    tile.gains = operands.gains + column;
    for (Index row = 0; row < operands.count; row += kernels.tile_rows) {
      tile.rows = operands.rows.tile(row);
      tile.row_factor = operands.row_factor + row;
      tile.row_max = operands.row_max + row;
      tile.sims = place(row, column);
      (wide ? kernels.wide : kernels.narrow)(tile);
      done(row, column, (wide ? 2 : 1) * kernels.lanes);
    }
  }
}

// The bits of the first `columns` lanes.
inline std::uint32_t lanes_of(Index columns) { return columns >= 32 ? ~0u : (1u << columns) - 1u; }

// Compares the similarities of all tiles with the row maxima and with `column_max`, one threshold for each
// column, padded to whole panels. found(row, column, over): called with the bits of the rows of each tile
// that has any, those of padding among them.
template <class Found>
void compare_tiles(const Kernels& kernels, const BlockOperands& operands, const std::int32_t* column_max,
                   const Found& found) {
  const Panels& panels = operands.columns;
  std::uint32_t over[16];
  Tile tile{};
  tile.block_stride = operands.rows.block_stride();
  tile.panel_stride = panels.stride();
  tile.depth = operands.depth;
  tile.partial = operands.partial;
  tile.over = over;
  for (Index p = 0; p < panels.panels(); p += 2) {
    const bool wide = p + 1 < panels.panels();
    const Index column = p * kernels.lanes;
    tile.panel = panels.panel(p);
    tile.lane_factor = panels.lane_factor(p);
    tile.lane_max = column_max + column;
    for (Index row = 0; row < operands.count; row += kernels.tile_rows) {
      tile.rows = operands.rows.tile(row);
      tile.row_factor = operands.row_factor + row;
      tile.row_max = operands.row_max + row;
      (wide ? kernels.wide_over : kernels.narrow_over)(tile);
      std::uint32_t any = 0;
      for (int i = 0; i < kernels.tile_rows; ++i) any |= over[i];
      if (any != 0) found(row, column, static_cast<const std::uint32_t*>(over));
    }
  }
}

}  // namespace qdit::cpu
