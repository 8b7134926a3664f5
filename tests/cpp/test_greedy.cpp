// Greedy loops over real backends: agreement of methods and backends, faults in the middle, resumption.
#include <algorithm>
#include <memory>
#include <stdexcept>

#include "check.h"
#include "cpu/cpu_backend.h"
#include "engine/greedy.h"
#include "pools.h"
#include "reference/reference_backend.h"

using namespace qdit;

namespace {

class Silent final : public Observer {
 public:
  void tick(const GreedyResult& /*so_far*/, bool /*finished*/) override {}
};

// Throws on the n-th tick, as a progress callback or Ctrl-C would.
class ThrowsOnTick final : public Observer {
 public:
  explicit ThrowsOnTick(int n) : left_(n) {}
  void tick(const GreedyResult& so_far, bool /*finished*/) override {
    picks = so_far.picks;
    if (--left_ == 0) throw std::runtime_error("stop");
  }
  std::vector<Index> picks;

 private:
  int left_;
};

struct Setup {
  explicit Setup(const IntegerPool& pool) : bonus(static_cast<std::size_t>(pool.n)) {
    for (std::size_t i = 0; i < bonus.size(); ++i) bonus[i] = static_cast<double>(i % 5);
    bounds.assign(bonus.size(), kUnknownBound);
  }
  GreedyOptions options(Method method, Index k, double scale) {
    GreedyOptions options;
    options.method = method;
    options.k = k;
    options.weight = 1.0 / scale;
    options.bonus = bonus;
    options.epsilon = 0.1;
    options.seed = 9;
    options.bounds = bounds;
    return options;
  }
  std::vector<double> bonus;
  std::vector<Fixed> bounds;
};

std::unique_ptr<Backend> cpu_backend(const IntegerPool& pool, std::size_t cache = 1 << 20) {
  auto options = pool.options();
  options.threads = 2;
  options.cache_bytes = cache;
  options.batch = 32;
  return make_cpu_backend(std::move(options));
}

GreedyResult run(Backend& backend, const IntegerPool& pool, Method method, Index k) {
  Setup setup(pool);
  Silent silent;
  backend.reset({});
  return run_greedy(backend, setup.options(method, k, backend.scale()), silent);
}

std::vector<double> values(const GreedyResult& result, double scale) {
  std::vector<double> out;
  for (const Fixed gain : result.gains) out.push_back(static_cast<double>(gain) / scale);
  return out;
}

}  // namespace

TEST(every_method_and_backend_makes_the_same_picks_of_integer_rows) {
  for (const Index n : {1, 5, 40, 150}) {
    const IntegerPool pool(n, 6, static_cast<unsigned>(n));
    const auto reference = make_reference_backend(pool.options());
    const auto wanted = run(*reference, pool, Method::kNaive, n);
    for (const Method method : {Method::kNaive, Method::kLazy, Method::kExact}) {
      const auto again = run(*reference, pool, method, n);
      CHECK(again.picks == wanted.picks && again.gains == wanted.gains);
      for (const std::size_t cache : {std::size_t{0}, std::size_t{1} << 14, std::size_t{1} << 20}) {
        const auto cpu = cpu_backend(pool, cache);
        const auto got = run(*cpu, pool, method, n);
        CHECK(got.picks == wanted.picks);
        CHECK(values(got, cpu->scale()) == values(wanted, reference->scale()));
      }
    }
  }
}

TEST(a_run_stopped_anywhere_resumes_to_the_same_result) {
  const IntegerPool pool(120, 6, 3);
  for (const Method method : {Method::kNaive, Method::kLazy, Method::kExact, Method::kStochastic}) {
    const auto backend = cpu_backend(pool);
    const auto wanted = run(*backend, pool, method, 50);
    for (int stop = 1; stop < 60; stop += 4) {
      Setup setup(pool);
      ThrowsOnTick faulty(stop);
      backend->reset({});
      auto options = setup.options(method, 50, backend->scale());
      CHECK_THROWS(run_greedy(*backend, options, faulty), std::runtime_error, "stop");
      // bounds as the run left them, picks as the observer last saw them
      backend->reset({});
      options.picks = faulty.picks;
      Silent silent;
      const auto got = run_greedy(*backend, options, silent);
      CHECK(got.picks == wanted.picks && got.gains == wanted.gains);
    }
  }
}

