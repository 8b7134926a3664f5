// Builds a similarity graph over a pool: checks the rows once, finds their cells, multiplies the candidate
// pairs.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "cpu/kernels.h"
#include "cpu/scaled_pool.h"
#include "cpu/thread_pool.h"
#include "engine/graph_backend.h"
#include "engine/pool_options.h"
#include "engine/types.h"

namespace qdit::cpu {

class GraphBuilder final : public GraphBackend {
 public:
  // Uses rows, metric, zero_rows, threads, simd and interrupt; throws as the cpu backend does.
  explicit GraphBuilder(PoolOptions options);

  Index size() const override { return options_.rows.n; }
  Index depth() const override { return options_.rows.d; }
  double scale() const override { return scaled_.scale(); }
  double nearest(const RowView& centroids, Index count, std::span<std::int32_t> ids,
                 const Tick& tick) override;
  Result pairs(const Pairs& request, const Tick& tick) override;

 private:
  PoolOptions options_;
  const Kernels& kernels_;
  ThreadPool pool_;
  ScaledPool scaled_;  // similarities have the bits of the cpu backend's
  std::vector<float> cosine_factors_;
};

}  // namespace qdit::cpu
