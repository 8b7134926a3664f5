#include "cpu/graph_pairs.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>

#include "cpu/tiles.h"

namespace qdit::cpu {
namespace {

constexpr Index kMostColumns = 512;
constexpr Index kRowTiles = 3;         // tiles of rows that stream past the columns at a time
constexpr std::size_t kGathered = 64;  // pairs of a column before they go to its list
constexpr std::size_t kAhead = 4;      // rows whose list is fetched early

// Packed columns take most of the second-level cache: they stay, rows stream past them.
Index choose_width(const PairPass::Input& input) {
  long cache = sysconf(_SC_LEVEL2_CACHE_SIZE);
  if (cache <= 0) cache = 1 << 20;
  const Index pair = 2 * input.kernels.lanes;
  const Index fit = cache * 3 / 4 / (input.rows.d * static_cast<Index>(sizeof(float))) / pair * pair;
  return std::clamp(fit, pair, kMostColumns);
}

}  // namespace

PairPass::Workspace::Workspace(const Input& input, Index width)
    : rows(input.kernels, input.rows.d, kRowTiles * input.kernels.tile_rows),
      no_max(static_cast<std::size_t>(kRowTiles * input.kernels.tile_rows), kPaddingMax),
      partial(static_cast<std::size_t>(2 * input.kernels.tile_rows * input.kernels.lanes)),
      sims(static_cast<std::size_t>(kRowTiles * input.kernels.tile_rows * width)),
      row_factor(static_cast<std::size_t>(kRowTiles * input.kernels.tile_rows)),
      unused_gains(static_cast<std::size_t>(width)),
      floors(static_cast<std::size_t>(width)),
      thresholds(static_cast<std::size_t>(width)),
      found_ids(static_cast<std::size_t>(width + input.kernels.lanes)),
      found_sims(found_ids.size()),
      keys(static_cast<std::size_t>(width)),
      column_keys(static_cast<std::size_t>(width) * kGathered),
      column_counts(static_cast<std::size_t>(width)) {}

PairPass::PairPass(const Input& input) : input_(input), width_(choose_width(input)) {
  const CellLayout& layout = input.layout;
  const auto width = static_cast<std::size_t>(width_);
  for (Index part = 0; part < layout.parts(); ++part) {
    const auto p = static_cast<std::size_t>(part);
    const auto end = static_cast<std::size_t>(layout.member_begin[p + 1]);
    const Index probers = layout.prober_begin[p + 1] - layout.prober_begin[p];
    for (auto begin = static_cast<std::size_t>(layout.member_begin[p]); begin < end; begin += width) {
      columns_.push_back({part, begin, std::min(width, end - begin), probers});
      products_ += static_cast<double>(columns_.back().count) * static_cast<double>(probers);
    }
  }
  const auto work = [](const Columns& columns) {
    return columns.probers * static_cast<Index>(columns.count);
  };
  std::stable_sort(columns_.begin(), columns_.end(),
                   [&](const Columns& a, const Columns& b) { return work(a) > work(b); });
  for (int thread = 0; thread < input.pool.threads(); ++thread) workspaces_.emplace_back(input, width_);
}

void PairPass::run(NeighborLists& lists, const std::function<void(double)>& tick) {
  std::atomic<std::int64_t> done{0};
  input_.pool.run(static_cast<std::int64_t>(columns_.size()), [&](std::int64_t task, int thread) {
    const Columns& columns = columns_[static_cast<std::size_t>(task)];
    const auto report = [&] {
      if (thread == 0) tick(static_cast<double>(done.load(std::memory_order_relaxed)) / products_);
    };
    run_columns(columns, workspaces_[static_cast<std::size_t>(thread)], lists, report);
    done.fetch_add(columns.probers * static_cast<Index>(columns.count), std::memory_order_relaxed);
  });
}

void PairPass::run_columns(const Columns& columns, Workspace& space, NeighborLists& lists,
                           const std::function<void()>& tick) const {
  load_columns(columns, space);
  const auto block = static_cast<std::size_t>(kRowTiles * input_.kernels.tile_rows);
  const std::span<const std::uint32_t> probers(
      input_.layout.probers.data() + input_.layout.prober_begin[static_cast<std::size_t>(columns.part)],
      static_cast<std::size_t>(columns.probers));
  for (std::size_t begin = 0; begin < probers.size(); begin += block) {
    const auto rows = probers.subspan(begin, std::min(block, probers.size() - begin));
    multiply(rows, space);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (i + kAhead < rows.size()) lists.prefetch(rows[i + kAhead]);
      reduce_row(columns, rows[i], space.sims.data() + i * static_cast<std::size_t>(width_), space, lists);
    }
    tick();
  }
  for (std::size_t j = 0; j < columns.count; ++j) {
    lists.append(input_.layout.members[columns.begin + j],
                 {space.column_keys.data() + j * kGathered, space.column_counts[j]});
  }
}

