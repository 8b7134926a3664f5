// Alive pairs of evaluated candidates: the rows that a candidate is more similar to than their maximum was
// when it was evaluated. Maxima only rise, so whatever is left out stays dead, and with the pairs at hand a
// gain takes as many additions as pairs are alive, instead of a product; so does a commit. Every use leaves
// out those that died since.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "cpu/pairs_by_candidate.h"
#include "engine/types.h"

namespace qdit::cpu {

// Pairs of a batch of candidates as threads find them. Where they take more memory than there is, those of
// the last candidates are let go.
class FoundPairs {
 public:
  FoundPairs(int threads, std::size_t candidates, std::size_t bytes);

  void add(int thread, std::size_t candidate, CandidatePair pair) {
    if (candidate >= kept_.load(std::memory_order_relaxed)) return;
    OfThread& found = of_threads_[static_cast<std::size_t>(thread)];
    found.lists[candidate].push_back(pair);
    if (++found.count > most_) shed(found);
  }
  std::size_t kept() const { return kept_.load(std::memory_order_relaxed); }  // the first so many candidates
  std::size_t count(std::size_t candidate) const;
  void copy(std::size_t candidate, CandidatePair* to) const;
  std::size_t bytes() const;

 private:
  struct OfThread {
    std::vector<std::vector<CandidatePair>> lists;  // per candidate
    std::size_t count = 0;
  };

  void shed(OfThread& found);

  std::size_t most_;  // pairs of one thread
  std::atomic<std::size_t> kept_;
  std::vector<OfThread> of_threads_;
};

class AliveCache {
 public:
  // bytes: that it may take; with less than its table needs it stays empty.
  // weights: of rows, as in RowWeights.
  AliveCache(Index n, std::size_t bytes, const std::uint32_t* weights = nullptr);

  bool contains(Index candidate) const { return !lists_.empty() && list(candidate).pairs != nullptr; }
  // Bytes for more pairs; 0 where there is hardly any room. Dead pairs are dropped then, if enough commits
  // were made since that was last done.
  std::size_t room(const std::int32_t* max, std::int64_t commits);
  // What was found of these candidates, in this order, as far as there is room.
  void store(std::span<const Index> candidates, const FoundPairs& found);
  // Of a candidate that it contains: the gain; the gain, and maxima are raised.
  Fixed gain(Index candidate, const std::int32_t* max);
  Fixed raise(Index candidate, std::int32_t* max) const;
  void erase(Index candidate);
  // To be called when maxima start anew.
  void clear();
  std::size_t bytes() const { return lists_.size() * sizeof(List) + used_; }

 private:
  struct List {
    std::unique_ptr<CandidatePair[]> pairs;  // null: none is known
    std::uint32_t count = 0;
    std::uint32_t room = 0;
  };

  const List& list(Index candidate) const { return lists_[static_cast<std::size_t>(candidate)]; }
  List& list(Index candidate) { return lists_[static_cast<std::size_t>(candidate)]; }
  static std::size_t bytes_for(std::size_t pairs);
  void drop_dead(const std::int32_t* max);

  const std::uint32_t* weights_;
  std::size_t budget_ = 0;   // for pairs
  std::vector<List> lists_;  // per candidate
  std::size_t used_ = 0;
  std::int64_t next_drop_ = 0;  // commits before dead pairs are dropped
};

}  // namespace qdit::cpu
