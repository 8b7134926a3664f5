#include "cpu/bounded_nearest.h"

#include <algorithm>
#include <numeric>

#include "cpu/bound_tiles.h"

namespace qdit::cpu {
namespace {

constexpr Index kRowTiles = 6;
constexpr Index kTrialRows = 256;
constexpr Index kMostCentroids = 1 << 16;  // their numbers have 16 bits in a cascade
// The rows of many centroids do not fit the second-level cache.
constexpr Bounds::Costs kCosts{3.0, 8.0};
constexpr double kSeed = 6.0;  // products, of whole rows, that each one to be found costs
constexpr std::int32_t kNone = INT32_MIN;

std::size_t at(Index i) { return static_cast<std::size_t>(i); }

}  // namespace

struct BoundedNearest::Workspace {
  Workspace(const NearestInput& input, const CascadeRows& pool, const CascadeColumns& centroids,
            Index leading, Index block)
      : cascade(pool, leading, input.kernels.tile_rows, input.centroids.n, input.kernels),
        prefixes(leading, block),
        stride(centroids.panels().padded()),
        bounds(at(block * stride)),
        found_ids(at(input.centroids.n + input.kernels.lanes)),
        found_bounds(found_ids.size()),
        sims(found_ids.size()) {}

  Cascade cascade;
  std::vector<Index> rows;
  BoundRows prefixes;
  Index stride;
  AlignedVector<std::int32_t> bounds;  // of a block of rows with all centroids
  std::vector<std::uint32_t> found_ids;
  std::vector<std::int32_t> found_bounds;
  std::vector<std::int32_t> sims;
  std::vector<std::uint16_t> which;
  std::vector<std::int32_t> seeds;
  std::vector<std::int32_t> seed_bounds;
};

bool BoundedNearest::pays(Index count) {
  const Index m = input_.centroids.n;
  if (input_.bounds == nullptr || m > kMostCentroids || 4 * count > m) return false;
  if (!input_.bounds->worth_a_trial(static_cast<double>(input_.rows.n) * static_cast<double>(m)))
    return false;
  prefixed_ = std::make_unique<PrefixedRows>(
      input_.centroids, squared_norms(input_.centroids, input_.kernels, input_.pool), *input_.scaled,
      input_.bounds->rotation(), input_.kernels, input_.pool);
  leading_ = choose(count);
  if (leading_ == 0) return false;
  pool_ = std::make_unique<CascadeRows>(
      CascadeRows{input_.scaled->rows().view, input_.scaled->rows().factors, input_.bounds->prefix()});
  std::vector<Index> all(at(m));
  std::iota(all.begin(), all.end(), 0);
  centroids_.load({input_.centroids, input_.centroid_factors, prefixed_->prefix()}, all, leading_,
                  input_.kernels);
  return true;
}

// By what the nearest centroids of some rows leave of the others.
Index BoundedNearest::choose(Index count) {
  if (Bounds::forced() > 0) return input_.bounds->choose(kCosts, 0.0, {});
  std::vector<Index> ids(at(std::min(kTrialRows, input_.rows.n)));
  std::vector<float> factors;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const Index row = static_cast<Index>(i) * input_.rows.n / static_cast<Index>(ids.size());
    factors.push_back(input_.factors[at(row)]);
    ids[i] = input_.first + row;
  }
  const PrefixedRows some = input_.bounds->some(ids);
  const NearestInput trial{input_.kernels, input_.pool,      some.view(),
                           factors,        input_.centroids, input_.centroid_factors};
  std::vector<std::int32_t> nearest(ids.size() * at(count));
  std::vector<std::int32_t> sims(nearest.size());
  nearest_centroids(trial, count, nearest, sims);
  std::vector<std::int32_t> least;
  for (std::size_t end = at(count); end <= sims.size(); end += at(count)) least.push_back(sims[end - 1]);
  const std::vector<std::int32_t> none(at(input_.centroids.n), INT32_MAX);
  const double pairs = static_cast<double>(some.size()) * static_cast<double>(input_.centroids.n);
  Bounds::Costs costs = kCosts;
  costs.more = kSeed * static_cast<double>(count) / static_cast<double>(input_.centroids.n);
  return input_.bounds->choose(costs, static_cast<double>(input_.centroids.n), [&](Index leading) {
    return static_cast<double>(input_.bounds->count(some, least, *prefixed_, none, leading)) / pairs;
  });
}

double BoundedNearest::run(Index count, std::span<std::int32_t> ids, std::span<std::int32_t> sims) {
  const Index n = input_.rows.n;
  const Index block = kRowTiles * input_.kernels.tile_rows;
  std::vector<Workspace> workspaces;
  workspaces.reserve(at(input_.pool.threads()));
  for (int thread = 0; thread < input_.pool.threads(); ++thread) {
    workspaces.emplace_back(input_, *pool_, centroids_, leading_, block);
  }
  std::fill(ids.begin(), ids.end(), -1);
  std::fill(sims.begin(), sims.end(), kNone);
  input_.pool.run((n + block - 1) / block, [&](std::int64_t task, int thread) {
    Workspace& space = workspaces[at(thread)];
    const Index begin = task * block;
    const Index rows = std::min(block, n - begin);
    space.rows.resize(at(rows));
    std::iota(space.rows.begin(), space.rows.end(), input_.first + begin);
    space.prefixes.load(pool_->prefix, space.rows);
    store_bounds(input_.kernels, space.prefixes, centroids_.panels(), space.bounds.data(), space.stride);
    for (Index i = 0; i < rows; ++i) {
      const std::size_t first = at((begin + i) * count);
      find(i, ids.subspan(first, at(count)), sims.subspan(first, at(count)), space);
    }
  });
  double products = static_cast<double>(n) * static_cast<double>(input_.centroids.n) *
                    static_cast<double>(leading_) / static_cast<double>(input_.rows.d);
  for (const Workspace& space : workspaces) products += space.cascade.multiplied();
  return products;
}

// The nearest of the i-th row of the block. ids, sims: empty lists.
void BoundedNearest::find(Index i, std::span<std::int32_t> ids, std::span<std::int32_t> sims,
                          Workspace& space) const {
  const Kernels& kernels = input_.kernels;
  const std::int32_t* bounds = space.bounds.data() + i * space.stride;
  const auto m = at(input_.centroids.n);
  const Pairs found{space.found_ids.data(), space.found_bounds.data()};
  const auto multiply = [&] {
    space.cascade.multiply(centroids_, space.which, space.sims);
    for (std::size_t j = 0; j < space.which.size(); ++j)
      insert_nearest(ids, sims, space.which[j], space.sims[j]);
    space.which.clear();
  };
  space.cascade.take(space.rows[at(i)]);
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
  for (const std::int32_t seed : space.seeds) space.which.push_back(static_cast<std::uint16_t>(seed));
  multiply();
  // One that ties with the last of the list may come before it.
  const std::int32_t least = sims.back();
  const std::size_t above = kernels.above_one(bounds, least - 1, m, found);
  for (std::size_t j = 0; j < above; ++j) {
    const auto id = static_cast<std::int32_t>(found.ids[j]);
    if (space.cascade.bound(centroids_, found.ids[j]) < static_cast<float>(least) - Cascade::kRoundings)
      continue;
    if (std::find(space.seeds.begin(), space.seeds.end(), id) != space.seeds.end()) continue;
    const float estimate = space.cascade.estimate(centroids_, found.ids[j]);
    if (estimate < static_cast<float>(least) - space.cascade.margin()) continue;
    space.which.push_back(static_cast<std::uint16_t>(id));
  }
  multiply();
}

}  // namespace qdit::cpu
