#include "cpu/pruned_pass.h"

#include <algorithm>
#include <atomic>
#include <numeric>

namespace qdit::cpu {
namespace {

constexpr Index kWidth = 512;     // columns at a time
constexpr Index kBlockRows = 96;  // about
constexpr Index kTrialRows = 512;
constexpr std::size_t kGathered = 64;  // pairs of a column before they go to its list
constexpr Bounds::Costs kCosts{3.0, 9.0};

std::size_t at(Index i) { return static_cast<std::size_t>(i); }

// Pairs that wait to be appended to a list.
struct Gathered {
  std::vector<std::uint32_t> ids;
  std::vector<std::int32_t> sims;

  void add(Index id, std::int32_t sim) {
    ids.push_back(static_cast<std::uint32_t>(id));
    sims.push_back(sim);
  }
  void flush(Index v, AliveLists& lists) {
    if (!ids.empty()) lists.append(v, {ids.data(), sims.data()}, ids.size(), 0);
    ids.clear();
    sims.clear();
  }
};

}  // namespace

struct PrunedPass::Workspace {
  Workspace(const CascadeRows& pool, Index leading, Index block, const Kernels& kernels)
      : cascade(pool, leading, block, kWidth, kernels),
        column_max(at(kWidth + 2 * kernels.lanes), kPaddingMax),
        gains(at(pool.view.n)),
        sims(at(kWidth)),
        of_column(at(kWidth)) {}

  Cascade cascade;
  CascadeColumns columns;
  AlignedVector<std::int32_t> column_max;
  std::vector<Fixed> gains;  // per row of the pool
  std::vector<Index> rows;
  std::vector<std::uint16_t> which;  // columns whose similarity with a row matters
  std::vector<std::int32_t> sims;
  Gathered of_row;
  std::vector<Gathered> of_column;
};

PrunedPass::PrunedPass(const Kernels& kernels, ThreadPool& pool, const ScaledPool& scaled, Bounds& bounds,
                       const std::int32_t* max)
    : kernels_(kernels), pool_(pool), scaled_(scaled), bounds_(bounds), max_(max) {}

bool PrunedPass::pays() {
  const Index n = scaled_.rows().view.n;
  const double each = static_cast<double>(n) / 2.0;
  if (!bounds_.worth_a_trial(each * static_cast<double>(n))) return false;
  std::vector<Index> ids(at(std::min(kTrialRows, n)));
  std::vector<std::int32_t> max;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    ids[i] = static_cast<Index>(i) * n / static_cast<Index>(ids.size());
    max.push_back(max_[ids[i]]);
  }
  const PrefixedRows some = bounds_.some(ids);
  const double pairs = static_cast<double>(ids.size()) * static_cast<double>(ids.size());
  leading_ = bounds_.choose(kCosts, each, [&](Index columns) {
    return static_cast<double>(bounds_.count(some, max, some, max, columns)) / pairs;
  });
  return leading_ > 0;
}

void PrunedPass::run(std::span<Fixed> gains, AliveLists& lists, const std::function<void(double)>& tick) {
  const RowView& rows = scaled_.rows().view;
  const CascadeRows pool{rows, scaled_.rows().factors, bounds_.prefix()};
  const Index block = std::max<Index>(1, kBlockRows / kernels_.tile_rows) * kernels_.tile_rows;
  std::vector<Workspace> workspaces;
  workspaces.reserve(at(pool_.threads()));
  for (int thread = 0; thread < pool_.threads(); ++thread) {
    workspaces.emplace_back(pool, leading_, block, kernels_);
    workspaces.back().rows.reserve(at(block));
  }
  std::atomic<std::int64_t> done{0};
  double total = 0.0;
  for (Index begin = 0; begin < rows.n; begin += kWidth) {
    total += static_cast<double>((rows.n - begin) * std::min(kWidth, rows.n - begin));
  }
  // The first tasks are the largest: the last ones even the threads out.
  pool_.run((rows.n + kWidth - 1) / kWidth, [&](std::int64_t task, int thread) {
    const Columns columns{task * kWidth, std::min(kWidth, rows.n - task * kWidth)};
    run_columns(columns, workspaces[at(thread)], lists, [&] {
      if (thread == 0) tick(static_cast<double>(done.load(std::memory_order_relaxed)) / total);
    });
    done.fetch_add((rows.n - columns.begin) * columns.count, std::memory_order_relaxed);
  });
  std::fill(gains.begin(), gains.end(), Fixed{0});
  products_ += total * static_cast<double>(leading_) / static_cast<double>(rows.d);
  bytes_ = 0;
  for (const Workspace& space : workspaces) {
    products_ += space.cascade.multiplied();
    bytes_ += space.columns.bytes() + space.gains.size() * sizeof(Fixed);
    for (std::size_t c = 0; c < gains.size(); ++c) gains[c] += space.gains[c];
  }
}

