#include <algorithm>
#include <limits>
#include <random>

#include "check.h"
#include "engine/lazy_queue.h"

using namespace qdit;

namespace {

LazyQueue::Entry entry(double score, Index candidate) { return {{score, candidate}, 0}; }

std::vector<Index> drain(LazyQueue& queue) {
  std::vector<Index> order;
  while (!queue.empty()) {
    order.push_back(queue.top().bound.candidate);
    queue.pop();
  }
  return order;
}

}  // namespace

TEST(larger_scores_come_first_then_smaller_rows) {
  LazyQueue queue;
  for (const auto& e : {entry(1.0, 5), entry(2.0, 9), entry(2.0, 3), entry(-1.0, 0), entry(1.0, 4)}) {
    queue.push(e);
  }
  CHECK((drain(queue) == std::vector<Index>{3, 9, 4, 5, 0}));
}

TEST(unknown_bounds_come_before_everything) {
  const std::vector<double> bonus{1e300, 0.0};
  const Scorer scorer(1.0, bonus);
  CHECK(scorer(1, kUnknownBound) > scorer(0, INT64_MAX - 1));
  // weight 0 must not turn the unknown into a NaN
  CHECK(Scorer(0.0, bonus)(1, kUnknownBound) == std::numeric_limits<double>::infinity());
}

TEST(random_pushes_and_pops_agree_with_sorting) {
  std::mt19937 random(7);
  for (int round = 0; round < 50; ++round) {
    std::vector<LazyQueue::Entry> entries;
    const auto size = random() % 200;
    for (Index i = 0; i < static_cast<Index>(size); ++i) {
      entries.push_back(entry(static_cast<double>(random() % 10), i));  // many ties
    }
    LazyQueue queue;
    const auto half = entries.size() / 2;
    queue.assign({entries.begin(), entries.begin() + static_cast<std::ptrdiff_t>(half)});
    for (std::size_t i = half; i < entries.size(); ++i) queue.push(entries[i]);
    std::sort(entries.begin(), entries.end(),
              [](const auto& a, const auto& b) { return better(a.bound, b.bound); });
    std::vector<Index> sorted;
    for (const auto& e : entries) sorted.push_back(e.bound.candidate);
    CHECK(drain(queue) == sorted);
  }
}

int main() { return check::run(); }
