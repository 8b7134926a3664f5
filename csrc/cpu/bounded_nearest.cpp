#include "cpu/bounded_nearest.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "cpu/bounds.h"
#include "cpu/pool.h"

namespace qdit::cpu {
namespace {

constexpr Index kRowTiles = 6;
constexpr Index kTrialRows = 256;  // at most ...
constexpr Index kTrialShare = 16;  // ... and of the rows one in so many
constexpr Index kFewest = 64;      // centroids that bounds are thought of for ...
constexpr Index kMost = 1 << 16;   // ... and that memory is spent on
constexpr Index kEach = 4;         // of them for each one that is wanted
constexpr double kSingle = 4.0;    // what a product by itself costs, in products of a tile
constexpr double kMostCost = 0.9;  // of all products
constexpr std::int32_t kNone = INT32_MIN;

std::size_t at(Index i) { return static_cast<std::size_t>(i); }

}  // namespace

struct BoundedNearest::Workspace {
  Workspace(const NearestInput& input, const ShortRows& shorts, const ShortColumns& centroids, Index block)
      : rows(shorts.columns(), block),
        whole(at(input.rows.d)),
        stride(centroids.panels().padded()),
        bounds(at(block * stride)),
        found_ids(at(input.centroids.n + input.kernels.lanes)),
        found_bounds(found_ids.size()),
        sims(found_ids.size()) {}

  BoundRows rows;
  AlignedVector<float> whole;  // one of them, decoded
  Index stride;
  AlignedVector<std::int32_t> bounds;  // of a block of rows with all centroids
  std::vector<std::uint32_t> found_ids;
  std::vector<std::int32_t> found_bounds;
  std::vector<std::int32_t> seeds;
  std::vector<std::int32_t> seed_bounds;
  std::vector<std::uint32_t> which;  // centroids to be multiplied
  std::vector<std::int32_t> sims;
  ShortColumns::Scratch scratch;
  double multiplied = 0.0;
};

BoundedNearest::BoundedNearest(const NearestInput& input)
    : input_(input), block_(kRowTiles * input.kernels.tile_rows), shorts_(input.kernels, input.rows.d) {}

bool BoundedNearest::pays(Index count) {
  const Index m = input_.centroids.n;
  const bool forced = Bounds::forced() > 0;
  const Index trials = std::min(kTrialRows, input_.rows.n / kTrialShare);
  if (Bounds::forced() == 0 || kEach * count > m || m > kMost) return false;
  if (!forced && (m < kFewest || trials == 0)) return false;
  std::vector<Index> all(at(m));
  std::iota(all.begin(), all.end(), 0);
  centroids_.load(shorts_, input_.centroids, input_.centroid_factors, all, input_.kernels);
  if (forced) return true;
  std::vector<std::int32_t> ids(at(trials * count));
  std::vector<std::int32_t> sims(ids.size());
  std::vector<double> multiplied(at(input_.pool.threads()));
  input_.pool.run((trials + block_ - 1) / block_, [&](std::int64_t task, int thread) {
    Workspace space(input_, shorts_, centroids_, block_);
    std::vector<Index> rows;
    const Index end = std::min(trials, (task + 1) * block_);
    for (Index i = task * block_; i < end; ++i) rows.push_back(i * input_.rows.n / trials);
    const std::size_t first = at(task * block_ * count);
    const std::size_t items = rows.size() * at(count);
    find_block(rows, {at(count), std::span(ids).subspan(first, items), std::span(sims).subspan(first, items)},
               space);
    multiplied[at(thread)] += space.multiplied;
  });
  const double singles = std::accumulate(multiplied.begin(), multiplied.end(), 0.0) /
                         (static_cast<double>(trials) * static_cast<double>(m));
  return input_.kernels.short_cost + kSingle * singles < kMostCost;
}

double BoundedNearest::run(Index count, std::span<std::int32_t> ids, std::span<std::int32_t> sims) {
  const Index n = input_.rows.n;
  std::vector<Workspace> workspaces;
  workspaces.reserve(at(input_.pool.threads()));
  for (int thread = 0; thread < input_.pool.threads(); ++thread) {
    workspaces.emplace_back(input_, shorts_, centroids_, block_);
  }
  input_.pool.run((n + block_ - 1) / block_, [&](std::int64_t task, int thread) {
    const Index begin = task * block_;
    std::vector<Index> rows(at(std::min(block_, n - begin)));
    std::iota(rows.begin(), rows.end(), begin);
    const std::size_t first = at(begin * count);
    const std::size_t items = rows.size() * at(count);
    find_block(rows, {at(count), ids.subspan(first, items), sims.subspan(first, items)},
               workspaces[at(thread)]);
  });
  double products =
      static_cast<double>(n) * static_cast<double>(input_.centroids.n) * input_.kernels.short_cost;
  for (const Workspace& space : workspaces) products += space.multiplied;
  return products;
}

void BoundedNearest::find_block(std::span<const Index> rows, const Lists& lists, Workspace& space) const {
  const RowView& view = input_.rows;
  const auto take = [&](std::size_t i) {
    decode(input_.kernels, view.dtype, view.row(rows[i]), space.whole.data(), space.whole.size());
    return input_.factors[at(rows[i])];
  };
  space.rows.load(static_cast<Index>(rows.size()), [&](Index i, std::uint8_t* to) {
    const float factor = take(at(i));
    return shorts_.shorten(space.whole.data(), factor, to);
  });
  store_bounds(input_.kernels, space.rows, centroids_.panels(), space.bounds.data(), space.stride);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const float factor = take(i);
    find(space.bounds.data() + i * at(space.stride), factor, lists.ids.subspan(i * lists.count, lists.count),
         lists.sims.subspan(i * lists.count, lists.count), space);
  }
}

