// The symmetric pass, the lists of alive pairs, and gains kept exact from pick to pick.
#include <algorithm>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <thread>

#include "check.h"
#include "cpu/alive_lists.h"
#include "cpu/cpu_backend.h"
#include "cpu/dispatch.h"
#include "cpu/symmetric_pass.h"
#include "engine/greedy.h"
#include "pools.h"

using namespace qdit;
using namespace qdit::cpu;

namespace {

std::vector<AlivePair> sorted(std::span<AlivePair> pairs) {
  std::vector<AlivePair> out(pairs.begin(), pairs.end());
  std::sort(out.begin(), out.end(),
            [](const AlivePair& a, const AlivePair& b) { return a.candidate < b.candidate; });
  return out;
}

bool same(const std::vector<AlivePair>& a, const std::vector<AlivePair>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const AlivePair& x, const AlivePair& y) {
    return x.candidate == y.candidate && x.sim == y.sim;
  });
}

std::vector<AlivePair> alive(const IntegerPool& pool, Index v, std::int32_t threshold) {
  std::vector<AlivePair> out;
  for (Index c = 0; c < pool.n; ++c) {
    const Fixed s = pool.dot(c, v);
    if (s > threshold) out.push_back({static_cast<std::uint32_t>(c), static_cast<std::int32_t>(s)});
  }
  return out;
}

class Silent final : public Observer {
 public:
  void tick(const GreedyResult& /*so_far*/, bool /*finished*/) override {}
};

GreedyResult select(Backend& backend, Index n, Method method, Index k, std::size_t memory) {
  std::vector<double> bonus(static_cast<std::size_t>(n));
  for (std::size_t i = 0; i < bonus.size(); ++i) bonus[i] = static_cast<double>(i % 7);
  std::vector<Fixed> bounds(bonus.size(), kUnknownBound);
  GreedyOptions options;
  options.method = method;
  options.k = k;
  options.weight = 1.0 / backend.scale();
  options.bonus = bonus;
  options.bounds = bounds;
  options.memory = memory;
  Silent silent;
  backend.reset({});
  return run_greedy(backend, options, silent);
}

}  // namespace

TEST(one_pass_gives_all_gains_and_all_alive_pairs) {
  for (const Index n : {1, 2, 13, 14, 15, 31, 32, 33, 63, 100, 511, 512, 513, 1100}) {
    for (const auto& level : supported_levels()) {
      for (const int threads : {1, 3}) {
        const IntegerPool data(n, 5, static_cast<unsigned>(n));
        const RowView rows = data.view();
        const Kernels& kernels = select_kernels(level);
        Interrupt none;
        ThreadPool pool(threads, none);
        const std::vector<float> factors(static_cast<std::size_t>(n), 1.0f);
        std::vector<std::int32_t> max(static_cast<std::size_t>(n + kernels.tile_rows), kPaddingMax);
        std::vector<std::int32_t> thresholds(static_cast<std::size_t>(n));
        for (std::size_t v = 0; v < thresholds.size(); ++v) {
          max[v] = static_cast<std::int32_t>(v % 5);
          thresholds[v] = max[v] + (v % 3 == 0 ? 4 : 0);
        }
        AliveLists lists(n, n, thresholds);
        std::vector<Fixed> gains(static_cast<std::size_t>(n), -1);
        SymmetricPass pass({kernels, pool, rows, factors, max.data()});
        pass.run(gains, lists, [](double) {});
        for (Index v = 0; v < n; v += 1 + n / 50) {
          CHECK(same(sorted(lists.pairs(v)), alive(data, v, thresholds[static_cast<std::size_t>(v)])));
          Fixed gain = 0;
          for (Index u = 0; u < n; ++u)
            gain += std::max<Fixed>(0, data.dot(v, u) - max[static_cast<std::size_t>(u)]);
          CHECK(gains[static_cast<std::size_t>(v)] == gain);
        }
      }
    }
  }
}

