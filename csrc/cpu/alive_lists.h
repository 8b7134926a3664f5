// For every row v, the candidates c whose similarity can still raise its maximum: s(c, v) > m_v.
//
// Maxima only rise, so a pair that is dead stays dead, and leaving it out is exact. A list may be cut at a
// threshold above m_v to keep within its share of memory; it is complete again once m_v has reached that.
// While pairs are appended each list has room for its share; compact() hands back what they do not need.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "cpu/kernels.h"
#include "engine/free.h"
#include "engine/types.h"

namespace qdit::cpu {

struct AlivePair {
  std::uint32_t candidate;
  std::int32_t sim;
};

class AliveLists {
 public:
  // thresholds: where each list starts, at least m_v. capacity: pairs a row, at most n.
  AliveLists(Index n, Index capacity, std::span<const std::int32_t> thresholds);

  // Every pair above this is in the list of v.
  std::int32_t threshold(Index v) const { return heads_[index(v)].threshold.load(std::memory_order_relaxed); }
  std::span<AlivePair> pairs(Index v) { return {list(v), count(v)}; }
  std::size_t count(Index v) const { return heads_[index(v)].count.load(std::memory_order_relaxed); }
  // Keeps the first `count` pairs of v.
  void cut(Index v, std::size_t count) {
    heads_[index(v)].count.store(static_cast<std::uint32_t>(count), std::memory_order_relaxed);
  }

  // Adds those of the pairs that are above the threshold, as candidates id + first. May be called by several
  // threads at once. A full list raises its threshold and drops the least similar quarter.
  void append(Index v, const Pairs& found, std::size_t count, Index first);
  // Fetches the end of a list that is about to be appended to.
  void prefetch(Index v) { __builtin_prefetch(list(v) + count(v), 1); }

  // Moves the lists together and hands the memory behind them back; nothing can be appended any more.
  void compact();

  std::size_t bytes() const;  // of memory that was written to
  // Of pairs in the lists now: what compact() would leave.
  std::size_t pair_bytes() const;

 private:
  // Together on one cache line: a list is reached at random, and each line missed costs more than its pairs.
  struct alignas(16) Head {
    std::atomic_flag lock;
    std::atomic<std::uint32_t> count = 0;
    std::atomic<std::int32_t> threshold = 0;
  };

  static std::size_t index(Index v) { return static_cast<std::size_t>(v); }
  AlivePair* list(Index v) {
    return pairs_.get() + (compact_begin_.empty() ? index(v) * index(capacity_) : compact_begin_[index(v)]);
  }
  void shrink(Index v);

  Index n_;
  Index capacity_;
  std::unique_ptr<Head[]> heads_;
  // Never initialised: pages that no list reaches are never given out by the system.
  std::unique_ptr<AlivePair[], Free> pairs_;
  std::vector<std::size_t> compact_begin_;  // n + 1, once they are
};

}  // namespace qdit::cpu
