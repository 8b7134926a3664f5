// Rows that join the selection by their similarities with all others.
#pragma once

#include <functional>
#include <span>

#include "cuda/product.h"
#include "engine/backend.h"

namespace qdit::cuda {

class Covering {
 public:
  // Brings rows first .. first + count of those that join.
  using Load = std::function<const Batch&(Index first, Index count)>;

  Covering(const Context& context, Product& product, Buffer<std::int32_t>& max, BackendStats& stats)
      : context_(context), product_(product), max_(max), stats_(stats) {}

  // Raises the maxima row by row; increases[i] = what the i-th of them adds. empty: nothing is chosen yet.
  void add(const Load& load, bool empty, std::span<Fixed> increases);

 private:
  void add_batch(const Batch& batch, bool empty, std::span<Fixed> increases);

  const Context& context_;
  Product& product_;
  Buffer<std::int32_t>& max_;
  BackendStats& stats_;
  Buffer<std::int32_t> sims_;
  Buffer<Sum> out_;
};

}  // namespace qdit::cuda