TEST(a_full_list_keeps_everything_above_its_threshold) {
  const IntegerPool data(300, 6, 4);
  const std::vector<std::int32_t> thresholds(1, -1000);
  AliveLists lists(1, 40, thresholds);
  // two threads append to one list at once
  const auto add = [&](Index from) {
    for (Index c = from; c < data.n; c += 2) {
      std::uint32_t id = 0;
      auto sim = static_cast<std::int32_t>(data.dot(c, 0));
      lists.append(0, {&id, &sim}, 1, c);
    }
  };
  std::thread other(add, 1);
  add(0);
  other.join();
  CHECK(lists.count(0) <= 40);
  CHECK(lists.threshold(0) > -1000);
  CHECK(same(sorted(lists.pairs(0)), alive(data, 0, lists.threshold(0))));
}

TEST(lists_made_compact_keep_their_pairs_and_take_no_more_memory) {
  const IntegerPool data(120, 6, 5);
  const std::vector<std::int32_t> thresholds(3, -1000);
  AliveLists lists(3, 120, thresholds);
  std::vector<std::uint32_t> ids(120);
  std::iota(ids.begin(), ids.end(), 0u);
  std::vector<std::vector<AlivePair>> wanted;
  for (Index v = 0; v < 3; ++v) {
    std::vector<std::int32_t> sims;
    for (Index c = 0; c < data.n; ++c) sims.push_back(static_cast<std::int32_t>(data.dot(c, v)));
    lists.append(v, {ids.data(), sims.data()}, ids.size(), 0);
    lists.cut(v, v == 1 ? 0 : static_cast<std::size_t>(50 - v));
    wanted.push_back(sorted(lists.pairs(v)));
  }
  for (int time = 0; time < 2; ++time) {
    CHECK(lists.pair_bytes() ==
          98 * sizeof(AlivePair) - static_cast<std::size_t>(time) * 40 * sizeof(AlivePair));
    lists.compact();
    CHECK(lists.bytes() <= lists.pair_bytes() + 3 * 16);
    for (Index v = 0; v < 3; ++v) CHECK(same(sorted(lists.pairs(v)), wanted[static_cast<std::size_t>(v)]));
    lists.cut(0, 10);
    wanted[0] = sorted(lists.pairs(0));
  }
}

TEST(exact_makes_the_picks_of_naive_whatever_memory_it_gets) {
  for (const Index n : {1, 30, 150, 1500}) {
    const IntegerPool pool(n, 6, static_cast<unsigned>(n));
    for (const int threads : {1, 2, 3}) {
      auto options = pool.options();
      options.threads = threads;
      const auto backend = make_cpu_backend(std::move(options));
      const Index k = std::min<Index>(n, 120);
      const auto wanted = select(*backend, n, n > 1000 ? Method::kLazy : Method::kNaive, k, 0);
      for (const std::size_t memory :
           {std::size_t{0}, std::size_t{5000}, std::size_t{200000}, std::size_t{1} << 28}) {
        // twice: the second run starts from the pass of the first
        auto fresh_options = pool.options();
        fresh_options.threads = threads;
        const auto fresh = make_cpu_backend(std::move(fresh_options));
        double products = 0.0;
        for (int run = 0; run < 2; ++run) {
          const auto got = select(*fresh, n, Method::kExact, k, memory);
          CHECK(got.picks == wanted.picks && got.gains == wanted.gains);
          const double more = fresh->stats().products - products;
          CHECK(run == 0 || memory < (1 << 28) || n == 1 || more < 0.9 * products);
          products += more;
        }
      }
    }
  }
}

TEST(a_pass_that_is_stopped_leaves_the_backend_usable) {
  const IntegerPool pool(1500, 6, 3);
  const auto backend = make_cpu_backend(pool.options());
  const auto wanted = select(*backend, pool.n, Method::kExact, 20, 1 << 26);
  std::vector<Fixed> gains(static_cast<std::size_t>(pool.n));
  backend->reset({});
  const Index first = 3;
  Fixed gain = 0;
  backend->commit({&first, 1}, {&gain, 1});
  int ticks = 0;
  const auto stop = [&](double) {
    if (++ticks == 3) throw std::runtime_error("stop");
  };
  CHECK_THROWS(backend->track(gains, 1 << 26, stop), std::runtime_error, "stop");
  CHECK(!backend->tight(0));
  const auto again = select(*backend, pool.n, Method::kExact, 20, 1 << 26);
  CHECK(again.picks == wanted.picks && again.gains == wanted.gains);
}

int main() { return check::run(); }