void PrunedPass::run_columns(const Columns& columns, Workspace& space, AliveLists& lists,
                             const std::function<void()>& tick) const {
  const RowView& rows = scaled_.rows().view;
  std::vector<Index> ids(at(columns.count));
  std::iota(ids.begin(), ids.end(), columns.begin);
  space.columns.load({rows, scaled_.rows().factors, bounds_.prefix()}, ids, leading_, kernels_);
  std::fill(space.column_max.begin(), space.column_max.end(), kPaddingMax);
  std::copy_n(max_ + columns.begin, columns.count, space.column_max.begin());
  const auto block = static_cast<Index>(space.rows.capacity());
  for (Index begin = columns.begin; begin < rows.n; begin += block) {
    space.rows.resize(at(std::min(block, rows.n - begin)));
    std::iota(space.rows.begin(), space.rows.end(), begin);
    space.cascade.find(space.rows, max_ + begin, space.column_max.data(), space.columns);
    for (std::size_t i = 0; i < space.rows.size(); ++i) reduce_row(columns, i, space, lists);
    tick();
  }
  for (std::size_t j = 0; j < ids.size(); ++j) space.of_column[j].flush(ids[j], lists);
}

// A row is v for all columns; below the square on the diagonal, where each pair occurs only once, the columns
// are also v for the row.
void PrunedPass::reduce_row(const Columns& columns, std::size_t i, Workspace& space,
                            AliveLists& lists) const {
  const auto found = space.cascade.found(i);
  if (found.empty()) return;
  const Index row = space.rows[i];
  const std::int32_t of_row = max_[row];
  const bool once = row >= columns.begin + columns.count;
  space.cascade.take(row);
  space.which.clear();
  for (const std::uint16_t column : found) {
    const std::int32_t of_other = max_[columns.begin + column];
    const auto least = static_cast<float>(once ? std::min(of_row, of_other) : of_row);
    if (space.cascade.bound(space.columns, column) < least - Cascade::kRoundings) continue;
    if (space.cascade.estimate(space.columns, column) < least - space.cascade.margin()) continue;
    space.which.push_back(column);
  }
  space.cascade.multiply(space.columns, space.which, space.sims);
  for (std::size_t j = 0; j < space.which.size(); ++j) {
    const std::int32_t sim = space.sims[j];
    const std::uint16_t column = space.which[j];
    const Index other = columns.begin + column;
    const std::int32_t of_other = max_[other];
    if (sim > of_row) {
      space.gains[at(other)] += weighted(scaled_.weights(), at(row), sim - of_row);
      space.of_row.add(other, sim);
    }
    if (once && sim > of_other) {
      space.gains[at(row)] += weighted(scaled_.weights(), at(other), sim - of_other);
      space.of_column[column].add(row, sim);
      if (space.of_column[column].ids.size() == kGathered) space.of_column[column].flush(other, lists);
    }
  }
  space.of_row.flush(row, lists);
}

std::size_t PrunedPass::bytes() const { return bytes_ + bounds_.bytes(); }

}  // namespace qdit::cpu
