#include "cpu/short_rows.h"

#include <algorithm>
#include <cmath>

#include "cpu/pool.h"
#include "cpu/prefix.h"

namespace qdit::cpu {
namespace {

constexpr Index kChunk = 64;
constexpr double kUnit = 0x1p-24;    // relative error of one rounding
constexpr double kHidden = 0x1p-20;  // of an error, relative to the norm: more than its roundings
// Of a row that does not fit float32: with any other they are above all similarities.
constexpr BoundTerms kUnbounded{0.0f, 0.0f, 0x1p15f, 0x1p14f};

std::size_t at(Index i) { return static_cast<std::size_t>(i); }

}  // namespace

ShortRows::ShortRows(const Kernels& kernels, Index d)
    : kernels_(kernels),
      d_(static_cast<int>(d)),
      columns_((d + kChunk - 1) / kChunk * kChunk),
      rounding_(1.0 + static_cast<double>(d + 16) * kUnit),
      slack_(product_error(d) + 4e-6) {}

BoundTerms ShortRows::shorten(const float* whole, float factor, std::uint8_t* to) const {
  const ShortRow made = kernels_.shorten(whole, d_, to);
  std::fill(to + d_, to + columns_, static_cast<std::uint8_t>(zero()));
  if (!(made.step > 0.0f)) return kUnbounded;
  const double norm = std::sqrt(static_cast<double>(made.squared));
  const double e = std::sqrt(static_cast<double>(made.squared_error)) / norm * rounding_ + kHidden;
  // e_a + e_v + e_a e_v: the other row is whole, or rounded as well.
  const double error = e + e * e / 2.0 + slack_ / 2.0;
  const double length = norm * rounding_ * static_cast<double>(factor);
  return {made.step * factor, 0.0f, static_cast<float>(error * length), static_cast<float>(length)};
}

void ShortColumns::load(const ShortRows& shorts, const RowView& rows, std::span<const float> factors,
                        std::span<const Index> ids, const Kernels& kernels) {
  kernels_ = &kernels;
  d_ = at(rows.d);
  whole_.resize(ids.size() * d_);
  factors_.resize(ids.size());
  panels_.pack(static_cast<Index>(ids.size()), shorts.columns(), shorts.zero(), kernels,
               [&](Index c, std::uint8_t* to) {
                 float* whole = whole_.data() + at(c) * d_;
                 decode(kernels, rows.dtype, rows.row(ids[at(c)]), whole, d_);
                 factors_[at(c)] = factors[at(ids[at(c)])];
                 return shorts.shorten(whole, factors_[at(c)], to);
               });
}

void ShortColumns::multiply(const float* whole, float factor, std::span<const std::uint32_t> which,
                            std::int32_t* sims, Scratch& scratch) const {
  scratch.pointers.resize(which.size());
  scratch.dots.resize(which.size());
  for (std::size_t i = 0; i < which.size(); ++i) scratch.pointers[i] = whole_.data() + which[i] * d_;
  kernels_->products(whole, scratch.pointers.data(), which.size(), static_cast<int>(d_), scratch.dots.data());
  for (std::size_t i = 0; i < which.size(); ++i) {
    sims[i] = static_cast<std::int32_t>(std::lrint(scratch.dots[i] * (factor * factors_[which[i]])));
  }
}

}  // namespace qdit::cpu
