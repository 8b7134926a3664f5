// For every row v, the candidates c whose similarity can still raise its maximum: s(c, v) > m_v.
//
// Maxima only rise, so a pair that is dead stays dead, and leaving it out is exact. A list may be cut at a
// threshold above m_v to keep within its share of memory; it is complete again once m_v has reached that.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "cpu/kernels.h"
#include "engine/types.h"

namespace qdit::cpu {

class AliveLists {
 public:
  // thresholds: where each list starts, at least m_v. capacity: entries a row, at most n.
  AliveLists(Index n, Index capacity, std::vector<std::int32_t> thresholds);

  // Every pair above this is in the list of v.
  std::int32_t threshold(Index v) const {
    return std::atomic_ref(const_cast<std::int32_t&>(thresholds_[static_cast<std::size_t>(v)]))
        .load(std::memory_order_relaxed);
  }
  std::size_t count(Index v) const { return counts_[static_cast<std::size_t>(v)]; }
  Pairs pairs(Index v) {
    const auto at = static_cast<std::size_t>(v) * static_cast<std::size_t>(capacity_);
    return {ids_.get() + at, sims_.get() + at};
  }

  // Adds those of the pairs that are above the threshold, as candidates id + first. May be called by several
  // threads at once. A full list raises its threshold to the median and drops what is below.
  void append(Index v, const Pairs& found, std::size_t count, Index first);

  void resize(Index v, std::size_t count) {
    counts_[static_cast<std::size_t>(v)] = static_cast<std::uint32_t>(count);
  }
  std::int64_t entries() const;
  std::size_t bytes() const;  // of memory that was written to

 private:
  void shrink(Index v);

  Index n_;
  Index capacity_;
  std::vector<std::int32_t> thresholds_;
  std::vector<std::uint32_t> counts_;
  std::unique_ptr<std::atomic_flag[]> locks_;
  // Never initialised: pages that no list reaches are never given out by the system.
  std::unique_ptr<std::uint32_t[]> ids_;
  std::unique_ptr<std::int32_t[]> sims_;
};

}  // namespace qdit::cpu
