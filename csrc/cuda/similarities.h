// Rows of the pool with each other, and with centroids.
#pragma once

#include <span>

#include "cuda/context.h"
#include "engine/rows.h"

namespace qdit::cuda {

class Similarities {
 public:
  explicit Similarities(const Context& context) : context_(context) {}

  // As in engine/backend.h; the numbers are checked.
  void of(std::span<const Index> candidates, std::span<const Index> rows, std::span<Fixed> out);
  void nearest(const RowView& centroids, std::span<Index> ids, std::span<double> sims);

 private:
  void of_part(std::span<const Index> candidates, std::span<const Index> rows, const Batch& others,
               std::span<Fixed> out, std::size_t stride);

  const Context& context_;
  Batch batch_;
  Buffer<std::int32_t> sims_;
};

}  // namespace qdit::cuda
