#include "cpu/pruned_products.h"

#include <algorithm>
#include <numeric>
#include <optional>
#include <utility>

namespace qdit::cpu {
namespace {

constexpr Index kWidth = 512;     // candidates at a time
constexpr Index kBlockRows = 96;  // about
constexpr Index kTrialRows = 256;
constexpr Index kFewest = 64;       // candidates: fewer are not worth a trial of their own
constexpr double kBetween = 1.2e7;  // pairs evaluated between two trials: a hundred times what one costs
constexpr Bounds::Costs kCosts{1.3, 3.3};

std::size_t at(Index i) { return static_cast<std::size_t>(i); }

}  // namespace

// Some rows of the pool that survivors are counted on.
struct PrunedProducts::Trial {
  std::vector<Index> ids;
  PrefixedRows rows;
};

struct PrunedProducts::Workspace {
  Cascade cascade;
  std::vector<Index> rows;
  std::vector<Fixed> sums;
};

PrunedProducts::PrunedProducts(const Kernels& kernels, ThreadPool& pool, const ScaledPool& scaled,
                               Bounds& bounds, AlignedVector<std::int32_t>& max)
    : kernels_(kernels),
      pool_(pool),
      scaled_(scaled),
      bounds_(bounds),
      max_(max),
      no_max_(at(kWidth), INT32_MAX) {}

PrunedProducts::~PrunedProducts() = default;

void PrunedProducts::restart() {
  expected_ = raised_ = evaluated_ = 0;
  raise_columns_ = gains_columns_ = 0;
  next_raised_ = Bounds::forced() < 0 ? kFewest : 0;
  next_evaluated_ = next_evaluated_raised_ = 0;
}

Index PrunedProducts::width() const { return kWidth; }

std::size_t PrunedProducts::bytes() const { return columns_.bytes(); }

Index PrunedProducts::choose_for_raise(std::span<const Index> candidates) {
  const auto count = static_cast<Index>(candidates.size());
  if (raised_ + count < next_raised_) return raise_columns_;
  raise_columns_ = choose(candidates, std::max(expected_ - raised_, count));
  next_raised_ = raise_columns_ > 0 ? raised_ + count + kFewest : std::max(2 * raised_, kFewest);
  return raise_columns_;
}

// Nobody knows how many there will be: as many as there were. What pays depends on the maxima alone, so one
// choice holds until they have risen some more.
Index PrunedProducts::choose_for_gains(std::span<const Index> candidates) {
  if (raised_ < next_evaluated_raised_ || evaluated_ < next_evaluated_) return gains_columns_;
  gains_columns_ = choose(candidates, evaluated_);
  next_evaluated_raised_ = raised_ + raised_ / 4 + 1;
  next_evaluated_ = evaluated_ + static_cast<Index>(kBetween) / scaled_.rows().view.n;
  return gains_columns_;
}

Index PrunedProducts::choose(std::span<const Index> candidates, Index expected) {
  if (scaled_.of_others()) return 0;  // prefixes are of the pool alone
  const auto all = static_cast<double>(expected);
  if (!bounds_.worth_a_trial(all * static_cast<double>(scaled_.rows().view.n))) return 0;
  const auto some = candidates.first(std::min(candidates.size(), at(kTrialRows)));
  std::optional<PrefixedRows> others;  // not needed where nothing is counted
  return bounds_.choose(kCosts, all, [&](Index leading) {
    if (!others) others.emplace(bounds_.some(some));
    return survivors(*others, leading);
  });
}

double PrunedProducts::survivors(const PrefixedRows& candidates, Index columns) {
  if (!trial_) {
    const Index n = scaled_.rows().view.n;
    std::vector<Index> ids(at(std::min(kTrialRows, n)));
    for (std::size_t i = 0; i < ids.size(); ++i) {
      ids[i] = static_cast<Index>(i) * n / static_cast<Index>(ids.size());
    }
    PrefixedRows rows = bounds_.some(ids);
    trial_ = std::make_unique<Trial>(Trial{std::move(ids), std::move(rows)});
  }
  std::vector<std::int32_t> max;
  for (const Index row : trial_->ids) max.push_back(max_[at(row)]);
  const auto none = std::span(no_max_).first(at(candidates.size()));
  const Index above = bounds_.count(trial_->rows, max, candidates, none, columns);
  return static_cast<double>(above) / static_cast<double>(candidates.size() * trial_->rows.size());
}

void PrunedProducts::raise(std::span<const Index> candidates, Index columns, std::span<Fixed> increases) {
  walk(candidates, columns, [this](int thread, Index v, std::size_t c, std::int32_t sim, std::int32_t max) {
    workspaces_[at(thread)].sums[c] += weighted(scaled_.weights(), at(v), sim - max);
    return sim;
  });
  add_up(increases);
  raised(static_cast<Index>(candidates.size()));
}

void PrunedProducts::gains(std::span<const Index> candidates, Index columns, std::span<Fixed> gains,
                           FoundPairs* found) {
  walk(candidates, columns,
       [this, found](int thread, Index v, std::size_t c, std::int32_t sim, std::int32_t max) {
         workspaces_[at(thread)].sums[c] += weighted(scaled_.weights(), at(v), sim - max);
         if (found != nullptr) found->add(thread, c, {static_cast<std::uint32_t>(v), sim});
         return max;
       });
  add_up(gains);
  evaluated(static_cast<Index>(candidates.size()));
}

void PrunedProducts::prepare(std::span<const Index> candidates, Index columns) {
  const CascadeRows pool{scaled_.rows().view, scaled_.rows().factors, bounds_.prefix()};
  columns_.load(pool, candidates, columns, kernels_);
  if (leading_ != columns) {
    leading_ = 0;
    workspaces_.clear();
    for (int thread = 0; thread < pool_.threads(); ++thread) {
      workspaces_.push_back({Cascade(pool, columns, block_rows(), kWidth, kernels_), {}, {}});
    }
    leading_ = columns;
  }
  for (Workspace& space : workspaces_) space.sums.assign(candidates.size(), 0);
}

// Of all pool rows with the candidates, a block of rows at a time.
void PrunedProducts::walk(std::span<const Index> candidates, Index columns, const Visit& visit) {
  prepare(candidates, columns);
  const RowView& rows = scaled_.rows().view;
  const double before = multiplied();
  const Index block = block_rows();
  pool_.run((rows.n + block - 1) / block, [&](std::int64_t task, int thread) {
    Workspace& space = workspaces_[at(thread)];
    const Index begin = task * block;
    space.rows.resize(at(std::min(block, rows.n - begin)));
    std::iota(space.rows.begin(), space.rows.end(), begin);
    space.cascade.find(space.rows, max_.data() + begin, no_max_.data(), columns_);
    for (std::size_t i = 0; i < space.rows.size(); ++i) walk_row(i, thread, visit);
  });
  products_ += multiplied() - before;
  products_ += static_cast<double>(candidates.size()) * static_cast<double>(rows.n) *
               static_cast<double>(columns) / static_cast<double>(rows.d);
}

void PrunedProducts::walk_row(std::size_t i, int thread, const Visit& visit) {
  Workspace& space = workspaces_[at(thread)];
  const auto found = space.cascade.found(i);
  if (found.empty()) return;
  const Index v = space.rows[i];
  space.cascade.take(v);
  std::int32_t max = max_[at(v)];
  for (const std::uint16_t& c : found) {
    if (space.cascade.bound(columns_, c) < static_cast<float>(max) - Cascade::kRoundings) continue;
    if (space.cascade.estimate(columns_, c) < static_cast<float>(max) - space.cascade.margin()) continue;
    std::int32_t sim;
    space.cascade.multiply(columns_, {&c, 1}, {&sim, 1});
    if (sim > max) max = visit(thread, v, c, sim, max);
  }
  max_[at(v)] = max;
}

Index PrunedProducts::block_rows() const {
  return std::max<Index>(1, kBlockRows / kernels_.tile_rows) * kernels_.tile_rows;
}

double PrunedProducts::multiplied() const {
  double sum = 0.0;
  for (const Workspace& space : workspaces_) sum += space.cascade.multiplied();
  return sum;
}

// What the threads found for each candidate.
void PrunedProducts::add_up(std::span<Fixed> sums) const {
  std::fill(sums.begin(), sums.end(), Fixed{0});
  for (const Workspace& space : workspaces_) {
    for (std::size_t c = 0; c < sums.size(); ++c) sums[c] += space.sums[c];
  }
}

}  // namespace qdit::cpu
