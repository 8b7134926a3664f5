// All listed pairs once more, by candidate: the rows that a pick reaches.
#pragma once

#include "cuda/alive_lists.h"
#include "cuda/context.h"

namespace qdit::cuda {

class GroupedPairs {
 public:
  // Groups them where the memory of the lists has room for as many again. Does nothing otherwise.
  void group(const Context& context, AliveLists& lists);

  bool there() const { return begin_.data() != nullptr; }
  const Pair* pairs() const { return pairs_; }
  const std::int64_t* begin() const { return begin_.data(); }  // by candidate, n + 1

 private:
  const Pair* pairs_ = nullptr;
  Buffer<std::int64_t> begin_;
};

}  // namespace qdit::cuda
