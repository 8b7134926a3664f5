#include "cpu/graph_pairs.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>

#include "cpu/bounds.h"
#include "cpu/tiles.h"

namespace qdit::cpu {
namespace {

// Of a part at a time. Of packed columns a third as many would fit the second-level cache, but a row that
// streams past costs more than they do.
constexpr Index kMostColumns = 768;
constexpr Index kRowTiles = 3;         // tiles of rows that stream past the columns at a time
constexpr std::size_t kGathered = 64;  // pairs of a column before they go to its list
constexpr std::size_t kAhead = 4;      // rows whose list is fetched early
constexpr std::int32_t kNoViewer = -1;
constexpr double kSingle = 4.5;           // what a product by itself costs, in products of a tile ...
constexpr double kShortRow = 30.0;        // ... and shortening a row
constexpr double kMostCost = 0.75;        // of a block with bounds, beside one without
constexpr Index kMostWithoutBounds = 64;  // blocks, until they are tried again
constexpr std::int32_t kNoNeed = std::numeric_limits<std::int32_t>::max();  // nothing is above it

Index choose_width(const PairPass::Input& input) {
  const Index pair = 2 * input.kernels.lanes;
  return kMostColumns / pair * pair;
}

}  // namespace

PairPass::Workspace::Workspace(const Input& input, Index width, const ShortRows& short_rows)
    : shorts(short_rows.columns(), kRowTiles * input.kernels.tile_rows),
      row(static_cast<std::size_t>(input.scaled.rows().view.d)),
      rows(input.kernels, input.scaled.rows().view.d, kRowTiles * input.kernels.tile_rows),
      no_max(static_cast<std::size_t>(kRowTiles * input.kernels.tile_rows), kPaddingMax),
      partial(static_cast<std::size_t>(2 * input.kernels.tile_rows * input.kernels.lanes)),
      sims(static_cast<std::size_t>(kRowTiles * input.kernels.tile_rows * width)),
      row_factor(static_cast<std::size_t>(kRowTiles * input.kernels.tile_rows)),
      unused_gains(static_cast<std::size_t>(width)),
      viewers(static_cast<std::size_t>(width * input.layout.probes)),
      first_viewer(static_cast<std::size_t>(input.layout.parts()), kNoViewer),
      floors(static_cast<std::size_t>(width)),
      needs(static_cast<std::size_t>(width)),
      found_ids(static_cast<std::size_t>(width + input.kernels.lanes)),
      found_sims(found_ids.size()),
      keys(static_cast<std::size_t>(width)),
      column_keys(static_cast<std::size_t>(width) * kGathered),
      column_counts(static_cast<std::size_t>(width)) {}

PairPass::PairPass(const Input& input)
    : input_(input), shorts_(input.kernels, input.scaled.rows().view.d), width_(choose_width(input)) {
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
  for (int thread = 0; thread < input.pool.threads(); ++thread)
    workspaces_.emplace_back(input, width_, shorts_);
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
  load_columns(columns, space, lists);
  sort_probers(columns, space);
  const std::size_t block = space.row_factor.size();
  const std::span<const Index> probers(space.probers);
  for (std::size_t begin = 0; begin < probers.size(); begin += block) {
    const std::size_t count = std::min(block, probers.size() - begin);
    for (const Index next : probers.subspan(begin + count, std::min(block, probers.size() - begin - count))) {
      prefetch(input_.scaled.rows().view, next);
      lists.prefetch_head(next);
    }
    run_block(columns, begin, count, space, lists);
    tick();
  }
  run_dense(columns, space, lists);
  for (std::size_t j = 0; j < columns.count; ++j) flush(columns, j, space, lists);
  unload_columns(columns, space);
}

// Where bounds leave few columns of a row, those are multiplied one by one; other rows wait until they are
// enough for tiles. Blocks of which bounds rule too little out are followed by some without any.
void PairPass::run_block(const Columns& columns, std::size_t begin, std::size_t count, Workspace& space,
                         NeighborLists& lists) const {
  if (Bounds::forced() == 0 || space.without_bounds > 0) {
    space.without_bounds = std::max<Index>(0, space.without_bounds - 1);
    for (std::size_t i = begin; i < begin + count; ++i) defer(columns, i, space, lists);
    return;
  }
  const std::span<const Index> rows = std::span<const Index>(space.probers).subspan(begin, count);
  bound(columns, rows, space);
  space.crowded.clear();
  double singles = 0.0;
  for (std::size_t i = 0; i < count; ++i) {
    if (i + kAhead < count) lists.prefetch(rows[i + kAhead]);
    enter_group(columns, space.owners[begin + i], space, lists);
    const Uses uses = uses_of(rows[i], space, lists);
    const std::size_t found = find(columns, i, uses, space);
    if (kSingle * static_cast<double>(found) > static_cast<double>(columns.count)) {
      space.crowded.push_back(begin + i);
      continue;
    }
    singles += static_cast<double>(found);
    multiply_found(rows[i], found, space);
    reduce_row(columns, rows[i], uses, found, space, lists);
  }
  const auto crowded = static_cast<double>(space.crowded.size());
  for (const std::size_t i : space.crowded) defer(columns, i, space, lists);
  const double cost =
      input_.kernels.short_cost + kShortRow / static_cast<double>(columns.count) +
      (kSingle * singles / static_cast<double>(columns.count) + crowded) / static_cast<double>(count);
  const bool paid = cost < kMostCost || Bounds::forced() > 0;
  space.without_bounds = paid ? 0 : space.next_without_bounds;
  space.next_without_bounds = paid ? 1 : std::min(2 * space.next_without_bounds, kMostWithoutBounds);
}

void PairPass::defer(const Columns& columns, std::size_t i, Workspace& space, NeighborLists& lists) const {
  space.deferred.push_back(i);
  if (space.deferred.size() == space.row_factor.size()) run_dense(columns, space, lists);
}

// All products with the rows that wait.
void PairPass::run_dense(const Columns& columns, Workspace& space, NeighborLists& lists) const {
  if (space.deferred.empty()) return;
  space.deferred_rows.clear();
  for (const std::size_t i : space.deferred) space.deferred_rows.push_back(space.probers[i]);
  const std::span<const Index> rows(space.deferred_rows);
  multiply(columns, rows, space);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (i + kAhead < rows.size()) lists.prefetch(rows[i + kAhead]);
    enter_group(columns, space.owners[space.deferred[i]], space, lists);
    const Uses uses = uses_of(rows[i], space, lists);
    reduce_row(columns, rows[i], uses, find(columns, i, uses, space), space, lists);
  }
  space.deferred.clear();
}

