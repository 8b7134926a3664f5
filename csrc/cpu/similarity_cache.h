// Similarity rows of recently evaluated candidates. Lazy greedy asks for the same few candidates again and
// again; with its similarities at hand, a gain costs O(n) instead of O(n d), and so does a commit.
#pragma once

#include <cstdint>
#include <vector>

#include "cpu/aligned.h"
#include "engine/types.h"

namespace qdit::cpu {

class SimilarityCache {
 public:
  SimilarityCache(Index n, std::size_t bytes);

  Index capacity() const { return capacity_; }
  bool contains(Index row) const { return capacity_ > 0 && slot_of_[static_cast<std::size_t>(row)] >= 0; }
  // The n similarities of a row that the cache contains; marks it as recently used.
  const std::int32_t* get(Index row);
  // Frees the least recently used slot, at most `capacity` of them between two calls of publish(). It belongs
  // to no row until publish() says so: work that is interrupted meanwhile leaves nothing half-written.
  std::int32_t* reserve(Index row);
  void publish();
  void abandon() { reserved_.clear(); }
  void erase(Index row);
  std::size_t bytes() const;

 private:
  struct Slot {
    AlignedVector<std::int32_t> sims;
    Index row = -1;
    std::uint64_t used = 0;
  };
  struct Reservation {
    std::size_t slot;
    Index row;
  };

  std::size_t oldest() const;

  Index n_;
  Index capacity_;
  std::vector<std::int32_t> slot_of_;  // per row, -1 for none
  std::vector<Slot> slots_;            // grows up to capacity_
  std::vector<Reservation> reserved_;
  std::uint64_t clock_ = 0;
};

}  // namespace qdit::cpu
