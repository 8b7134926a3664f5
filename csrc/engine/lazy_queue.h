// A max-heap of candidates by the score that their last known gain allows.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "engine/score.h"
#include "engine/types.h"

namespace qdit {

class LazyQueue {
 public:
  struct Entry {
    Scored bound;
    std::int64_t step = -1;  // when the gain was evaluated; a bound from an earlier step is stale
  };

  void clear() { heap_.clear(); }
  bool empty() const { return heap_.empty(); }
  const Entry& top() const { return heap_.front(); }

  void push(const Entry& entry) {
    heap_.push_back(entry);
    std::push_heap(heap_.begin(), heap_.end(), below);
  }
  void pop() {
    std::pop_heap(heap_.begin(), heap_.end(), below);
    heap_.pop_back();
  }
  // Fills the queue at once, in linear time.
  void assign(std::vector<Entry> entries) {
    heap_ = std::move(entries);
    std::make_heap(heap_.begin(), heap_.end(), below);
  }

 private:
  static bool below(const Entry& a, const Entry& b) { return better(b.bound, a.bound); }
  std::vector<Entry> heap_;
};

}  // namespace qdit
