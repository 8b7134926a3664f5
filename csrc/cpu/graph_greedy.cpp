#include "cpu/graph_greedy.h"

#include <algorithm>
#include <stdexcept>

#include "engine/lazy_queue.h"

namespace qdit::cpu {
namespace {

constexpr Index kSumRows = 4096;  // rows of one task
// Neighbors whose gain, or whose list, is fetched early: both lie all over.
constexpr std::ptrdiff_t kGainsAhead = 32;
constexpr std::ptrdiff_t kListsAhead = 6;
constexpr std::size_t kFetched = 32;  // of a list; the rest comes in order

}  // namespace

GraphGreedy::GraphGreedy(const GraphView& graph, std::span<std::int32_t> max)
    : graph_(graph), max_(max), gains_(max.size()) {
  if (graph.n() != static_cast<Index>(max.size()) || graph.offsets.front() != 0 ||
      graph.offsets.back() != static_cast<std::int64_t>(graph.pairs.size()) ||
      !std::is_sorted(graph.offsets.begin(), graph.offsets.end())) {
    throw std::invalid_argument("offsets: wanted rising numbers from 0 to the number of pairs, one per row.");
  }
}

std::size_t GraphGreedy::row(const Neighbor& neighbor) const {
  if (neighbor.row < max_.size()) return neighbor.row;
  throw std::invalid_argument("graph: neighbor " + std::to_string(neighbor.row) + " is no row.");
}

// A row that comes up soon; it may be that of another list.
std::size_t GraphGreedy::ahead(const Neighbor& neighbor, std::ptrdiff_t by) const {
  const std::ptrdiff_t left = &graph_.pairs.back() - &neighbor;
  return std::min<std::size_t>((&neighbor + std::min(by, left))->row, max_.size() - 1);
}

// Calls function for the neighbors of v above `least`; gains: of all rows, and what it is going to change.
template <class Function>
void GraphGreedy::for_each_above(Index v, std::int32_t least, const Fixed* gains,
                                 const Function& function) const {
  for (const Neighbor& neighbor : graph_.neighbors(v)) {
    if (neighbor.sim <= least) return;
    __builtin_prefetch(gains + ahead(neighbor, kGainsAhead), 1);
    function(neighbor);
  }
}

void GraphGreedy::sum_gains(ThreadPool& pool) {
  std::vector<std::vector<Fixed>> sums(static_cast<std::size_t>(pool.threads()),
                                       std::vector<Fixed>(gains_.size(), 0));
  const Index n = graph_.n();
  pool.run((n + kSumRows - 1) / kSumRows, [&](std::int64_t task, int thread) {
    auto& sum = sums[static_cast<std::size_t>(thread)];
    const Index end = std::min(n, (task + 1) * kSumRows);
    for (Index v = task * kSumRows; v < end; ++v) {
      const std::int32_t max = max_[static_cast<std::size_t>(v)];
      for_each_above(v, max, sum.data(),
                     [&](const Neighbor& neighbor) { sum[row(neighbor)] += neighbor.sim - max; });
    }
  });
  for (std::size_t c = 0; c < gains_.size(); ++c) {
    gains_[c] = 0;
    for (const auto& sum : sums) gains_[c] += sum[c];
  }
}

void GraphGreedy::raise(std::size_t v, std::int32_t to) {
  const std::int32_t from = max_[v];
  max_[v] = to;
  for_each_above(static_cast<Index>(v), from, gains_.data(), [&](const Neighbor& neighbor) {
    gains_[neighbor.row] -= std::min(neighbor.sim, to) - from;
  });
}

void GraphGreedy::commit(Index a) {
  for (const Neighbor& neighbor : graph_.neighbors(a)) {
    const Neighbor* next = graph_.neighbors(static_cast<Index>(ahead(neighbor, kListsAhead))).data();
    for (std::size_t i = 0; i < kFetched; i += 64 / sizeof(Neighbor)) __builtin_prefetch(next + i);
    const std::size_t v = row(neighbor);
    if (neighbor.sim > max_[v]) raise(v, neighbor.sim);
  }
}

void GraphGreedy::run(Index k, const Scorer& scorer, std::span<const std::uint8_t> open, Result& result,
                      const std::function<void()>& tick) {
  std::vector<LazyQueue::Entry> entries;
  for (Index c = 0; c < graph_.n(); ++c) {
    if (open[static_cast<std::size_t>(c)] != 0) entries.push_back({{scorer(c, gain(c)), c}});
  }
  LazyQueue queue;
  queue.assign(std::move(entries));
  while (static_cast<Index>(result.picks.size()) < k && !queue.empty()) {
    const Scored bound = queue.top().bound;
    const Scored now{scorer(bound.candidate, gain(bound.candidate)), bound.candidate};
    queue.pop();
    if (now.score != bound.score) {  // gains only fall
      queue.push({now});
      continue;
    }
    result.picks.push_back(now.candidate);
    result.gains.push_back(gain(now.candidate));
    commit(now.candidate);
    tick();
  }
}

}  // namespace qdit::cpu
