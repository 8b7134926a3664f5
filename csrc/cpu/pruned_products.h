// Products of rows of the pool with all pool rows, of which only those are made whose bound (prefix.h) is
// above the maximum of the pool row: gains, and maxima raised, to the last bit what all products give.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "cpu/aligned.h"
#include "cpu/alive_cache.h"
#include "cpu/bounds.h"
#include "cpu/cascade.h"
#include "cpu/kernels.h"
#include "cpu/scaled_pool.h"
#include "cpu/thread_pool.h"
#include "engine/types.h"

namespace qdit::cpu {

class PrunedProducts {
 public:
  PrunedProducts(const Kernels& kernels, ThreadPool& pool, const ScaledPool& scaled, Bounds& bounds,
                 AlignedVector<std::int32_t>& max);
  PrunedProducts(const PrunedProducts&) = delete;
  PrunedProducts& operator=(const PrunedProducts&) = delete;
  ~PrunedProducts();

  // Forgets the candidates so far, not what is known of the pool.
  void restart();
  // How many candidates maxima will be raised by.
  void expect(Index candidates) { expected_ = candidates; }
  // The columns of the cheapest bounds for these, with the maxima as they are; 0 where none pays.
  Index choose_for_raise(std::span<const Index> candidates);
  Index choose_for_gains(std::span<const Index> candidates);
  // How many candidates are best taken at a time.
  Index width() const;
  // With bounds of so many columns. increases[i] is what the i-th candidate raised the sum of the maxima by,
  // after those before it.
  void raise(std::span<const Index> candidates, Index columns, std::span<Fixed> increases);
  // gains[i] is what the i-th candidate alone would raise it by; found, if not null, gets their alive pairs.
  void gains(std::span<const Index> candidates, Index columns, std::span<Fixed> gains, FoundPairs* found);
  // Candidates that maxima were raised by, or that were evaluated, without this.
  void raised(Index candidates) { raised_ += candidates; }
  void evaluated(Index candidates) { evaluated_ += candidates; }

  double products() const { return products_; }  // of two whole rows, in effect
  std::size_t bytes() const;

 private:
  struct Workspace;
  struct Trial;
  // Called for a pair above the maximum of pool row v; returns what the maximum is from then on.
  using Visit =
      std::function<std::int32_t(int thread, Index v, std::size_t c, std::int32_t sim, std::int32_t max)>;

  Index choose(std::span<const Index> candidates, Index expected);
  double survivors(const PrefixedRows& candidates, Index columns);
  void prepare(std::span<const Index> candidates, Index columns);
  void walk(std::span<const Index> candidates, Index columns, const Visit& visit);
  void walk_row(std::size_t i, int thread, const Visit& visit);
  Index block_rows() const;
  double multiplied() const;
  void add_up(std::span<Fixed> sums) const;

  const Kernels& kernels_;
  ThreadPool& pool_;
  const ScaledPool& scaled_;
  Bounds& bounds_;
  AlignedVector<std::int32_t>& max_;
  Index expected_ = 0;
  // Candidates since restart() ...
  Index raised_ = 0;
  Index evaluated_ = 0;
  // ... and how many of them there must be before bounds are thought of again.
  Index next_raised_ = 0;
  Index next_evaluated_ = 0;
  Index next_evaluated_raised_ = 0;
  // Columns that were chosen last.
  Index raise_columns_ = 0;
  Index gains_columns_ = 0;
  std::unique_ptr<Trial> trial_;
  AlignedVector<std::int32_t> no_max_;  // for each candidate
  CascadeColumns columns_;
  std::vector<Workspace> workspaces_;  // per thread, for prefixes of leading_ columns
  Index leading_ = 0;
  double products_ = 0.0;
};

}  // namespace qdit::cpu
