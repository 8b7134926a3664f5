// The most similar centroids of every row, without the products with most of the others: bounds of all, whole
// products with the best of those, and then with whatever its bound does not rule out.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "cpu/bounds.h"
#include "cpu/cascade.h"
#include "cpu/nearest.h"
#include "engine/types.h"

namespace qdit::cpu {

class BoundedNearest {
 public:
  explicit BoundedNearest(const NearestInput& input) : input_(input) {}

  // Whether that pays for finding so many for each row; makes what it takes.
  bool pays(Index count);
  // As nearest_centroids().
  double run(Index count, std::span<std::int32_t> ids, std::span<std::int32_t> sims);

 private:
  struct Workspace;

  Index choose(Index count);
  void find(Index i, std::span<std::int32_t> ids, std::span<std::int32_t> sims, Workspace& space) const;

  NearestInput input_;
  Index leading_ = 0;
  std::unique_ptr<PrefixedRows> prefixed_;  // the centroids
  std::unique_ptr<CascadeRows> pool_;
  CascadeColumns centroids_;
};

}  // namespace qdit::cpu
