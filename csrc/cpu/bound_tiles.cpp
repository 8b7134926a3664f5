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
  columns_ = columns;
  count_ = static_cast<Index>(ids.size());
  const Index lanes = kernels.lanes;
  const Index padded = (count_ + 2 * lanes - 1) / (2 * lanes) * 2 * lanes;
  values_.assign(at(padded * columns), 0);
  terms_.assign(at(4 * padded), 0.0f);
  offsets_.assign(at(padded), 0);
  std::int8_t partner[Prefix::kColumns];
  for (Index c = 0; c < count_; ++c) {
    const Index id = ids[at(c)];
    const Index lane = c % lanes;
    offsets_[at(c)] = prefix.partner(id, columns, partner);
    std::int8_t* to = values_.data() + (c - lane) * columns;
    for (Index k = 0; k < columns; ++k) to[(k / 4 * lanes + lane) * 4 + k % 4] = partner[k];
    const BoundTerms terms = prefix.terms(id, columns);
    float* lane_terms = terms_.data() + 4 * (c - lane) + lane;
    lane_terms[0] = terms.scale;
    lane_terms[lanes] = terms.rest;
    lane_terms[2 * lanes] = terms.norm;  // beside the error of the row
    lane_terms[3 * lanes] = terms.error;
  }
}

}  // namespace qdit::cpu
