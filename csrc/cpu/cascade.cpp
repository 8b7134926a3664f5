#include "cpu/cascade.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "cpu/bounds.h"
#include "cpu/scaled_pool.h"
#include "cpu/tiles.h"

namespace qdit::cpu {
namespace {

std::size_t at(Index i) { return static_cast<std::size_t>(i); }

}  // namespace

void CascadeColumns::load(const CascadeRows& source, std::span<const Index> ids, Index leading,
                          const Kernels& kernels) {
  const RowView& rows = source.view;
  whole_.resize(ids.size() * at(rows.d));
  factors_.resize(ids.size());
  prefix_factors_.resize(ids.size());
  for (std::size_t c = 0; c < ids.size(); ++c) {
    decode(kernels, rows.dtype, rows.row(ids[c]), whole_.data() + c * at(rows.d), at(rows.d));
    factors_[c] = source.factors[at(ids[c])];
    prefix_factors_[c] = source.prefix.factors()[at(ids[c])];
  }
  pack(panels_, kernels, source.prefix.partners(ids, leading, kernels), leading, prefix_factors_);
  partners_ = source.prefix.partners(ids, Prefix::kColumns, kernels);
}

std::size_t CascadeColumns::bytes() const {
  return panels_.bytes() + (partners_.size() + whole_.size()) * sizeof(float);
}

Cascade::Cascade(const CascadeRows& pool, Index leading, Index block, Index width, const Kernels& kernels)
    : kernels_(kernels),
      pool_(pool),
      leading_(leading),
      width_(at(width)),
      margin_(static_cast<float>(estimate_margin(pool.view.d, kScaleBits))),
      rows_(kernels, leading, block),
      factor_(at(block)),
      partial_(at(2 * kernels.tile_rows * kernels.lanes)),
      found_(at(block) * width_),
      counts_(at(block)),
      row_prefix_(at(Prefix::kColumns)),
      row_whole_(at(pool.view.d)),
      pointers_(width_),
      dots_(width_) {}

void Cascade::find(std::span<const Index> rows, const std::int32_t* row_max, const std::int32_t* other_max,
                   const CascadeColumns& others) {
  const auto count = static_cast<Index>(rows.size());
  rows_.load(pool_.prefix.view(leading_), rows);
  std::fill(factor_.begin(), factor_.end(), 0.0f);
  for (std::size_t i = 0; i < rows.size(); ++i) factor_[i] = pool_.prefix.factors()[at(rows[i])];
  std::fill(counts_.begin(), counts_.end(), 0);
  const BlockOperands operands{rows_,           count,          factor_.data(),
                               row_max,         others.panels_, static_cast<int>(leading_),
                               partial_.data(), nullptr};
  compare_tiles(kernels_, operands, other_max, [&](Index i, std::uint32_t columns, Index first) {
    std::uint16_t* to = found_.data() + at(i) * width_;
    std::size_t found = counts_[at(i)];
    for (; columns != 0; columns &= columns - 1) {
      to[found++] = static_cast<std::uint16_t>(first + std::countr_zero(columns));
    }
    counts_[at(i)] = found;
  });
}

void Cascade::take(Index row) {
  row_ = row;
  decoded_ = false;
  const RowView prefixes = pool_.prefix.view(Prefix::kColumns);
  decode(kernels_, prefixes.dtype, prefixes.row(row), row_prefix_.data(), row_prefix_.size());
}

float Cascade::bound(const CascadeColumns& others, std::size_t other) const {
  const float* partner = others.partners_.data() + other * at(Prefix::kColumns);
  return kernels_.estimate(row_prefix_.data(), partner, Prefix::kColumns) *
         (pool_.prefix.factors()[at(row_)] * others.prefix_factors_[other]);
}

const float* Cascade::whole() {
  if (!decoded_)
    decode(kernels_, pool_.view.dtype, pool_.view.row(row_), row_whole_.data(), row_whole_.size());
  decoded_ = true;
  return row_whole_.data();
}

float Cascade::estimate(const CascadeColumns& others, std::size_t other) {
  multiplied_ += 1.0;
  const float* column = others.whole_.data() + other * row_whole_.size();
  return kernels_.estimate(whole(), column, static_cast<int>(pool_.view.d)) *
         (pool_.factors[at(row_)] * others.factors_[other]);
}

void Cascade::multiply(const CascadeColumns& others, std::span<const std::uint16_t> which,
                       std::span<std::int32_t> sims) {
  multiplied_ += static_cast<double>(which.size());
  for (std::size_t i = 0; i < which.size(); ++i) {
    pointers_[i] = others.whole_.data() + std::size_t{which[i]} * row_whole_.size();
  }
  kernels_.products(whole(), pointers_.data(), which.size(), static_cast<int>(pool_.view.d), dots_.data());
  const float factor = pool_.factors[at(row_)];
  for (std::size_t i = 0; i < which.size(); ++i) {
    sims[i] = static_cast<std::int32_t>(std::lrint(dots_[i] * (factor * others.factors_[which[i]])));
  }
}

}  // namespace qdit::cpu
