// Pairs of pool rows that are at least so similar. Bounds (prefix.h) rule nearly all others out where the
// rows spread along some directions more than along others; elsewhere all are multiplied, each pair once. The
// same pairs and similarities either way, to the last bit.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "cpu/bounds.h"
#include "cpu/kernels.h"
#include "cpu/scaled_pool.h"
#include "cpu/thread_pool.h"
#include "engine/similar_pairs.h"
#include "engine/types.h"

namespace qdit::cpu {

class SimilarPairs {
 public:
  SimilarPairs(const Kernels& kernels, ThreadPool& pool, const ScaledPool& scaled, Bounds& bounds,
               Fixed least);

  Fixed least() const { return least_; }
  // By row, then by the other. range.least must be least().
  std::vector<SimilarPair> find(const PairRange& range);

  double products() const { return products_; }  // of two whole rows, in effect
  std::size_t bytes() const { return bytes_; }   // of the last call

 private:
  // Some rows against all from `begin` on.
  struct Columns {
    Index begin;
    Index count;
  };
  struct Bounded;
  struct Whole;

  Index choose();
  template <class Workspace>
  void run(const PairRange& range, Index width, std::vector<Workspace>& spaces,
           std::vector<SimilarPair>& found);
  void run_columns(const Columns& columns, Bounded& space) const;
  void run_columns(const Columns& columns, Whole& space) const;

  const Kernels& kernels_;
  ThreadPool& pool_;
  const ScaledPool& scaled_;
  Bounds& bounds_;
  Fixed least_;
  Index leading_ = 0;  // columns of bounds; 0 where they do not pay
  double products_ = 0.0;
  std::size_t bytes_ = 0;
};

}  // namespace qdit::cpu
