#include "cpu/symmetric_pass.h"

#include <unistd.h>

#include <algorithm>
#include <numeric>

#include "cpu/tiles.h"
#include "cpu/weighted_sums.h"

namespace qdit::cpu {
namespace {

constexpr Index kMostColumns = 512;
constexpr Index kRowTiles = 3;         // tiles of rows that stream past the columns at a time
constexpr std::size_t kGathered = 64;  // pairs of a column before they go to its list
constexpr Index kAhead = 4;            // rows whose list is fetched early

// Packed columns take half of the second-level cache: they stay, rows stream past them. The wider, the fewer
// times a row is decoded and a list is reached.
Index choose_width(const SymmetricPass::Input& input) {
  long cache = sysconf(_SC_LEVEL2_CACHE_SIZE);
  if (cache <= 0) cache = 1 << 20;
  const Index pair = 2 * input.kernels.lanes;
  const Index fit = cache * 3 / 4 / (input.rows.d * static_cast<Index>(sizeof(float))) / pair * pair;
  return std::clamp(fit, pair, kMostColumns);
}

}  // namespace

SymmetricPass::Workspace::Workspace(const Input& input, Index width)
    : rows(input.kernels, input.rows.d, kRowTiles * input.kernels.tile_rows),
      partial(static_cast<std::size_t>(2 * input.kernels.tile_rows * input.kernels.lanes)),
      sims(static_cast<std::size_t>(kRowTiles * input.kernels.tile_rows * width)),
      thresholds(static_cast<std::size_t>(width)),
      row_factor(static_cast<std::size_t>(kRowTiles * input.kernels.tile_rows)),
      column_gains(static_cast<std::size_t>(width)),
      gains(static_cast<std::size_t>(input.rows.n)),
      found_ids(static_cast<std::size_t>(width + input.kernels.lanes)),
      found_sims(static_cast<std::size_t>(width + input.kernels.lanes)),
      column_ids(static_cast<std::size_t>(width) * kGathered),
      column_sims(static_cast<std::size_t>(width) * kGathered),
      column_counts(static_cast<std::size_t>(width)) {}

SymmetricPass::SymmetricPass(const Input& input) : input_(input), width_(choose_width(input)) {
  for (int thread = 0; thread < input.pool.threads(); ++thread) workspaces_.emplace_back(input, width_);
}

std::size_t SymmetricPass::bytes() const {
  std::size_t sum = 0;
  for (const auto& space : workspaces_) {
    sum += space.rows.bytes() + space.columns.bytes() + space.sims.size() * 4 + space.column_ids.size() * 8 +
           space.gains.size() * sizeof(Fixed);
  }
  return sum;
}

std::int64_t SymmetricPass::pairs() const {
  const Index n = input_.rows.n;
  const Index tasks = (n + width_ - 1) / width_;
  std::int64_t sum = 0;
  for (Index task = 0; task < tasks; ++task) {
    sum += (n - task * width_) * std::min(width_, n - task * width_);
  }
  return sum;
}

void SymmetricPass::run(std::span<Fixed> gains, AliveLists& lists, const std::function<void(double)>& tick) {
  const Index n = input_.rows.n;
  for (auto& space : workspaces_) std::fill(space.gains.begin(), space.gains.end(), 0);
  std::atomic<std::int64_t> done{0};
  const auto total = static_cast<double>(pairs());
  // The first tasks are the largest: the last ones even the threads out.
  input_.pool.run((n + width_ - 1) / width_, [&](std::int64_t task, int thread) {
    const Columns columns{task * width_, std::min(width_, n - task * width_)};
    const auto report = [&] {
      if (thread == 0) tick(static_cast<double>(done.load(std::memory_order_relaxed)) / total);
    };
    run_columns(columns, workspaces_[static_cast<std::size_t>(thread)], lists, report);
    done.fetch_add((n - columns.begin) * columns.count, std::memory_order_relaxed);
  });
  for (Index c = 0; c < n; ++c) {
    Fixed sum = 0;
    for (const auto& space : workspaces_) sum += space.gains[static_cast<std::size_t>(c)];
    gains[static_cast<std::size_t>(c)] = sum;
  }
}

void SymmetricPass::run_columns(const Columns& columns, Workspace& space, AliveLists& lists,
                                const std::function<void()>& tick) {
  std::vector<Index> ids(static_cast<std::size_t>(columns.count));
  for (std::size_t j = 0; j < ids.size(); ++j) ids[j] = columns.begin + static_cast<Index>(j);
  space.columns.pack(input_.kernels, input_.rows, input_.factors, ids);
  std::fill(space.column_gains.begin(), space.column_gains.end(), 0);
  std::fill(space.column_counts.begin(), space.column_counts.end(), 0);
  const Index block = kRowTiles * input_.kernels.tile_rows;
  for (Index row = columns.begin; row < input_.rows.n; row += block) {
    const Index count = std::min(block, input_.rows.n - row);
    for (std::size_t j = 0; j < ids.size(); ++j) space.thresholds[j] = lists.threshold(ids[j]);
    multiply(row, count, space);
    for (Index i = 0; i < count; ++i) {
      if (i + kAhead < count) lists.prefetch(row + i + kAhead);
      reduce_row(columns, row + i, space.sims.data() + i * width_, space, lists);
    }
    tick();
  }
  for (std::size_t j = 0; j < ids.size(); ++j) {
    flush_column(columns, j, space, lists);
    space.gains[static_cast<std::size_t>(ids[j])] += space.column_gains[j];
  }
}

void SymmetricPass::run(const Others& others, std::span<Fixed> gains, AliveLists& lists,
                        const std::function<void(double)>& tick) {
  const Index count = others.rows.n;
  std::atomic<Index> done{0};
  input_.pool.run((count + width_ - 1) / width_, [&](std::int64_t task, int thread) {
    const Columns columns{task * width_, std::min(width_, count - task * width_)};
    Workspace& space = workspaces_[static_cast<std::size_t>(thread)];
    const auto report = [&] {
      if (thread == 0) {
        tick(static_cast<double>(done.load(std::memory_order_relaxed)) / static_cast<double>(count));
      }
    };
    run_others(others, columns, space, lists, report);
    std::copy_n(space.column_gains.begin(), columns.count,
                gains.begin() + static_cast<std::ptrdiff_t>(columns.begin));
    done.fetch_add(columns.count, std::memory_order_relaxed);
  });
}

void SymmetricPass::run_others(const Others& others, const Columns& columns, Workspace& space,
                               AliveLists& lists, const std::function<void()>& tick) {
  std::vector<Index> ids(static_cast<std::size_t>(columns.count));
  std::iota(ids.begin(), ids.end(), columns.begin);
  space.columns.pack(input_.kernels, others.rows, others.factors, ids);
  std::fill(space.column_gains.begin(), space.column_gains.end(), 0);
  const Index block = kRowTiles * input_.kernels.tile_rows;
  for (Index row = 0; row < input_.rows.n; row += block) {
    const Index count = std::min(block, input_.rows.n - row);
    multiply(row, count, space);
    for (Index i = 0; i < count; ++i) {
      if (i + kAhead < count) lists.prefetch(row + i + kAhead);
      keep_row(row + i, others.first + columns.begin, ids.size(), space.sims.data() + i * width_, space,
               lists);
    }
    tick();
  }
}

// Similarities of a block of rows with the columns, and what the rows give to the gains of the columns.
void SymmetricPass::multiply(Index row, Index count, Workspace& space) {
  space.rows.load(input_.rows, row, count);
  std::copy_n(input_.factors.data() + row, count, space.row_factor.data());
  std::fill(space.row_factor.begin() + count, space.row_factor.end(), 0.0f);
  const BlockOperands operands{space.rows,
                               count,
                               space.row_factor.data(),
                               input_.max + row,
                               space.columns,
                               static_cast<int>(input_.rows.d),
                               space.partial.data(),
                               space.column_gains.data(),
                               input_.weights == nullptr ? nullptr : input_.weights + row};
  multiply_tiles(
      input_.kernels, operands, static_cast<std::size_t>(width_),
      [&](Index i, Index column) { return space.sims.data() + i * width_ + column; },
      [](Index, Index, Index) {});
}

// A row is v for all columns; below the square on the diagonal, where each pair occurs only once, the columns
// are also v for the row.
void SymmetricPass::reduce_row(const Columns& columns, Index row, const std::int32_t* sims, Workspace& space,
                               AliveLists& lists) {
  const Kernels& kernels = input_.kernels;
  const auto width = static_cast<std::size_t>(columns.count);
  const Pairs found{space.found_ids.data(), space.found_sims.data()};
  keep_row(row, input_.first + columns.begin, width, sims, space, lists);
  if (row < columns.begin + columns.count) return;
  const std::int32_t* max = input_.max + columns.begin;
  space.gains[static_cast<std::size_t>(row)] +=
      input_.weights == nullptr ? kernels.gain(sims, max, width)
                                : weighted_gain(sims, max, input_.weights + columns.begin, width);
  collect_columns(columns, row, kernels.above(sims, space.thresholds.data(), width, found), space, lists);
}

// What a row as v keeps of candidates that begin with number `first`.
void SymmetricPass::keep_row(Index row, Index first, std::size_t width, const std::int32_t* sims,
                             Workspace& space, AliveLists& lists) {
  const Pairs found{space.found_ids.data(), space.found_sims.data()};
  const std::size_t count = input_.kernels.above_one(sims, lists.threshold(row), width, found);
  if (count > 0) lists.append(row, found, count, first);
}

void SymmetricPass::collect_columns(const Columns& columns, Index row, std::size_t found, Workspace& space,
                                    AliveLists& lists) {
  for (std::size_t i = 0; i < found; ++i) {
    const std::size_t column = space.found_ids[i];
    std::uint32_t& count = space.column_counts[column];
    const std::size_t at = column * kGathered + count;
    space.column_ids[at] = static_cast<std::uint32_t>(row);
    space.column_sims[at] = space.found_sims[i];
    if (++count == kGathered) flush_column(columns, column, space, lists);
  }
}

void SymmetricPass::flush_column(const Columns& columns, std::size_t column, Workspace& space,
                                 AliveLists& lists) {
  const Pairs gathered{space.column_ids.data() + column * kGathered,
                       space.column_sims.data() + column * kGathered};
  lists.append(columns.begin + static_cast<Index>(column), gathered, space.column_counts[column],
               input_.first);
  space.column_counts[column] = 0;
}

}  // namespace qdit::cpu
