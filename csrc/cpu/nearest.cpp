#include "cpu/nearest.h"

#include <algorithm>
#include <numeric>

#include "cpu/block_similarities.h"
#include "cpu/bounded_nearest.h"
#include "cpu/pool.h"

namespace qdit::cpu {
namespace {

constexpr Index kColumns = 512;  // centroids that are packed at a time
constexpr Index kRowTiles = 6;   // tiles of rows that stream past them
constexpr std::int32_t kNone = INT32_MIN;

struct Workspace {
  Workspace(const NearestInput& input, Index block)
      : sims(input.kernels, input.rows.d, block, kColumns),
        found_ids(static_cast<std::size_t>(kColumns + input.kernels.lanes)),
        found_sims(found_ids.size()) {}

  BlockSimilarities sims;
  std::vector<Index> rows;
  std::vector<std::uint32_t> found_ids;
  std::vector<std::int32_t> found_sims;
};

}  // namespace

void insert_nearest(std::span<std::int32_t> ids, std::span<std::int32_t> sims, std::int32_t id,
                    std::int32_t sim) {
  const auto before = [&](std::size_t place) {
    return sims[place] > sim || (sims[place] == sim && ids[place] >= 0 && ids[place] < id);
  };
  std::size_t place = sims.size() - 1;
  if (before(place)) return;
  while (place > 0 && !before(place - 1)) {
    sims[place] = sims[place - 1];
    ids[place] = ids[place - 1];
    --place;
  }
  sims[place] = sim;
  ids[place] = id;
}

double nearest_centroids(const NearestInput& input, Index count, std::span<std::int32_t> ids,
                         std::span<std::int32_t> sims) {
  if (BoundedNearest bounded(input); bounded.pays(count)) return bounded.run(count, ids, sims);
  const Kernels& kernels = input.kernels;
  const Index n = input.rows.n;
  const Index block = kRowTiles * kernels.tile_rows;
  const Index m = input.centroids.n;
  std::fill(sims.begin(), sims.end(), kNone);
  std::fill(ids.begin(), ids.end(), -1);
  std::vector<Workspace> workspaces;
  workspaces.reserve(static_cast<std::size_t>(input.pool.threads()));
  for (int thread = 0; thread < input.pool.threads(); ++thread) workspaces.emplace_back(input, block);
  Panels columns;
  for (Index first = 0; first < m; first += kColumns) {
    std::vector<Index> pack(static_cast<std::size_t>(std::min(kColumns, m - first)));
    std::iota(pack.begin(), pack.end(), first);
    columns.pack(kernels, input.centroids, input.centroid_factors, pack);
    input.pool.run((n + block - 1) / block, [&](std::int64_t task, int thread) {
      Workspace& space = workspaces[static_cast<std::size_t>(thread)];
      const Index begin = task * block;
      const Index rows = std::min(block, n - begin);
      space.rows.resize(static_cast<std::size_t>(rows));
      std::iota(space.rows.begin(), space.rows.end(), begin);
      space.sims.multiply(
          input.rows, space.rows,
          [&](std::size_t i) { return input.factors[static_cast<std::size_t>(space.rows[i])]; }, columns);
      const Pairs found{space.found_ids.data(), space.found_sims.data()};
      for (Index i = 0; i < rows; ++i) {
        const auto at = static_cast<std::size_t>((begin + i) * count);
        const auto best_ids = ids.subspan(at, static_cast<std::size_t>(count));
        const auto best_sims = sims.subspan(at, static_cast<std::size_t>(count));
        const std::size_t above = kernels.above_one(space.sims.row(i), best_sims.back(), pack.size(), found);
        for (std::size_t j = 0; j < above; ++j) {
          insert_nearest(best_ids, best_sims,
                         static_cast<std::int32_t>(first) + static_cast<std::int32_t>(found.ids[j]),
                         found.sims[j]);
        }
      }
    });
  }
  return static_cast<double>(n) * static_cast<double>(m);
}

}  // namespace qdit::cpu
