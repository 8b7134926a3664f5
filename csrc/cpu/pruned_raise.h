// Raises running maxima by rows of the pool, of which only those are multiplied with a pool row whose bound
// (prefix.h) is above its maximum. To the last bit what products with all of them do.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "cpu/aligned.h"
#include "cpu/bounds.h"
#include "cpu/cascade.h"
#include "cpu/kernels.h"
#include "cpu/scaled_pool.h"
#include "cpu/thread_pool.h"
#include "engine/types.h"

namespace qdit::cpu {

class PrunedRaise {
 public:
  PrunedRaise(const Kernels& kernels, ThreadPool& pool, const ScaledPool& scaled, Bounds& bounds,
              AlignedVector<std::int32_t>& max);
  PrunedRaise(const PrunedRaise&) = delete;
  PrunedRaise& operator=(const PrunedRaise&) = delete;
  ~PrunedRaise();

  // Forgets the candidates so far, not what is known of the pool.
  void restart();
  // How many candidates will come.
  void expect(Index candidates) { expected_ = candidates; }
  // The columns of the cheapest bounds for these, with the maxima as they are; 0 where none pays.
  Index choose(std::span<const Index> candidates);
  // How many candidates are best taken at a time.
  Index width() const;
  // With bounds of so many columns. increases[i] is what the i-th candidate raised the sum of the maxima by,
  // after those before it.
  void raise(std::span<const Index> candidates, Index columns, std::span<Fixed> increases);
  // Candidates that were raised without this.
  void passed(Index candidates) { seen_ += candidates; }

  double products() const { return products_; }  // of two whole rows, in effect
  std::size_t bytes() const;

 private:
  struct Workspace;
  struct Trial;

  double survivors(const PrefixedRows& candidates, Index columns);
  void raise_row(std::size_t i, Workspace& space) const;

  const Kernels& kernels_;
  ThreadPool& pool_;
  const ScaledPool& scaled_;
  Bounds& bounds_;
  AlignedVector<std::int32_t>& max_;
  Index expected_ = 0;
  Index seen_ = 0;   // candidates since restart()
  Index retry_ = 0;  // how many of them there must be before bounds are thought of again
  std::unique_ptr<Trial> trial_;
  AlignedVector<std::int32_t> no_max_;  // for each candidate
  CascadeColumns columns_;
  double products_ = 0.0;
};

}  // namespace qdit::cpu
