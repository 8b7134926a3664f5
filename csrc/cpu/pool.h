// The pool as the cpu backend sees it: rows decoded block by block, their scale factors, packed candidates.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "cpu/aligned.h"
#include "cpu/kernels.h"
#include "cpu/thread_pool.h"
#include "engine/rows.h"
#include "engine/types.h"

namespace qdit::cpu {

// Decodes `count` items to float32.
void decode(const Kernels& kernels, DType dtype, const std::byte* from, float* to, std::size_t count);

// Fetches a row that is soon to be decoded.
void prefetch(const RowView& rows, Index row);

// Squared Euclidean norm of every row, in float64, of the values rounded to float32.
std::vector<double> squared_norms(const RowView& rows, const Kernels& kernels, ThreadPool& pool);

// A block of decoded pool rows in the layout of Tile::rows, padded with zero rows to whole tiles.
class RowBlock {
 public:
  RowBlock(const Kernels& kernels, Index depth, Index capacity);
  void load(const RowView& rows, Index begin, Index count);
  void load(const RowView& rows, std::span<const Index> ids);
  const float* tile(Index row) const { return values_.data() + row * kRowStride; }
  std::size_t block_stride() const { return static_cast<std::size_t>(capacity_) * kRowStride; }
  std::size_t bytes() const { return values_.size() * sizeof(float); }

 private:
  void load_row(const RowView& rows, Index row, Index to);
  void pad(Index count, Index depth);

  const Kernels& kernels_;
  Index capacity_;
  AlignedVector<float> values_;
};

// Candidates in the layout of Tile::panel, padded with zero candidates to whole panels.
class Panels {
 public:
  // factors: one per row of `rows`; ids: rows to pack.
  void pack(const Kernels& kernels, const RowView& rows, std::span<const float> factors,
            std::span<const Index> ids);

  Index count() const { return count_; }    // candidates
  Index panels() const { return panels_; }  // panels, the last maybe padded
  std::size_t stride() const { return stride_; }
  const float* panel(Index p) const { return values_.data() + static_cast<std::size_t>(p) * stride_; }
  const float* lane_factor(Index p) const { return factors_.data() + p * lanes_; }
  std::size_t bytes() const { return (values_.size() + factors_.size()) * sizeof(float); }

 private:
  Index count_ = 0;
  Index panels_ = 0;
  Index lanes_ = 0;
  std::size_t stride_ = 0;
  AlignedVector<float> values_;
  AlignedVector<float> factors_;
  std::vector<float> row_;
};

}  // namespace qdit::cpu
