#include "cpu/graph_pairs.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <limits>

#include "cpu/tiles.h"

namespace qdit::cpu {
namespace {

constexpr Index kMostColumns = 512;
constexpr Index kRowTiles = 3;         // tiles of rows that stream past the columns at a time
constexpr std::size_t kGathered = 64;  // pairs of a column before they go to its list
constexpr std::size_t kAhead = 4;      // rows whose list is fetched early
constexpr std::int32_t kNoViewer = -1;
constexpr std::int32_t kNoNeed = std::numeric_limits<std::int32_t>::max();  // nothing is above it

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
      row_floor(row_factor.size()),
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
  load_columns(columns, space, lists);
  sort_probers(columns, space);
  const auto block = static_cast<std::size_t>(kRowTiles * input_.kernels.tile_rows);
  const std::span<const Index> probers(space.probers);
  std::int32_t group = kNoViewer;  // the part of the rows at hand
  for (std::size_t begin = 0; begin < probers.size(); begin += block) {
    const auto rows = probers.subspan(begin, std::min(block, probers.size() - begin));
    const auto next = probers.subspan(begin + rows.size());
    multiply(rows, space);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (i < next.size()) {
        prefetch(input_.rows, next[i]);
        lists.prefetch_head(next[i]);
      }
      if (i + kAhead < rows.size()) lists.prefetch(rows[i + kAhead]);
      const std::int32_t own = space.owners[begin + i];
      if (own != group) {
        set_needs(group, space, [&](std::size_t j) { return lists.need(member(columns, j)); });
        set_needs(own, space, [](std::size_t) { return kNoNeed; });
        group = own;
      }
      const std::int32_t* sims = space.sims.data() + i * static_cast<std::size_t>(width_);
      reduce_row(columns, rows[i], space.row_floor[i], sims, space, lists);
    }
    tick();
  }
  for (std::size_t j = 0; j < columns.count; ++j) flush(columns, j, space, lists);
  unload_columns(columns, space);
}

void PairPass::load_columns(const Columns& columns, Workspace& space, const NeighborLists& lists) const {
  const std::span<const Index> ids(input_.layout.members.data() + columns.begin, columns.count);
  space.columns.pack(input_.kernels, input_.rows, input_.factors, ids);
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

void PairPass::multiply(std::span<const Index> rows, Workspace& space) const {
  space.rows.load(input_.rows, rows);
  std::fill(space.row_factor.begin(), space.row_factor.end(), 0.0f);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    space.row_factor[i] = input_.factors[static_cast<std::size_t>(rows[i])];
    space.row_floor[i] = input_.floors[static_cast<std::size_t>(rows[i])];
  }
  const BlockOperands operands{
      space.rows,    static_cast<Index>(rows.size()), space.row_factor.data(), space.no_max.data(),
      space.columns, static_cast<int>(input_.rows.d), space.partial.data(),    space.unused_gains.data()};
  multiply_tiles(
      input_.kernels, operands, static_cast<std::size_t>(width_),
      [&](Index i, Index column) { return space.sims.data() + i * width_ + column; },
      [](Index, Index, Index) {});
}

// A pair that both rows see comes up twice, once from either side; the other kind is entered for both here.
void PairPass::reduce_row(const Columns& columns, Index row, std::int32_t floor, const std::int32_t* sims,
                          Workspace& space, NeighborLists& lists) const {
  const Uses uses{space.floors.data(), space.needs.data(), floor, lists.need(row)};
  const std::size_t found =
      input_.kernels.above_uses(sims, uses, columns.count, {space.found_ids.data(), space.found_sims.data()});
  std::size_t of_row = 0;
  for (std::size_t i = 0; i < found; ++i) {
    const std::size_t j = space.found_ids[i];
    const std::int32_t sim = space.found_sims[i];
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