// ids, sims: of the row that space.whole has.
void BoundedNearest::find(const std::int32_t* bounds, float factor, std::span<std::int32_t> ids,
                          std::span<std::int32_t> sims, Workspace& space) const {
  const Kernels& kernels = input_.kernels;
  const auto m = at(input_.centroids.n);
  const Pairs found{space.found_ids.data(), space.found_bounds.data()};
  std::fill(ids.begin(), ids.end(), -1);
  std::fill(sims.begin(), sims.end(), kNone);
  space.seeds.assign(ids.size(), -1);
  space.seed_bounds.assign(ids.size(), kNone);
  constexpr std::size_t kScan = 512;
  for (std::size_t begin = 0; begin < m; begin += kScan) {
    const std::size_t above =
        kernels.above_one(bounds + begin, space.seed_bounds.back(), std::min(kScan, m - begin), found);
    for (std::size_t j = 0; j < above; ++j) {
      insert_nearest(space.seeds, space.seed_bounds, static_cast<std::int32_t>(begin + found.ids[j]),
                     found.sims[j]);
    }
  }
  space.which.assign(space.seeds.begin(), space.seeds.end());
  multiply(factor, ids, sims, space);
  // One that ties with the last of the list may come before it.
  const std::size_t above = kernels.above_one(bounds, sims.back() - 1, m, found);
  space.which.clear();
  for (std::size_t j = 0; j < above; ++j) {
    const auto id = static_cast<std::int32_t>(found.ids[j]);
    if (std::find(space.seeds.begin(), space.seeds.end(), id) != space.seeds.end()) continue;
    space.which.push_back(found.ids[j]);
  }
  multiply(factor, ids, sims, space);
}

void BoundedNearest::multiply(float factor, std::span<std::int32_t> ids, std::span<std::int32_t> sims,
                              Workspace& space) const {
  centroids_.multiply(space.whole.data(), factor, space.which, space.sims.data(), space.scratch);
  for (std::size_t j = 0; j < space.which.size(); ++j) {
    insert_nearest(ids, sims, static_cast<std::int32_t>(space.which[j]), space.sims[j]);
  }
  space.multiplied += static_cast<double>(space.which.size());
}

}  // namespace qdit::cpu