void PairPass::load_columns(const Columns& columns, Workspace& space) const {
  const std::span<const Index> ids(input_.layout.members.data() + columns.begin, columns.count);
  space.columns.pack(input_.kernels, input_.rows, input_.factors, ids);
  for (std::size_t j = 0; j < ids.size(); ++j) {
    space.floors[j] = input_.floors[static_cast<std::size_t>(ids[j])];
  }
  std::fill(space.column_counts.begin(), space.column_counts.end(), 0);
}

void PairPass::multiply(std::span<const std::uint32_t> rows, Workspace& space) const {
  space.row_ids.assign(rows.begin(), rows.end());
  space.rows.load(input_.rows, space.row_ids);
  std::fill(space.row_factor.begin(), space.row_factor.end(), 0.0f);
  for (std::size_t i = 0; i < rows.size(); ++i) space.row_factor[i] = input_.factors[rows[i]];
  const BlockOperands operands{
      space.rows,    static_cast<Index>(rows.size()), space.row_factor.data(), space.no_max.data(),
      space.columns, static_cast<int>(input_.rows.d), space.partial.data(),    space.unused_gains.data()};
  multiply_tiles(
      input_.kernels, operands, static_cast<std::size_t>(width_),
      [&](Index i, Index column) { return space.sims.data() + i * width_ + column; },
      [](Index, Index, Index) {});
}

// A pair that both rows see comes up twice, once from either side; the other kind is entered for both here.
void PairPass::reduce_row(const Columns& columns, std::uint32_t row, const std::int32_t* sims,
                          Workspace& space, NeighborLists& lists) const {
  const std::int32_t floor = input_.floors[row];
  for (std::size_t j = 0; j < columns.count; ++j) space.thresholds[j] = std::min(floor, space.floors[j]);
  const std::size_t found = input_.kernels.above(sims, space.thresholds.data(), columns.count,
                                                 {space.found_ids.data(), space.found_sims.data()});
  const NeighborKey cutoff = lists.cutoff(row);
  const std::int32_t own = input_.layout.own(row);
  std::size_t of_row = 0;
  for (std::size_t i = 0; i < found; ++i) {
    const std::size_t column = space.found_ids[i];
    const std::int32_t sim = space.found_sims[i];
    const Index member = input_.layout.members[columns.begin + column];
    const NeighborKey key = neighbor_key(static_cast<std::uint32_t>(member), sim);
    if (key > cutoff) space.keys[of_row++] = key;
    const NeighborKey reverse = neighbor_key(row, sim);
    if (reverse > lists.cutoff(member) && !sees(member, own)) collect(columns, column, reverse, space, lists);
  }
  if (of_row > 0) lists.append(row, {space.keys.data(), of_row});
}

void PairPass::collect(const Columns& columns, std::size_t column, NeighborKey key, Workspace& space,
                       NeighborLists& lists) const {
  std::uint32_t& count = space.column_counts[column];
  NeighborKey* keys = space.column_keys.data() + column * kGathered;
  keys[count] = key;
  if (++count < kGathered) return;
  lists.append(input_.layout.members[columns.begin + column], {keys, kGathered});
  count = 0;
}

bool PairPass::sees(Index row, std::int32_t part) const {
  const auto probes = static_cast<std::size_t>(input_.layout.probes);
  const std::int32_t* seen = input_.layout.seen.data() + static_cast<std::size_t>(row) * probes;
  bool any = false;
  for (std::size_t j = 0; j < probes; ++j) any |= seen[j] == part;  // no branch: the loop is short
  return any;
}

}  // namespace qdit::cpu
