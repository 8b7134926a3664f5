#include "cpu/similar_pairs.h"

#include <unistd.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "cpu/aligned.h"
#include "cpu/cascade.h"
#include "cpu/pool.h"
#include "cpu/tiles.h"

namespace qdit::cpu {
namespace {

constexpr Index kWidth = 512;     // columns at a time
constexpr Index kBlockRows = 96;  // about: rows that stream past columns of bounds at a time
constexpr Index kRowTiles = 3;    // tiles of rows that stream past whole columns at a time
constexpr Index kTrialRows = 512;
constexpr Bounds::Costs kCosts{3.0, 9.0};

std::size_t at(Index i) { return static_cast<std::size_t>(i); }

// Packed columns take most of the second-level cache: they stay, rows stream past them.
Index whole_width(const Kernels& kernels, Index d) {
  long cache = sysconf(_SC_LEVEL2_CACHE_SIZE);
  if (cache <= 0) cache = 1 << 20;
  const Index pair = 2 * kernels.lanes;
  const Index fit = cache * 3 / 4 / (d * static_cast<Index>(sizeof(float))) / pair * pair;
  return std::clamp(fit, pair, kWidth);
}

SimilarPair pair_of(Index row, Index other, Fixed sim) {
  return {static_cast<std::uint32_t>(row), static_cast<std::uint32_t>(other), sim};
}

}  // namespace

struct SimilarPairs::Bounded {
  Bounded(const CascadeRows& pool, Index leading, Index block, std::int32_t below, const Kernels& kernels)
      : cascade(pool, leading, block, kWidth, kernels),
        row_max(at(block), below),
        column_max(at(kWidth + 2 * kernels.lanes), below),
        sims(at(kWidth)) {
    rows.reserve(at(block));
  }

  std::size_t bytes() const { return columns.bytes(); }

  Cascade cascade;
  CascadeColumns columns;
  AlignedVector<std::int32_t> row_max;
  AlignedVector<std::int32_t> column_max;
  std::vector<Index> rows;
  std::vector<std::uint16_t> which;  // columns that are left
  std::vector<std::int32_t> sims;
  std::vector<SimilarPair> found;
};

struct SimilarPairs::Whole {
  Whole(const Kernels& kernels, Index d, Index width)
      : rows(kernels, d, kRowTiles * kernels.tile_rows),
        no_max(at(kRowTiles * kernels.tile_rows), kPaddingMax),
        row_factor(no_max.size()),
        partial(at(2 * kernels.tile_rows * kernels.lanes)),
        sims(no_max.size() * at(width)),
        unused_gains(at(width)),
        found_ids(at(width + kernels.lanes)),
        found_sims(found_ids.size()),
        stride(width) {}

  std::size_t bytes() const { return rows.bytes() + columns.bytes() + sims.size() * sizeof(std::int32_t); }

