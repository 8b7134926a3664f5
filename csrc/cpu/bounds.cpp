#include "cpu/bounds.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <numeric>
#include <stdexcept>
#include <string>
#include <utility>

#include "cpu/bound_tiles.h"
#include "cpu/pool.h"

namespace qdit::cpu {
namespace {

// In products of whole rows.
constexpr double kTileColumns = 16.0;  // what a tile of pairs costs beside its columns, in columns
constexpr double kWorthwhile = 0.9;    // less than so much of the cost without bounds
constexpr double kTrialShare = 0.03;   // of all work that a trial may cost
constexpr Index kLooks = 256;          // rows that show whether there is any decay
constexpr double kDecay = 1.1;         // mean squared similarity, beside that of isotropic rows
constexpr double kRotation = 11000.0;  // of a rotation: so many products of all columns with all columns

std::size_t at(Index i) { return static_cast<std::size_t>(i); }

}  // namespace

PrefixedRows::PrefixedRows(const ScaledPool& pool, std::span<const Index> ids, const Rotation& rotation,
                           const Kernels& kernels, ThreadPool& threads)
    : view_(pool.rows().view) {
  const std::size_t bytes = at(view_.d) * item_size(view_.dtype);
  items_.resize(ids.size() * bytes);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    std::memcpy(items_.data() + i * bytes, view_.row(ids[i]), bytes);
    squared_norms_.push_back(pool.squared_norms()[at(ids[i])]);
  }
  view_.data = items_.data();
  view_.n = static_cast<Index>(ids.size());
  view_.first = 0;
  prefix_ = std::make_unique<Prefix>(
      rotation, Prefix::Input{view_, squared_norms_, pool.metric(), pool.half_exponent()}, kernels, threads);
}

Bounds::Bounds(const Kernels& kernels, ThreadPool& pool, const ScaledPool& scaled)
    : kernels_(kernels), pool_(pool), scaled_(scaled) {}

Index Bounds::forced() {
  static const Index columns = [] {
    const char* text = std::getenv("QDIT_PREFIX");
    if (text == nullptr) return Index{-1};
    for (Index some = 0; some <= Prefix::kColumns; some += Prefix::kChunk) {
      if (std::to_string(some) == text) return some;
    }
    throw std::invalid_argument(std::string("QDIT_PREFIX: got '") + text +
                                "', wanted 0, 64, 128, 192 or 256.");
  }();
  return columns;
}

bool Bounds::worth_a_trial(double pairs) {
  if (forced() >= 0) return forced() > 0;
  if (rotation_) return true;
  return kRotation * static_cast<double>(scaled_.rows().view.d) < kTrialShare * pairs && decays();
}

// The mean squared similarity of unit rows is the sum of the squared shares of all directions: 1 / d if none
// has more than another.
bool Bounds::decays() {
  if (decays_) return *decays_;
  const RowView& rows = scaled_.rows().view;
  const Index count = std::min(kLooks, rows.n);
  std::vector<float> values(at(count * rows.d));
  std::vector<double> squared(at(count));
  for (Index i = 0; i < count; ++i) {
    const Index row = i * rows.n / count;
    decode(kernels_, rows.dtype, rows.row(row), values.data() + i * rows.d, at(rows.d));
    squared[at(i)] = scaled_.squared_norms()[at(row)];
  }
  double sum = 0.0;
  double pairs = 0.0;
  for (Index i = 0; i < count; ++i) {
    for (Index j = 0; j < i; ++j) {
      const double norms = squared[at(i)] * squared[at(j)];
      if (!(norms > 0.0)) continue;
      const float product =
          kernels_.estimate(values.data() + i * rows.d, values.data() + j * rows.d, static_cast<int>(rows.d));
      sum += static_cast<double>(product) * static_cast<double>(product) / norms;
      pairs += 1.0;
    }
  }
  decays_ = sum * static_cast<double>(rows.d) > kDecay * pairs;
  return *decays_;
}

Index Bounds::choose(const Costs& costs, double each, const Survivors& survivors) {
  const auto d = static_cast<double>(scaled_.rows().view.d);
  Index best = 0;
  double least = kWorthwhile;
  if (forced() > 0) {
    best = forced();
  } else {
    const double last = costs.more + costs.last * survivors(Prefix::kColumns);
    for (Index columns = Prefix::kChunk; columns <= Prefix::kColumns; columns += Prefix::kChunk) {
      double cost = (static_cast<double>(columns) * kernels_.short_cost + kTileColumns) / d + last;
      if (columns < Prefix::kColumns) cost += costs.first * survivors(columns);
      if (!(cost < least)) continue;
      least = cost;
      best = columns;
    }
    const bool repaid = prefix_ || (1.0 - least) * each > static_cast<double>(Prefix::kColumns);
    if (!repaid) best = 0;
  }
  if (best > 0) prefix();
  return best;
}

const Rotation& Bounds::rotation() {
  if (!rotation_) {
    rotation_ = std::make_unique<Rotation>(scaled_.rows().view, scaled_.squared_norms(), kernels_, pool_);
  }
  return *rotation_;
}

const Prefix& Bounds::prefix() {
  if (!prefix_) {
    prefix_ = std::make_unique<Prefix>(rotation(),
                                       Prefix::Input{scaled_.rows().view, scaled_.squared_norms(),
                                                     scaled_.metric(), scaled_.half_exponent()},
                                       kernels_, pool_);
  }
  return *prefix_;
}

PrefixedRows Bounds::some(std::span<const Index> ids) { return {scaled_, ids, rotation(), kernels_, pool_}; }

Index Bounds::count(const PrefixedRows& rows, std::span<const std::int32_t> max, const PrefixedRows& others,
                    std::span<const std::int32_t> other_max, Index columns) const {
  const Index padded = (rows.size() + kernels_.tile_rows - 1) / kernels_.tile_rows * kernels_.tile_rows;
  AlignedVector<std::int32_t> row_max(at(padded), kPaddingMax);
  std::copy(max.begin(), max.end(), row_max.begin());
  std::vector<Index> all(at(std::max(rows.size(), others.size())));
  std::iota(all.begin(), all.end(), 0);
  BoundRows block(columns, padded);
  block.load(rows.prefix(), std::span(all).first(at(rows.size())));
  BoundPanels panels;
  panels.pack(others.prefix(), std::span(all).first(at(others.size())), columns, kernels_);
  AlignedVector<std::int32_t> column_max(at(panels.padded()), kPaddingMax);
  std::copy(other_max.begin(), other_max.end(), column_max.begin());
  Index above = 0;
  compare_bounds(kernels_, block, row_max.data(), panels, column_max.data(),
                 [&](Index /*row*/, std::uint32_t found, Index /*first*/) { above += std::popcount(found); });
  return above;
}

}  // namespace qdit::cpu
