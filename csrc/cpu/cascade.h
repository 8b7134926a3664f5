// Products of pool rows with some others, without most of those that do not matter: bounds over a few columns
// rule pairs out, then bounds over the whole prefix (prefix.h), then estimates of the product. What is left
// is multiplied, with the bits that tiles give it.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "cpu/aligned.h"
#include "cpu/bound_tiles.h"
#include "cpu/kernels.h"
#include "cpu/prefix.h"
#include "engine/rows.h"
#include "engine/types.h"

namespace qdit::cpu {

// Rows with what a cascade needs of them.
struct CascadeRows {
  RowView view;
  std::span<const float> factors;
  const Prefix& prefix;
};

// The others: their leading columns packed, their prefixes, and whole.
class CascadeColumns {
 public:
  void load(const CascadeRows& source, std::span<const Index> ids, Index leading, const Kernels& kernels);

  Index count() const { return panels_.count(); }
  const BoundPanels& panels() const { return panels_; }  // the leading columns
  std::size_t bytes() const;

 private:
  friend class Cascade;
  // The whole prefix of one of the others.
  struct Partner {
    std::int8_t values[Prefix::kColumns];
    std::int32_t offset;
    BoundTerms terms;
  };
  BoundPanels panels_;
  AlignedVector<Partner> partners_;
  AlignedVector<float> whole_;
  std::vector<float> factors_;
};

// Of one thread.
class Cascade {
 public:
  // block: rows at a time; width: the most others.
  Cascade(const CascadeRows& pool, Index leading, Index block, Index width, const Kernels& kernels);

  // Finds the others whose bound with a row over the leading columns is above row_max, one for each row, or
  // above other_max, one for each of the others; both padded to whole tiles.
  void find(std::span<const Index> rows, const std::int32_t* row_max, const std::int32_t* other_max,
            const CascadeColumns& others);
  std::span<const std::uint16_t> found(std::size_t i) const {
    return {found_.data() + i * width_, counts_[i]};
  }

  // The row that the next calls are about.
  void take(Index row);
  // In fixed point: at least what the similarity is, but for the rounding of integers to floats, kRoundings.
  float bound(const CascadeColumns& others, std::size_t other) const;
  static constexpr float kRoundings = 16.0f;
  // No further from the similarity than margin().
  float estimate(const CascadeColumns& others, std::size_t other);
  float margin() const { return margin_; }
  // sims[i] is the similarity with which[i].
  void multiply(const CascadeColumns& others, std::span<const std::uint16_t> which,
                std::span<std::int32_t> sims);

  double multiplied() const { return multiplied_; }  // estimates and products, of whole rows

 private:
  const float* whole();

  const Kernels& kernels_;
  CascadeRows pool_;
  std::size_t width_;
  float margin_;
  BoundRows rows_;
  std::vector<std::uint16_t> found_;
  std::vector<std::size_t> counts_;
  Index row_ = -1;
  bool decoded_ = false;
  BoundTerms row_terms_{};
  AlignedVector<float> row_whole_;
  std::vector<const float*> pointers_;
  std::vector<float> dots_;
  double multiplied_ = 0.0;
};

}  // namespace qdit::cpu
