// Rows that are covered in place of the pool's, and weights: against sums of whole numbers, on every
// instruction set, in every way to choose.
#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "check.h"
#include "cpu/cpu_backend.h"
#include "cpu/dispatch.h"
#include "engine/greedy.h"
#include "engine/row_weights.h"
#include "pools.h"
#include "reference/reference_backend.h"

using namespace qdit;

namespace {

constexpr Index kColumns = 5;

std::size_t at(Index i) { return static_cast<std::size_t>(i); }

class Silent final : public Observer {
 public:
  void tick(const GreedyResult& /*so_far*/, bool /*finished*/) override {}
};

struct Target {
  const IntegerPool& pool;
  const IntegerPool& asked;
  std::vector<double> weights;

  std::int64_t dot(Index a, Index v) const {
    double sum = 0.0;
    for (Index k = 0; k < kColumns; ++k) {
      sum += static_cast<double>(pool.values[at(a * kColumns + k)]) *
             static_cast<double>(asked.values[at(v * kColumns + k)]);
    }
    return static_cast<std::int64_t>(sum);
  }

  // By the definition: the best row at every step, the smaller number on ties.
  std::vector<Index> greedy(Index k) const {
    std::vector<Index> picks;
    std::vector<std::int64_t> best;
    for (Index step = 0; step < k; ++step) {
      Index pick = -1;
      double most = 0.0;
      for (Index c = 0; c < pool.n; ++c) {
        if (std::find(picks.begin(), picks.end(), c) != picks.end()) continue;
        double gain = 0.0;
        for (Index v = 0; v < asked.n; ++v) {
          const std::int64_t s = dot(c, v);
          const auto rise = best.empty() ? s : std::max<std::int64_t>(0, s - best[at(v)]);
          gain += weights[at(v)] * static_cast<double>(rise);
        }
        if (pick < 0 || gain > most) {
          pick = c;
          most = gain;
        }
      }
      best.resize(at(asked.n), INT64_MIN);
      for (Index v = 0; v < asked.n; ++v) best[at(v)] = std::max(best[at(v)], dot(pick, v));
      picks.push_back(pick);
    }
    return picks;
  }

  double coverage(const std::vector<Index>& picks) const {
    double sum = 0.0;
    for (Index v = 0; v < asked.n; ++v) {
      std::int64_t best = INT64_MIN;
      for (const Index a : picks) best = std::max(best, dot(a, v));
      sum += weights[at(v)] * static_cast<double>(best);
    }
    return sum;
  }

  PoolOptions options() const {
    PoolOptions options = pool.options();
    if (&asked != &pool) options.represented = asked.view();
    options.weights = weights;
    return options;
  }
};

void check_target(Backend& backend, const Target& target, Method method, std::size_t memory) {
  const Index k = std::min<Index>(target.pool.n, 9);
  const std::vector<double> bonus(at(target.pool.n), 0.0);
  std::vector<Fixed> bounds(bonus.size(), kUnknownBound);
  GreedyOptions options;
  options.method = method;
  options.k = k;
  options.weight = 1.0 / backend.sum_scale();
  options.bonus = bonus;
  options.bounds = bounds;
  options.memory = memory;
  Silent silent;
  backend.reset({});
  const GreedyResult found = run_greedy(backend, options, silent);
  CHECK(found.picks == target.greedy(k));
  CHECK(static_cast<double>(backend.coverage()) / backend.sum_scale() == target.coverage(found.picks));
  std::vector<double> rows(at(backend.represented()));
  backend.row_coverage(rows);
  CHECK(backend.represented() == target.asked.n);
}

}  // namespace

TEST(picks_and_coverage_are_those_of_the_represented_rows) {
  constexpr Method kMethods[] = {Method::kNaive, Method::kLazy, Method::kExact};
  for (const auto& [n, m] : {std::pair<Index, Index>{1, 1}, {14, 33}, {65, 7}, {40, 130}}) {
    const IntegerPool pool(n, kColumns, 1);
    const IntegerPool asked(m, kColumns, 2);
    for (const bool others : {true, false}) {
      const IntegerPool& rows = others ? asked : pool;
      for (const double unit : {1.0, 0.25}) {
        Target target{pool, rows, std::vector<double>(at(rows.n), 1.0)};
        for (std::size_t v = 0; v < target.weights.size(); ++v) {
          target.weights[v] = unit * static_cast<double>(1 + v % 5);
        }
        for (const Method method : kMethods) {
          for (const auto& level : cpu::supported_levels()) {
            for (const int threads : {1, 3}) {
              PoolOptions options = target.options();
              options.simd = level;
              options.threads = threads;
              options.cache_bytes = threads > 1 ? 1 << 20 : 0;
              check_target(*make_cpu_backend(options), target, method, threads > 1 ? 4'000 : 1 << 24);
            }
          }
          check_target(*make_reference_backend(target.options()), target, method, 0);
        }
      }
    }
  }
}

TEST(lists_that_start_above_the_maxima_keep_weighted_gains_exact) {
  const IntegerPool pool(1100, kColumns, 3);
  const IntegerPool asked(90, kColumns, 4);
  Target target{pool, asked, std::vector<double>(90, 1.0)};
  for (std::size_t v = 0; v < target.weights.size(); ++v) {
    target.weights[v] = static_cast<double>(1 + v % 3);
  }
  for (const std::size_t memory : {std::size_t{1}, std::size_t{30'000}, std::size_t{1} << 24}) {
    PoolOptions options = target.options();
    options.threads = 2;
    check_target(*make_cpu_backend(options), target, Method::kExact, memory);
  }
}

TEST(weights_are_whole_multiples_of_a_power_of_two) {
  const std::vector<double> alike(5, 1.0);
  CHECK(RowWeights(alike).data() == nullptr);
  CHECK(RowWeights(alike).scale() == 1.0);
  const std::vector<double> quarters{0.25, 0.5, 1.5};
  const RowWeights whole(quarters);
  CHECK(whole.scale() == 4.0);
  CHECK(whole.data()[0] == 1 && whole.data()[1] == 2 && whole.data()[2] == 6);
  const std::vector<double> wide{1e-12, 1.0, 3e9};
  const RowWeights rounded(wide);
  CHECK(rounded.data()[0] == 1);
  CHECK(std::fabs(rounded.data()[2] / rounded.scale() - 3e9) <= 1.0 / rounded.scale());
  for (const double bad : {0.0, -1.0, std::nan(""), HUGE_VAL, 1e31}) {
    const std::vector<double> weights{1.0, bad};
    CHECK_THROWS(RowWeights{weights}, std::invalid_argument, "weights: ");
  }
}

int main() { return check::run(); }
