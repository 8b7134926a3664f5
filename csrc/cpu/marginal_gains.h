// Gains of candidates one by one, with the running maxima as they are: from pairs that are known, by bounds
// and what they leave, or by products with all rows. The same bits either way.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>

#include "cpu/alive_cache.h"
#include "cpu/kernels.h"
#include "cpu/pool.h"
#include "cpu/product.h"
#include "cpu/running_max.h"
#include "cpu/scaled_pool.h"
#include "cpu/thread_pool.h"
#include "engine/backend.h"
#include "engine/types.h"

namespace qdit::cpu {

class MarginalGains {
 public:
  // cache_bytes: for pairs that are kept. Counts its work in stats.
  MarginalGains(const Kernels& kernels, ThreadPool& pool, Product& product, const ScaledPool& scaled,
                RunningMax& max, std::size_t cache_bytes, BackendStats& stats);

  // To be called when maxima start anew.
  void restart() { cache_.clear(); }
  bool cached(Index candidate) const { return cache_.contains(candidate); }
  // width: the most candidates of one product. Maxima must not be empty.
  void evaluate(std::span<const Index> candidates, std::size_t width, std::span<Fixed> out);
  // Raises the maxima by a candidate that is cached; returns the rise of their sum.
  Fixed commit(Index candidate);

  std::size_t bytes() const { return std::max(peak_, cache_.bytes()) + panels_.bytes(); }

 private:
  void multiply(std::span<const Index> candidates, std::span<Fixed> out, FoundPairs* found);

  const Kernels& kernels_;
  ThreadPool& pool_;
  Product& product_;
  const ScaledPool& scaled_;
  RunningMax& max_;
  BackendStats& stats_;
  AliveCache cache_;
  std::size_t peak_ = 0;  // bytes of the cache and of pairs on their way to it
  Panels panels_;
};

}  // namespace qdit::cpu
