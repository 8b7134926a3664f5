// A block of decoded rows times packed columns, tile by tile.
#pragma once

#include <algorithm>
#include <cstdint>

#include "cpu/kernels.h"
#include "cpu/pool.h"
#include "cpu/weighted_sums.h"
#include "engine/types.h"

namespace qdit::cpu {

constexpr Index kMostLanes = 16;  // of a panel, on any instruction set

struct BlockOperands {
  const RowBlock& rows;
  Index count;                  // rows of the block
  const float* row_factor;      // per row, zeros up to a whole tile
  const std::int32_t* row_max;  // per row, padded to a whole tile
  const Panels& columns;
  int depth;
  float* partial;                              // scratch: tile_rows * 2 * lanes
  Fixed* gains;                                // per column, padded to whole panels: added to
  const std::uint32_t* row_weights = nullptr;  // per row; null: 1 each
};

// Calls work(tile, row, column, wide) for all tiles, panel by panel.
template <class Work>
void for_each_tile(const Kernels& kernels, const BlockOperands& operands, const Work& work) {
  const Panels& panels = operands.columns;
  Tile tile{};
  tile.block_stride = operands.rows.block_stride();
  tile.panel_stride = panels.stride();
  tile.depth = operands.depth;
  tile.partial = operands.partial;
  for (Index p = 0; p < panels.panels(); p += 2) {
    const Index column = p * kernels.lanes;
    tile.panel = panels.panel(p);
    tile.lane_factor = panels.lane_factor(p);
    for (Index row = 0; row < operands.count; row += kernels.tile_rows) {
      tile.rows = operands.rows.tile(row);
      tile.row_factor = operands.row_factor + row;
      tile.row_max = operands.row_max + row;
      work(tile, row, column, p + 1 < panels.panels());
    }
  }
}

// place(row, column): where the similarities of the tile that starts there go, or null where rows have no
// weights; `stride` apart by row. done(row, column, columns): called after each tile.
template <class Place, class Done>
void multiply_tiles(const Kernels& kernels, const BlockOperands& operands, std::size_t stride,
                    const Place& place, const Done& done) {
  Fixed unweighted[2 * kMostLanes] = {};  // sums of kernels that nobody uses
  for_each_tile(kernels, operands, [&](Tile& tile, Index row, Index column, bool wide) {
    const Index columns = (wide ? 2 : 1) * kernels.lanes;
    tile.gains = operands.row_weights == nullptr ? operands.gains + column : unweighted;
    tile.sims = place(row, column);
    tile.sims_stride = stride;
    (wide ? kernels.wide : kernels.narrow)(tile);
    if (operands.row_weights != nullptr) {
      const Index rows = std::min<Index>(kernels.tile_rows, operands.count - row);
      for (Index i = 0; i < rows; ++i) {
        add_weighted(tile.sims + static_cast<std::size_t>(i) * stride, tile.row_max[i],
                     operands.row_weights[row + i], static_cast<std::size_t>(columns),
                     operands.gains + column);
      }
    }
    done(row, column, columns);
  });
}

}  // namespace qdit::cpu
