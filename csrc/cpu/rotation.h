// The directions along which the rows of a pool spread most, for the bounds of prefix.h: those hold for any
// nearly orthonormal directions, and are tight for these.
#pragma once

#include <span>
#include <vector>

#include "cpu/aligned.h"
#include "cpu/kernels.h"
#include "cpu/thread_pool.h"
#include "engine/rows.h"
#include "engine/types.h"

namespace qdit::cpu {

class Rotation {
 public:
  // The leading eigenvectors of the second moments of some of the rows, scaled to norm 1, by a few steps of
  // simultaneous iteration: the first m of them span nearly what the best m would, for any m.
  Rotation(const RowView& rows, std::span<const double> squared_norms, Index columns, const Kernels& kernels,
           ThreadPool& pool);

  Index columns() const { return columns_; }
  // (columns, d), float32.
  RowView view() const;
  // At least the norm of Q Q^T - I, for the leading rows Q of view(), however many.
  double defect() const { return defect_; }

 private:
  void start();
  void orthonormalize(const Kernels& kernels, ThreadPool& pool);
  void measure(ThreadPool& pool);

  Index d_;
  Index columns_;
  AlignedVector<float> basis_;
  double defect_ = 0.0;
};

}  // namespace qdit::cpu