  RowBlock rows;
  Panels columns;
  AlignedVector<std::int32_t> no_max;
  std::vector<float> row_factor;
  AlignedVector<float> partial;
  AlignedVector<std::int32_t> sims;
  std::vector<Fixed> unused_gains;
  std::vector<std::uint32_t> found_ids;
  std::vector<std::int32_t> found_sims;
  Index stride;
  std::vector<SimilarPair> found;
};

SimilarPairs::SimilarPairs(const Kernels& kernels, ThreadPool& pool, const ScaledPool& scaled, Bounds& bounds,
                           Fixed least)
    : kernels_(kernels), pool_(pool), scaled_(scaled), bounds_(bounds), least_(least), leading_(choose()) {}

// By the pairs that some rows leave among themselves.
Index SimilarPairs::choose() {
  const Index n = scaled_.rows().view.n;
  const double each = static_cast<double>(n) / 2.0;
  if (!bounds_.worth_a_trial(each * static_cast<double>(n))) return 0;
  std::vector<Index> ids(at(std::min(kTrialRows, n)));
  for (std::size_t i = 0; i < ids.size(); ++i) {
    ids[i] = static_cast<Index>(i) * n / static_cast<Index>(ids.size());
  }
  const std::vector<std::int32_t> below(ids.size(), static_cast<std::int32_t>(least_ - 1));
  const PrefixedRows some = bounds_.some(ids);
  const auto count = static_cast<double>(ids.size());
  return bounds_.choose(kCosts, each, [&](Index columns) {  // a row and itself are no pair
    const auto left = static_cast<double>(bounds_.count(some, below, some, below, columns));
    return std::max(0.0, left - count) / (count * count);
  });
}

std::vector<SimilarPair> SimilarPairs::find(const PairRange& range) {
  const RowView& rows = scaled_.rows().view;
  check_range(range, rows.n);
  std::vector<SimilarPair> found;
  if (leading_ > 0) {
    const CascadeRows pool{rows, scaled_.rows().factors, bounds_.prefix()};
    const Index block = std::max<Index>(1, kBlockRows / kernels_.tile_rows) * kernels_.tile_rows;
    std::vector<Bounded> spaces;
    spaces.reserve(at(pool_.threads()));
    for (int thread = 0; thread < pool_.threads(); ++thread) {
      spaces.emplace_back(pool, leading_, block, static_cast<std::int32_t>(least_ - 1), kernels_);
    }
    run(range, kWidth, spaces, found);
    for (const Bounded& space : spaces) products_ += space.cascade.multiplied();
  } else {
    const Index width = whole_width(kernels_, rows.d);
    std::vector<Whole> spaces;
    spaces.reserve(at(pool_.threads()));
    for (int thread = 0; thread < pool_.threads(); ++thread) spaces.emplace_back(kernels_, rows.d, width);
    run(range, width, spaces, found);
  }
  sort_pairs(found);
  return found;
}

template <class Workspace>
void SimilarPairs::run(const PairRange& range, Index width, std::vector<Workspace>& spaces,
                       std::vector<SimilarPair>& found) {
  const RowView& rows = scaled_.rows().view;
  std::atomic<std::size_t> count{0};
  const auto work = [&](std::int64_t task, int thread) {
    Workspace& space = spaces[at(thread)];
    const Index begin = range.begin + task * width;
    const std::size_t before = space.found.size();
    run_columns({begin, std::min(width, range.end - begin)}, space);
    const std::size_t now = space.found.size() - before;
    if (count.fetch_add(now, std::memory_order_relaxed) + now > range.most) throw_too_many(range);
  };
  const Index tasks = (range.end - range.begin + width - 1) / width;
  pool_.run(tasks, work);
  const double share = leading_ > 0 ? static_cast<double>(leading_) / static_cast<double>(rows.d) : 1.0;
  for (Index begin = range.begin; begin < range.end; begin += width) {
    products_ +=
        share * static_cast<double>(rows.n - begin) * static_cast<double>(std::min(width, range.end - begin));
  }
  bytes_ = 0;
  for (Workspace& space : spaces) {
    bytes_ += space.bytes() + space.found.capacity() * sizeof(SimilarPair);
    add_pairs(found, std::move(space.found), range);
  }
}

void SimilarPairs::run_columns(const Columns& columns, Bounded& space) const {
  const RowView& rows = scaled_.rows().view;
  const auto least = static_cast<float>(least_);
  std::vector<Index> ids(at(columns.count));
  std::iota(ids.begin(), ids.end(), columns.begin);
  space.columns.load({rows, scaled_.rows().factors, bounds_.prefix()}, ids, leading_, kernels_);
  const auto block = static_cast<Index>(space.row_max.size());
  for (Index begin = columns.begin; begin < rows.n; begin += block) {
    space.rows.resize(at(std::min(block, rows.n - begin)));
    std::iota(space.rows.begin(), space.rows.end(), begin);
    space.cascade.find(space.rows, space.row_max.data(), space.column_max.data(), space.columns);
    for (std::size_t i = 0; i < space.rows.size(); ++i) {
      const auto left = space.cascade.found(i);
      if (left.empty()) continue;
      const Index row = space.rows[i];
      space.cascade.take(row);
      space.which.clear();
      for (const std::uint16_t column : left) {
        if (columns.begin + column >= row) break;  // the pair comes up from its other row, or is none
        if (space.cascade.bound(space.columns, column) < least - Cascade::kRoundings) continue;
        if (space.cascade.estimate(space.columns, column) < least - space.cascade.margin()) continue;
        space.which.push_back(column);
      }
      space.cascade.multiply(space.columns, space.which, space.sims);
      for (std::size_t j = 0; j < space.which.size(); ++j) {
        if (space.sims[j] < least_) continue;
        space.found.push_back(pair_of(columns.begin + space.which[j], row, space.sims[j]));
      }
    }
  }
}

void SimilarPairs::run_columns(const Columns& columns, Whole& space) const {
  const RowView& rows = scaled_.rows().view;
  const std::vector<float>& factors = scaled_.rows().factors;
  std::vector<Index> ids(at(columns.count));
  std::iota(ids.begin(), ids.end(), columns.begin);
  space.columns.pack(kernels_, rows, factors, ids);
  const Index block = kRowTiles * kernels_.tile_rows;
  for (Index begin = columns.begin; begin < rows.n; begin += block) {
    const Index count = std::min(block, rows.n - begin);
    space.rows.load(rows, begin, count);
    std::fill(space.row_factor.begin(), space.row_factor.end(), 0.0f);
    std::copy_n(factors.begin() + begin, count, space.row_factor.begin());
    const BlockOperands operands{space.rows,
                                 count,
                                 space.row_factor.data(),
                                 space.no_max.data(),
                                 space.columns,
                                 static_cast<int>(rows.d),
                                 space.partial.data(),
                                 space.unused_gains.data()};
    multiply_tiles(
        kernels_, operands, at(space.stride),
        [&](Index i, Index column) { return space.sims.data() + i * space.stride + column; },
        [](Index, Index, Index) {});
    for (Index i = 0; i < count; ++i) {
      const Index row = begin + i;
      const Index before = std::min(columns.count, row - columns.begin);  // columns before the row
      const std::size_t found =
          kernels_.above_one(space.sims.data() + i * space.stride, static_cast<std::int32_t>(least_ - 1),
                             at(before), {space.found_ids.data(), space.found_sims.data()});
      for (std::size_t j = 0; j < found; ++j) {
        space.found.push_back(pair_of(columns.begin + space.found_ids[j], row, space.found_sims[j]));
      }
    }
  }
}

}  // namespace qdit::cpu
