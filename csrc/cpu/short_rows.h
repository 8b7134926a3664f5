// Whole rows as short integers, made as they are wanted.
//
// A row a is s_a q_a and an error of norm e_a |a|, where q_a are integers (Kernels::shorten). So
//
//   a . v <= s_a s_v q_a . q_v + (e_a + e_v + e_a e_v) |a| |v|                          (Cauchy-Schwarz)
//
// whatever the rows are: beside the bounds of prefix.h these take no rotation, no memory and no decay, and
// three times the columns. Rounding is part of e.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "cpu/aligned.h"
#include "cpu/bound_tiles.h"
#include "cpu/kernels.h"
#include "engine/rows.h"
#include "engine/types.h"

namespace qdit::cpu {

class ShortRows {
 public:
  ShortRows(const Kernels& kernels, Index d);

  Index columns() const { return columns_; }  // with those that make them a multiple of 64
  // Writes a decoded row. With the terms of another one (kernels.h) those that it returns bound the
  // similarity in fixed point, as it is computed from whole rows: dot product * (factor * other factor).
  BoundTerms shorten(const float* whole, float factor, std::uint8_t* to) const;
  int zero() const { return kernels_.short_limit + 1; }  // how 0 is written

 private:
  const Kernels& kernels_;
  int d_;
  Index columns_;
  double rounding_;  // what it may hide of a sum of squares, as a factor
  double slack_;
};

// The others of a product: short ones packed, and whole.
class ShortColumns {
 public:
  // factors: one per row of `rows`.
  void load(const ShortRows& shorts, const RowView& rows, std::span<const float> factors,
            std::span<const Index> ids, const Kernels& kernels);

  const BoundPanels& panels() const { return panels_; }
  Index count() const { return panels_.count(); }
  struct Scratch {
    std::vector<const float*> pointers;
    std::vector<float> dots;
  };
  // sims[i] is the similarity of a decoded row with number which[i], with the bits that tiles give it.
  void multiply(const float* whole, float factor, std::span<const std::uint32_t> which, std::int32_t* sims,
                Scratch& scratch) const;

 private:
  const Kernels* kernels_ = nullptr;
  std::size_t d_ = 0;
  BoundPanels panels_;
  AlignedVector<float> whole_;
  std::vector<float> factors_;
};

}  // namespace qdit::cpu
