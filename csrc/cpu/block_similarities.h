// Similarities of a block of rows with all of some packed columns, in fixed point: the work of one thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "cpu/aligned.h"
#include "cpu/kernels.h"
#include "cpu/pool.h"
#include "cpu/tiles.h"
#include "engine/rows.h"
#include "engine/types.h"

namespace qdit::cpu {

class BlockSimilarities {
 public:
  // block: the most rows, a multiple of the kernels' tile rows; columns: the most of them.
  BlockSimilarities(const Kernels& kernels, Index depth, Index block, Index columns)
      : kernels_(kernels),
        // A multiple of the widest tile: panels are padded, and tiles write whole lanes.
        stride_((columns + 2 * kernels.lanes - 1) / (2 * kernels.lanes) * 2 * kernels.lanes),
        rows_(kernels, depth, block),
        factor_(static_cast<std::size_t>(block)),
        none_(static_cast<std::size_t>(block), kPaddingMax),
        partial_(static_cast<std::size_t>(2 * kernels.tile_rows * kernels.lanes)),
        sims_(static_cast<std::size_t>(block * stride_)),
        unused_(static_cast<std::size_t>(stride_)) {}

  // factor(i): what the products of the i-th of the rows are multiplied by, beside the factor of the column.
  template <class Factor>
  void multiply(const RowView& rows, std::span<const Index> ids, const Factor& factor,
                const Panels& columns) {
    rows_.load(rows, ids);
    std::fill(factor_.begin(), factor_.end(), 0.0f);
    for (std::size_t i = 0; i < ids.size(); ++i) factor_[i] = factor(i);
    const BlockOperands operands{rows_,   static_cast<Index>(ids.size()), factor_.data(),  none_.data(),
                                 columns, static_cast<int>(rows.d),       partial_.data(), unused_.data()};
    multiply_tiles(
        kernels_, operands, static_cast<std::size_t>(stride_),
        [this](Index row, Index column) { return sims_.data() + row * stride_ + column; },
        [](Index, Index, Index) {});
  }
  // Those of the i-th row, in the order of the columns.
  const std::int32_t* row(Index i) const { return sims_.data() + i * stride_; }

 private:
  const Kernels& kernels_;
  Index stride_;
  RowBlock rows_;
  std::vector<float> factor_;
  AlignedVector<std::int32_t> none_;
  AlignedVector<float> partial_;
  AlignedVector<std::int32_t> sims_;
  std::vector<Fixed> unused_;
};

}  // namespace qdit::cpu