TEST(coverage_is_the_sum_of_gains) {
  const IntegerPool pool(90, 4, 8);
  for (const auto& backend : {cpu_backend(pool), make_reference_backend(pool.options())}) {
    const auto result = run(*backend, pool, Method::kLazy, 20);
    Fixed sum = 0;
    for (const Fixed gain : result.gains) sum += gain;
    CHECK(sum == backend->coverage());
  }
}

TEST(similarities_that_cancel_out_do_not_end_a_run_with_a_budget) {
  const std::vector<float> rows{1, 0, 0, 1, -1, 0, 0, -1};
  const std::vector<double> costs(4, 1.0);
  const std::vector<double> bonus(4, 0.0);
  PoolOptions pool;
  pool.rows.data = reinterpret_cast<const std::byte*>(rows.data());
  pool.rows.n = 4;
  pool.rows.d = 2;
  for (const bool reference : {false, true}) {
    const auto backend = reference ? make_reference_backend(pool) : make_cpu_backend(pool);
    for (const auto method : {Method::kNaive, Method::kLazy, Method::kExact}) {
      std::vector<Fixed> bounds(4, kUnknownBound);
      GreedyOptions options;
      options.method = method;
      options.k = 4;
      options.weight = 1.0 / backend->scale();
      options.bonus = bonus;
      options.bounds = bounds;
      options.limits.costs = costs;
      options.limits.budget = 3.0;
      Silent silent;
      backend->reset({});
      CHECK((run_greedy(*backend, options, silent).picks == std::vector<Index>{0, 1, 2}));
      options.weight = 0.0;  // a score of nothing, and no gain that could follow
      backend->reset({});
      CHECK(run_greedy(*backend, options, silent).picks.empty());
    }
  }
}

TEST(bad_options_are_refused) {
  const IntegerPool pool(10, 3, 1);
  const auto backend = cpu_backend(pool);
  Silent silent;
  Setup setup(pool);
  const auto refused = [&](auto change, const char* text) {
    auto options = setup.options(Method::kLazy, 3, 1.0);
    change(options);
    CHECK_THROWS(run_greedy(*backend, options, silent), std::invalid_argument, text);
  };
  const std::vector<Index> outside{10};
  const std::vector<Index> twice{4, 4};
  refused([](auto& o) { o.k = 11; }, "k: got 11, wanted at most the 10 rows");
  refused([](auto& o) { o.weight = -1.0; }, "weight: got -1");
  refused([&](auto& o) { o.excluded = outside; }, "excluded: position 0 is row 10, wanted 0 .. 9");
  refused([&](auto& o) { o.picks = twice; }, "picks: row 4 cannot be picked");
  refused([](auto& o) { o.bonus = o.bonus.first(9); }, "bonus and bounds: wanted 10 values, got 9 and 10");
  refused(
      [](auto& o) {
        o.method = Method::kStochastic;
        o.epsilon = 1.0;
      },
      "epsilon: got 1");
}

TEST(an_interrupted_commit_must_be_reset) {
  const IntegerPool pool(2000, 8, 2);
  auto options = pool.options();
  bool armed = false;
  options.block_rows = 14;
  options.interrupt = Interrupt([&armed] {
    if (armed) throw std::runtime_error("interrupted");
  });
  const auto backend = make_cpu_backend(std::move(options));
  std::vector<Index> rows(2000);
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<Index>(i);
  std::vector<Fixed> gains(rows.size());
  armed = true;
  CHECK_THROWS(
      for (int i = 0; i < 1000; ++i) {
        backend->reset({});
        backend->commit(rows, gains);
      },
      std::runtime_error, "interrupted");
  armed = false;
  CHECK_THROWS(backend->gains(rows, gains), std::logic_error, "reset() first");
  backend->reset({});
  backend->gains(rows, gains);
}

int main() { return check::run(); }
