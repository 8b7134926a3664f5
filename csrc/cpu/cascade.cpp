#include "cpu/cascade.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "cpu/pool.h"
#include "cpu/scaled_pool.h"

namespace qdit::cpu {
namespace {

std::size_t at(Index i) { return static_cast<std::size_t>(i); }

}  // namespace

void CascadeColumns::load(const CascadeRows& source, std::span<const Index> ids, Index leading,
                          const Kernels& kernels) {
  const RowView& rows = source.view;
  whole_.resize(ids.size() * at(rows.d));
  factors_.resize(ids.size());
  partners_.resize(ids.size());
  for (std::size_t c = 0; c < ids.size(); ++c) {
    decode(kernels, rows.dtype, rows.row(ids[c]), whole_.data() + c * at(rows.d), at(rows.d));
    factors_[c] = source.factors[at(ids[c])];
    Partner& partner = partners_[c];
    partner.offset = source.prefix.partner(ids[c], Prefix::kColumns, partner.values);
    partner.terms = source.prefix.terms(ids[c], Prefix::kColumns);
  }
  panels_.pack(source.prefix, ids, leading, kernels);
}

std::size_t CascadeColumns::bytes() const {
  return panels_.bytes() + partners_.size() * sizeof(Partner) + whole_.size() * sizeof(float);
}

Cascade::Cascade(const CascadeRows& pool, Index leading, Index block, Index width, const Kernels& kernels)
    : kernels_(kernels),
      pool_(pool),
      width_(at(width)),
      margin_(static_cast<float>(estimate_margin(pool.view.d, kScaleBits))),
      rows_(leading, block),
      found_(at(block) * width_),
      counts_(at(block)),
      row_whole_(at(pool.view.d)),
      pointers_(width_),
      dots_(width_) {}

void Cascade::find(std::span<const Index> rows, const std::int32_t* row_max, const std::int32_t* other_max,
                   const CascadeColumns& others) {
  rows_.load(pool_.prefix, rows);
  std::fill(counts_.begin(), counts_.end(), 0);
  compare_bounds(kernels_, rows_, row_max, others.panels_, other_max,
                 [&](Index i, std::uint32_t columns, Index first) {
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
  row_terms_ = pool_.prefix.terms(row, Prefix::kColumns);
}

float Cascade::bound(const CascadeColumns& others, std::size_t other) const {
  const CascadeColumns::Partner& partner = others.partners_[other];
  const std::int32_t product = kernels_.short_product(pool_.prefix.values(row_), partner.values);
  const BoundTerms& a = row_terms_;
  const BoundTerms& b = partner.terms;
  return static_cast<float>(product + partner.offset) * (a.scale * b.scale) + a.rest * b.rest +
         (a.error * b.norm + a.norm * b.error);
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
