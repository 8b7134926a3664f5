// Pairs of similar rows: by bounds, by whole products, by blocks of any backend.
#include <algorithm>
#include <memory>
#include <stdexcept>

#include "check.h"
#include "cpu/cpu_backend.h"
#include "engine/similar_pairs.h"
#include "pools.h"
#include "reference/reference_backend.h"

using namespace qdit;

namespace {

constexpr std::size_t kAll = 1 << 20;

bool same(const std::vector<SimilarPair>& a, const std::vector<SimilarPair>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const SimilarPair& x, const SimilarPair& y) {
    return x.row == y.row && x.other == y.other && x.sim == y.sim;
  });
}

std::vector<SimilarPair> expected(const IntegerPool& pool, double scale, const PairRange& range) {
  std::vector<SimilarPair> pairs;
  for (Index row = range.begin; row < range.end; ++row) {
    for (Index other = row + 1; other < pool.n; ++other) {
      const auto sim = static_cast<Fixed>(static_cast<double>(pool.dot(row, other)) * scale);
      if (sim < range.least) continue;
      pairs.push_back({static_cast<std::uint32_t>(row), static_cast<std::uint32_t>(other), sim});
    }
  }
  return pairs;
}

std::unique_ptr<Backend> cpu(const IntegerPool& pool, int threads) {
  PoolOptions options = pool.options();
  options.threads = threads;
  return make_cpu_backend(std::move(options));
}

}  // namespace

TEST(all_pairs_of_awkward_sizes_are_found_once) {
  for (const Index n : {1, 2, 7, 97, 600}) {
    for (const Index d : {1, 5, 67}) {
      const IntegerPool pool(n, d, static_cast<unsigned>(n + d));
      for (const int threads : {1, 3}) {
        const auto backend = cpu(pool, threads);
        for (const Fixed sim : {1, 9, 40}) {  // those of one threshold, then of another
          const auto least = static_cast<Fixed>(static_cast<double>(sim) * backend->scale());
          for (const PairRange& range : {PairRange{0, n, least, kAll}, PairRange{n / 3, n / 2, least, kAll},
                                         PairRange{n, n, least, 0}}) {
            const auto wanted = expected(pool, backend->scale(), range);
            CHECK(same(backend->similar_pairs(range), wanted));
            CHECK(same(similar_pairs_by_blocks(*backend, range), wanted));
          }
        }
      }
    }
  }
}

TEST(the_reference_finds_the_same_rows) {
  const IntegerPool pool(90, 12, 3);
  const auto reference = make_reference_backend(pool.options());
  const PairRange range{0, 90, static_cast<Fixed>(20.0 * reference->scale()), kAll};
  const auto found = reference->similar_pairs(range);
  CHECK(!found.empty());
  CHECK(same(found, expected(pool, reference->scale(), range)));
}

TEST(more_pairs_than_are_wanted_are_an_error) {
  const IntegerPool pool(300, 4, 5);
  const auto backend = cpu(pool, 2);
  const auto least = static_cast<Fixed>(backend->scale());
  const std::size_t there = backend->similar_pairs({0, 300, least, kAll}).size();
  CHECK(there > 2);
  CHECK(backend->similar_pairs({0, 300, least, there}).size() == there);
  CHECK_THROWS(backend->similar_pairs({0, 300, least, there - 1}), std::overflow_error, "are that similar");
  CHECK_THROWS(similar_pairs_by_blocks(*backend, {0, 300, least, there - 1}), std::overflow_error,
               "more than");
  CHECK(backend->similar_pairs({0, 300, least, there}).size() == there);
}

TEST(ranges_and_similarities_are_checked) {
  const IntegerPool pool(9, 4, 5);
  const auto backend = cpu(pool, 1);
  CHECK_THROWS(backend->similar_pairs({0, 10, 1, kAll}), std::invalid_argument, "wanted a range in 0 to 9");
  CHECK_THROWS(backend->similar_pairs({-1, 3, 1, kAll}), std::invalid_argument, "rows: got -1 to 3");
  CHECK_THROWS(backend->similar_pairs({5, 3, 1, kAll}), std::invalid_argument, "rows: got 5 to 3");
  CHECK_THROWS(backend->similar_pairs({0, 9, 0, kAll}), std::invalid_argument, "above 0");
}

int main() { return check::run(); }
