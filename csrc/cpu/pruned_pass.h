// The pass over all pairs of symmetric_pass.h where maxima are high already: pairs that bounds (prefix.h)
// rule out for both of their rows are not multiplied. The same gains and lists, to the last bit.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "cpu/alive_lists.h"
#include "cpu/bounds.h"
#include "cpu/cascade.h"
#include "cpu/kernels.h"
#include "cpu/scaled_pool.h"
#include "cpu/thread_pool.h"
#include "engine/types.h"

namespace qdit::cpu {

class PrunedPass {
 public:
  // max: of every row, padded by tile_rows entries of kPaddingMax.
  PrunedPass(const Kernels& kernels, ThreadPool& pool, const ScaledPool& scaled, Bounds& bounds,
             const std::int32_t* max);

  // Whether it is cheaper than all products; finds out on a sample.
  bool pays();
  // As SymmetricPass::run(). pays() must have said so.
  void run(std::span<Fixed> gains, AliveLists& lists, const std::function<void(double)>& tick);

  double products() const { return products_; }  // of two whole rows, in effect
  std::size_t bytes() const;                     // of the last run

 private:
  struct Workspace;
  // Some rows against all from `begin` on.
  struct Columns {
    Index begin;
    Index count;
  };

  void run_columns(const Columns& columns, Workspace& space, AliveLists& lists,
                   const std::function<void()>& tick) const;
  void reduce_row(const Columns& columns, std::size_t i, Workspace& space, AliveLists& lists) const;

  const Kernels& kernels_;
  ThreadPool& pool_;
  const ScaledPool& scaled_;
  Bounds& bounds_;
  const std::int32_t* max_;
  Index leading_ = 0;
  double products_ = 0.0;
  std::size_t bytes_ = 0;
};

}  // namespace qdit::cpu
