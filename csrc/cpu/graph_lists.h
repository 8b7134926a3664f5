// The most similar pairs of every row, collected in any order by any number of threads.
//
// Pairs of a row have a total order: falling similarity, then rising row number. A full list keeps its first
// `keep` pairs in that order and from then on takes none that is behind the last of them, so what is there in
// the end is the best of all that was offered, whatever the order it came in.
#pragma once

#include <atomic>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>

#include "cpu/thread_pool.h"
#include "engine/graph.h"
#include "engine/types.h"

namespace qdit::cpu {

// A pair as one number: the larger, the better.
using NeighborKey = std::uint64_t;

inline NeighborKey neighbor_key(std::uint32_t row, std::int32_t sim) {
  return (std::uint64_t{static_cast<std::uint32_t>(sim) ^ 0x80000000u} << 32) | (0xffffffffu - row);
}

inline std::int32_t similarity(NeighborKey key) {
  return static_cast<std::int32_t>(static_cast<std::uint32_t>(key >> 32) ^ 0x80000000u);
}

class NeighborLists {
 public:
  // keep: pairs a row in the end.
  NeighborLists(Index n, Index keep);

  // Keys that are not above this need not be appended to the list of v.
  NeighborKey cutoff(Index v) const { return heads_[index(v)].cutoff.load(std::memory_order_relaxed); }
  // No similarity up to this is of use to the list of v.
  std::int32_t need(Index v) const {
    const NeighborKey key = cutoff(v);
    return key == 0 ? std::numeric_limits<std::int32_t>::min() : similarity(key) - 1;
  }
  // May be called by several threads at once. The same pair must not be added twice.
  void append(Index v, std::span<const NeighborKey> keys);
  // Fetches what cutoff() and prefetch() read.
  void prefetch_head(Index v) const { __builtin_prefetch(&heads_[index(v)], 1, 2); }
  // Fetches the end of a list that is about to be appended to.
  void prefetch(Index v) const {
    __builtin_prefetch(list(v) + heads_[index(v)].count.load(std::memory_order_relaxed), 1);
  }

  Index cut_lists() const;  // rows that were offered more pairs than are kept

  // Sorts all lists and hands them out as one table, in the same memory; this object is empty then.
  NeighborTable finish(ThreadPool& pool);

 private:
  struct alignas(16) Head {
    std::atomic_flag lock;
    std::atomic<std::uint32_t> count = 0;
    std::atomic<NeighborKey> cutoff = 0;
  };

  static std::size_t index(Index v) { return static_cast<std::size_t>(v); }
  NeighborKey* list(Index v) const { return keys_.get() + index(v) * capacity_; }
  std::uint32_t shrink(Index v);

  Index n_;
  std::size_t keep_;
  std::size_t capacity_;
  std::unique_ptr<Head[]> heads_;
  // Never initialised: pages that no list reaches are never given out by the system.
  std::unique_ptr<NeighborKey[], Free> keys_;
};

}  // namespace qdit::cpu
