// The running maximum of every represented row, m_v, and the ways to raise it.
#pragma once

#include <cstdint>
#include <span>

#include "cpu/aligned.h"
#include "cpu/kernels.h"
#include "cpu/pool.h"
#include "cpu/product.h"
#include "cpu/pruned_products.h"
#include "cpu/scaled_pool.h"
#include "cpu/thread_pool.h"
#include "engine/types.h"
#include "engine/wholeness.h"

namespace qdit::cpu {

class RunningMax {
 public:
  static constexpr std::size_t kWidth = 128;  // rows of one blocked product in raise()

  RunningMax(const Kernels& kernels, ThreadPool& pool, Product& product, const ScaledPool& scaled,
             Bounds& bounds);

  // Every row at the floor. empty: there is none, and the first row raised by sets all maxima.
  void restart(bool empty);
  bool empty() const { return empty_; }
  // How many rows will be raised by: whether finding out more about the pool pays depends on it.
  void expect(Index rows) { pruned_.expect(rows); }
  PrunedProducts& pruned() { return pruned_; }  // with these maxima

  const std::int32_t* data() const { return max_.data(); }
  // For those who raise maxima themselves, between whole().begin() and whole().end().
  AlignedVector<std::int32_t>& values() { return max_; }
  Wholeness& whole() { return whole_; }
  // Throws std::logic_error after a raise that was interrupted.
  void check() const { whole_.check(); }

  Fixed coverage() const;
  void row_coverage(std::span<double> out) const;

  // With rows `ids` of a source, in this order; increases[i] is what the i-th raised the sum by.
  void raise(const ScaledRows& source, std::span<const Index> ids, std::span<Fixed> increases);

  std::size_t bytes() const { return max_.size() * sizeof(std::int32_t) + panels_.bytes() + pruned_.bytes(); }
  // Of two rows, by raise().
  double products() const { return products_ + pruned_.products(); }

 private:
  void raise_block(const ScaledRows& source, std::span<const Index> ids, std::span<Fixed> increases);
  Fixed raise(const std::int32_t* sims, const Product::Block& block, bool first);

  const Kernels& kernels_;
  ThreadPool& pool_;
  Product& product_;
  const ScaledPool& scaled_;
  Index n_;
  AlignedVector<std::int32_t> max_;  // padded to whole tiles
  PrunedProducts pruned_;
  Panels panels_;
  double products_ = 0.0;
  bool empty_ = true;
  Wholeness whole_;
};

}  // namespace qdit::cpu
