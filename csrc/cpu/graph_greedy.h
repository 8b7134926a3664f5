// Greedy on a similarity graph: gains of all rows, exact as far as the graph knows, from pick to pick.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "cpu/thread_pool.h"
#include "engine/graph.h"
#include "engine/score.h"
#include "engine/types.h"

namespace qdit::cpu {

class GraphGreedy {
 public:
  struct Result {
    std::vector<Index> picks;
    std::vector<Fixed> gains;  // as the graph knows them
  };

  // max: the running maximum of every row in fixed point; commit() raises it.
  GraphGreedy(const GraphView& graph, std::span<std::int32_t> max);

  // gain[c] = sum over the rows v that have c as a neighbor of max(0, s(c, v) - max[v]). Throws
  // std::invalid_argument if a neighbor is no row.
  void sum_gains(ThreadPool& pool);
  // Raises the maxima of the neighbors of a, and lowers all gains.
  void commit(Index a);
  Fixed gain(Index c) const { return gains_[static_cast<std::size_t>(c)]; }

  // Picks k rows by score, the smaller row on ties, fewer if no more are open (not 0). tick: called after
  // each pick; may throw.
  void run(Index k, const Scorer& scorer, std::span<const std::uint8_t> open, Result& result,
           const std::function<void()>& tick);

 private:
  template <class Function>
  void for_each_above(Index v, std::int32_t least, const Fixed* gains, const Function& function) const;
  void raise(std::size_t v, std::int32_t to);
  std::size_t row(const Neighbor& neighbor) const;
  std::size_t ahead(const Neighbor& neighbor, std::ptrdiff_t by) const;

  GraphView graph_;
  std::span<std::int32_t> max_;
  std::vector<Fixed> gains_;
};

}  // namespace qdit::cpu