Uses PairPass::uses_of(Index row, const Workspace& space, const NeighborLists& lists) const {
  return {space.floors.data(), space.needs.data(), input_.floors[static_cast<std::size_t>(row)],
          lists.need(row)};
}

// Columns whose similarity with the i-th row of a block, or the bound of it, is of use.
std::size_t PairPass::find(const Columns& columns, std::size_t i, const Uses& uses, Workspace& space) const {
  const std::int32_t* sims = space.sims.data() + i * static_cast<std::size_t>(width_);
  return input_.kernels.above_uses(sims, uses, columns.count,
                                   {space.found_ids.data(), space.found_sims.data()});
}

// Columns that see the part of a row get the pair from the other side.
void PairPass::enter_group(const Columns& columns, std::int32_t own, Workspace& space,
                           const NeighborLists& lists) const {
  if (own == space.group) return;
  set_needs(space.group, space, [&](std::size_t j) { return lists.need(member(columns, j)); });
  set_needs(own, space, [](std::size_t) { return kNoNeed; });
  space.group = own;
}

void PairPass::load_columns(const Columns& columns, Workspace& space, const NeighborLists& lists) const {
  const std::span<const Index> ids(input_.layout.members.data() + columns.begin, columns.count);
  space.group = kNoViewer;
  space.packed = false;
  space.shortened = false;
  std::size_t viewer = 0;
  for (std::size_t j = 0; j < ids.size(); ++j) {
    space.floors[j] = input_.floors[static_cast<std::size_t>(ids[j])];
    space.needs[j] = lists.need(ids[j]);
    for (const std::int32_t part : seen(ids[j])) {
      if (part < 0) continue;
      std::int32_t& first = space.first_viewer[static_cast<std::size_t>(part)];
      space.viewers[viewer] = {static_cast<std::uint32_t>(j), first};
      first = static_cast<std::int32_t>(viewer++);
    }
  }
}

void PairPass::unload_columns(const Columns& columns, Workspace& space) const {
  for (std::size_t j = 0; j < columns.count; ++j) {
    for (const std::int32_t part : seen(member(columns, j))) {
      if (part >= 0) space.first_viewer[static_cast<std::size_t>(part)] = kNoViewer;
    }
  }
}

// Rows of one part come together.
void PairPass::sort_probers(const Columns& columns, Workspace& space) const {
  const auto begin =
      static_cast<std::size_t>(input_.layout.prober_begin[static_cast<std::size_t>(columns.part)]);
  const auto count = static_cast<std::size_t>(columns.probers);
  space.probers.resize(count);
  space.owners.resize(count);
  for (std::size_t i = 0; i < count; ++i) {
    const Index row = input_.layout.probers[begin + i];
    space.probers[i] = Index{input_.layout.own(row)} << 32 | row;
  }
  std::sort(space.probers.begin(), space.probers.end());
  for (std::size_t i = 0; i < count; ++i) {
    space.owners[i] = static_cast<std::int32_t>(space.probers[i] >> 32);
    space.probers[i] &= 0xffffffff;
  }
}

