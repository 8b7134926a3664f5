// The most similar centroids of every row, without the products with most of the others: bounds of all from
// short integers, whole products with the best of those, and then with whatever its bound does not rule out.
#pragma once

#include <cstdint>
#include <span>

#include "cpu/nearest.h"
#include "cpu/short_rows.h"
#include "engine/types.h"

namespace qdit::cpu {

class BoundedNearest {
 public:
  explicit BoundedNearest(const NearestInput& input);

  // Whether that pays for finding so many for each row, by what it leaves of a few rows.
  bool pays(Index count);
  // As nearest_centroids().
  double run(Index count, std::span<std::int32_t> ids, std::span<std::int32_t> sims);

 private:
  struct Workspace;
  // Lists of some rows.
  struct Lists {
    std::size_t count;
    std::span<std::int32_t> ids;
    std::span<std::int32_t> sims;
  };

  void find_block(std::span<const Index> rows, const Lists& lists, Workspace& space) const;
  void find(const std::int32_t* bounds, float factor, std::span<std::int32_t> ids,
            std::span<std::int32_t> sims, Workspace& space) const;
  void multiply(float factor, std::span<std::int32_t> ids, std::span<std::int32_t> sims,
                Workspace& space) const;

  NearestInput input_;
  Index block_;  // rows at a time
  ShortRows shorts_;
  ShortColumns centroids_;
};

}  // namespace qdit::cpu
