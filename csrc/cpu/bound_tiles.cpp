#include "cpu/bound_tiles.h"

#include <algorithm>
#include <cstring>

namespace qdit::cpu {
namespace {

std::size_t at(Index i) { return static_cast<std::size_t>(i); }

}  // namespace

BoundRows::BoundRows(Index columns, Index capacity)
    : columns_(columns), values_(at(columns * capacity)), terms_(at(capacity)) {}

void BoundRows::load(const Prefix& prefix, std::span<const Index> ids) {
  count_ = static_cast<Index>(ids.size());
  for (Index i = 0; i < count_; ++i) {
    const Index id = ids[at(i)];
    std::memcpy(values_.data() + i * columns_, prefix.values(id), at(columns_));
    terms_[at(i)] = prefix.terms(id, columns_);
  }
}

void BoundPanels::pack(const Prefix& prefix, std::span<const Index> ids, Index columns,
                       const Kernels& kernels) {
  reset(static_cast<Index>(ids.size()), columns, kernels);
  for (Index c = 0; c < count_; ++c) {
    const Index id = ids[at(c)];
    set(c, {prefix.values(id), at(columns)}, Prefix::kZero, prefix.terms(id, columns));
  }
}

void BoundPanels::reset(Index count, Index columns, const Kernels& kernels) {
  columns_ = columns;
  count_ = count;
  lanes_ = kernels.lanes;
  const Index padded = (count_ + 2 * lanes_ - 1) / (2 * lanes_) * 2 * lanes_;
  values_.assign(at(padded * columns), 0);
  terms_.assign(at(4 * padded), 0.0f);
  offsets_.assign(at(padded), 0);
}

void BoundPanels::set(Index c, std::span<const std::uint8_t> values, int zero, const BoundTerms& terms) {
  const Index lane = c % lanes_;
  std::int8_t* to = values_.data() + (c - lane) * columns_ + 4 * lane;
  std::int32_t sum = 0;
  for (Index k = 0; k < columns_; k += 4, to += 4 * lanes_) {
    for (Index i = 0; i < 4; ++i) {
      const int value = values[at(k + i)] - zero;
      to[i] = static_cast<std::int8_t>(value);
      sum += value;
    }
  }
  offsets_[at(c)] = -zero * sum;
  float* lane_terms = terms_.data() + 4 * (c - lane) + lane;
  lane_terms[0] = terms.scale;
  lane_terms[lanes_] = terms.rest;
  lane_terms[2 * lanes_] = terms.norm;  // beside the error of the row
  lane_terms[3 * lanes_] = terms.error;
}

}  // namespace qdit::cpu
