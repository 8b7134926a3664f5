// The most similar of m given rows (centroids) for every row of the pool.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "cpu/kernels.h"
#include "cpu/thread_pool.h"
#include "engine/rows.h"
#include "engine/types.h"

namespace qdit::cpu {

struct NearestInput {
  const Kernels& kernels;
  ThreadPool& pool;
  const RowView& rows;
  std::span<const float> factors;
  const RowView& centroids;
  std::span<const float> centroid_factors;
};

// Puts a pair into a short list that is sorted by falling similarity, then rising number, if it belongs
// there.
void insert_nearest(std::span<std::int32_t> ids, std::span<std::int32_t> sims, std::int32_t id,
                    std::int32_t sim);

// For every pool row the `count` most similar centroids, the best first, the smaller number on ties.
// ids, sims: (n, count), row after row; sims in fixed point. Returns the products of two whole rows, in
// effect, that it took.
double nearest_centroids(const NearestInput& input, Index count, std::span<std::int32_t> ids,
                         std::span<std::int32_t> sims);

}  // namespace qdit::cpu
