#include "cpu/pruned_raise.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace qdit::cpu {
namespace {

constexpr Index kWidth = 512;     // candidates at a time
constexpr Index kBlockRows = 96;  // about
constexpr Index kTrialRows = 256;
constexpr Index kFewest = 64;  // candidates: fewer are not worth a trial of their own
constexpr Bounds::Costs kCosts{1.3, 3.3};

std::size_t at(Index i) { return static_cast<std::size_t>(i); }

}  // namespace

// Some rows of the pool that survivors are counted on.
struct PrunedRaise::Trial {
  std::vector<Index> ids;
  PrefixedRows rows;
};

struct PrunedRaise::Workspace {
  Cascade cascade;
  std::vector<Index> rows;
  std::vector<Fixed> sums;
};

PrunedRaise::PrunedRaise(const Kernels& kernels, ThreadPool& pool, const ScaledPool& scaled, Bounds& bounds,
                         AlignedVector<std::int32_t>& max)
    : kernels_(kernels),
      pool_(pool),
      scaled_(scaled),
      bounds_(bounds),
      max_(max),
      no_max_(at(kWidth), INT32_MAX) {}

PrunedRaise::~PrunedRaise() = default;

void PrunedRaise::restart() { expected_ = seen_ = retry_ = 0; }

Index PrunedRaise::width() const { return kWidth; }

std::size_t PrunedRaise::bytes() const { return columns_.bytes(); }

Index PrunedRaise::choose(std::span<const Index> candidates) {
  const auto count = static_cast<Index>(candidates.size());
  if (Bounds::forced() < 0 && (count < kFewest || seen_ < retry_)) return 0;
  const auto rest = static_cast<double>(std::max(expected_ - seen_, count));
  if (!bounds_.worth_a_trial(rest * static_cast<double>(scaled_.rows().view.n))) return 0;
  const auto some = candidates.first(std::min(candidates.size(), at(kTrialRows)));
  const PrefixedRows others = bounds_.some(some);
  const Index columns =
      bounds_.choose(kCosts, rest, [&](Index leading) { return survivors(others, leading); });
  if (columns == 0) retry_ = std::max(2 * seen_, kFewest);
  return columns;
}

double PrunedRaise::survivors(const PrefixedRows& candidates, Index columns) {
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

void PrunedRaise::raise(std::span<const Index> candidates, Index columns, std::span<Fixed> increases) {
  const RowView& rows = scaled_.rows().view;
  const CascadeRows pool{rows, scaled_.rows().factors, bounds_.prefix()};
  columns_.load(pool, candidates, columns, kernels_);
  const Index tile = kernels_.tile_rows;
  const Index block = std::max<Index>(1, kBlockRows / tile) * tile;
  std::vector<Workspace> workspaces;
  workspaces.reserve(at(pool_.threads()));
  for (int thread = 0; thread < pool_.threads(); ++thread) {
    workspaces.push_back(
        {Cascade(pool, columns, block, kWidth, kernels_), {}, std::vector<Fixed>(candidates.size())});
  }
  pool_.run((rows.n + block - 1) / block, [&](std::int64_t task, int thread) {
    Workspace& space = workspaces[at(thread)];
    const Index begin = task * block;
    space.rows.resize(at(std::min(block, rows.n - begin)));
    std::iota(space.rows.begin(), space.rows.end(), begin);
    space.cascade.find(space.rows, max_.data() + begin, no_max_.data(), columns_);
    for (std::size_t i = 0; i < space.rows.size(); ++i) raise_row(i, space);
  });
  std::fill(increases.begin(), increases.end(), Fixed{0});
  for (const Workspace& space : workspaces) {
    products_ += space.cascade.multiplied();
    for (std::size_t c = 0; c < increases.size(); ++c) increases[c] += space.sums[c];
  }
  const auto count = static_cast<Index>(candidates.size());
  products_ += static_cast<double>(count) * static_cast<double>(rows.n) * static_cast<double>(columns) /
               static_cast<double>(rows.d);
  seen_ += count;
}

void PrunedRaise::raise_row(std::size_t i, Workspace& space) const {
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
    if (sim <= max) continue;
    space.sums[c] += sim - max;
    max = sim;
  }
  max_[at(v)] = max;
}

}  // namespace qdit::cpu
