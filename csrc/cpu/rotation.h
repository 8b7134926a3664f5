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
  static constexpr Index kDirections = 256;
  static constexpr Index kChunk = 64;

  // The leading eigenvectors of the second moments of some of the rows, scaled to norm 1, by a few steps of
  // simultaneous iteration: the first m of them span nearly what the best m would, for any m. Within each
  // chunk they are mixed, so that the coefficients of a row are about as large as each other.
  Rotation(const RowView& rows, std::span<const double> squared_norms, const Kernels& kernels,
           ThreadPool& pool);

  // (kDirections, d), float32. There may be fewer: then the others are zero, before they are mixed.
  RowView view() const;
  // At least the norm of the difference of Q^T Q from an orthogonal projection, for the leading chunks Q of
  // view(), however many.
  double defect() const { return defect_; }

 private:
  void start();
  void orthonormalize(const Kernels& kernels, ThreadPool& pool);
  void measure(ThreadPool& pool);
  void mix_chunks();

  Index d_;
  Index columns_;  // directions that there are
  AlignedVector<float> basis_;
  double defect_ = 0.0;
};

}  // namespace qdit::cpu
