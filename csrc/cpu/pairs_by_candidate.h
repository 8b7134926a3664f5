// Alive pairs the other way round: for every candidate, the rows whose maximum it could still raise when the
// lists were grouped. Pairs that died since are still there.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "cpu/alive_lists.h"
#include "cpu/thread_pool.h"
#include "engine/types.h"

namespace qdit::cpu {

// Of a candidate that is known: a row, and its similarity.
struct CandidatePair {
  std::uint32_t row;
  std::int32_t sim;
};

class PairsByCandidate {
 public:
  std::span<const CandidatePair> of(Index candidate) const {
    const auto c = static_cast<std::size_t>(candidate);
    return {pairs_.get() + offsets_[c], static_cast<std::size_t>(offsets_[c + 1] - offsets_[c])};
  }
  // Pairs in the lists of complete rows: those whose list starts at their maximum.
  static std::int64_t count(AliveLists& lists, std::span<const std::int32_t> max);
  // Groups them. max: of every row; count: what count() said; candidates: how many there are.
  void group(AliveLists& lists, std::span<const std::int32_t> max, std::int64_t count, Index candidates,
             ThreadPool& pool);
  void clear();
  std::size_t bytes() const {
    return count_ * sizeof(CandidatePair) + offsets_.size() * sizeof(std::int64_t);
  }

 private:
  std::vector<std::int64_t> offsets_;  // candidates + 1
  std::unique_ptr<CandidatePair[]> pairs_;
  std::size_t count_ = 0;
};

}  // namespace qdit::cpu