template <class Need>
void PairPass::set_needs(std::int32_t part, Workspace& space, const Need& need) const {
  if (part < 0) return;
  for (std::int32_t i = space.first_viewer[static_cast<std::size_t>(part)]; i != kNoViewer;) {
    const Viewer& viewer = space.viewers[static_cast<std::size_t>(i)];
    space.needs[viewer.column] = need(viewer.column);
    i = viewer.next;
  }
}

void PairPass::bound(const Columns& columns, std::span<const Index> rows, Workspace& space) const {
  const ScaledRows& all = input_.scaled.rows();
  if (!space.shortened) {
    space.short_columns.load(shorts_, all.view, all.factors,
                             {input_.layout.members.data() + columns.begin, columns.count}, input_.kernels);
    space.shortened = true;
  }
  space.shorts.load(static_cast<Index>(rows.size()), [&](Index i, std::uint8_t* to) {
    const Index row = rows[static_cast<std::size_t>(i)];
    decode(input_.kernels, all.view.dtype, all.view.row(row), space.row.data(), space.row.size());
    return shorts_.shorten(space.row.data(), all.factors[static_cast<std::size_t>(row)], to);
  });
  store_bounds(input_.kernels, space.shorts, space.short_columns.panels(), space.sims.data(), width_);
}

void PairPass::multiply_found(Index row, std::size_t found, Workspace& space) const {
  if (found == 0) return;
  const ScaledRows& rows = input_.scaled.rows();
  decode(input_.kernels, rows.view.dtype, rows.view.row(row), space.row.data(), space.row.size());
  space.short_columns.multiply(space.row.data(), rows.factors[static_cast<std::size_t>(row)],
                               std::span(space.found_ids).first(found), space.found_sims.data(),
                               space.scratch);
}

void PairPass::multiply(const Columns& columns, std::span<const Index> rows, Workspace& space) const {
  const RowView& view = input_.scaled.rows().view;
  const std::span<const float> factors(input_.scaled.rows().factors);
  if (!space.packed) {
    space.columns.pack(input_.kernels, view, factors,
                       {input_.layout.members.data() + columns.begin, columns.count});
    space.packed = true;
  }
  space.rows.load(view, rows);
  std::fill(space.row_factor.begin(), space.row_factor.end(), 0.0f);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    space.row_factor[i] = factors[static_cast<std::size_t>(rows[i])];
  }
  const BlockOperands operands{
      space.rows,    static_cast<Index>(rows.size()), space.row_factor.data(), space.no_max.data(),
      space.columns, static_cast<int>(view.d),        space.partial.data(),    space.unused_gains.data()};
  multiply_tiles(
      input_.kernels, operands, static_cast<std::size_t>(width_),
      [&](Index i, Index column) { return space.sims.data() + i * width_ + column; },
      [](Index, Index, Index) {});
}

// A pair that both rows see comes up twice, once from either side; the other kind is entered for both here.
void PairPass::reduce_row(const Columns& columns, Index row, const Uses& uses, std::size_t found,
                          Workspace& space, NeighborLists& lists) const {
  std::size_t of_row = 0;
  for (std::size_t i = 0; i < found; ++i) {
    const std::size_t j = space.found_ids[i];
    const std::int32_t sim = space.found_sims[i];
    if (sim <= std::min(uses.floor, space.floors[j])) continue;
    space.keys[of_row] = neighbor_key(static_cast<std::uint32_t>(member(columns, j)), sim);
    of_row += sim > uses.need ? 1u : 0u;
    std::uint32_t& count = space.column_counts[j];
    space.column_keys[j * kGathered + count] = neighbor_key(static_cast<std::uint32_t>(row), sim);
    count += sim > space.needs[j] ? 1u : 0u;
    if (count == kGathered) {
      flush(columns, j, space, lists);
      space.needs[j] = lists.need(member(columns, j));
    }
  }
  if (of_row > 0) lists.append(row, {space.keys.data(), of_row});
}

void PairPass::flush(const Columns& columns, std::size_t j, Workspace& space, NeighborLists& lists) const {
  lists.append(member(columns, j), {space.column_keys.data() + j * kGathered, space.column_counts[j]});
  space.column_counts[j] = 0;
}

std::span<const std::int32_t> PairPass::seen(Index row) const {
  const auto probes = static_cast<std::size_t>(input_.layout.probes);
  return std::span(input_.layout.seen).subspan(static_cast<std::size_t>(row) * probes, probes);
}

}  // namespace qdit::cpu
