// The CUDA backend, with emulated kernels or on a device: every gain, pick and list against the float64
// reference.
#include <algorithm>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <utility>

#include "check.h"
#include "cuda/library.h"
#include "engine/greedy.h"
#include "pools.h"
#include "reference/reference_backend.h"
#if defined(QDIT_CUDA_EMULATION)
#include "cuda/device.h"
#include "cuda/uploader.h"
#endif

using namespace qdit;

namespace {

class Silent final : public Observer {
 public:
  void tick(const GreedyResult& /*so_far*/, bool /*finished*/) override {}
};

std::unique_ptr<Backend> cuda_backend(const PoolOptions& options) {
  return std::unique_ptr<Backend>(qdit_cuda_make(&options));
}

PoolOptions with(const IntegerPool& pool, const char* precision, Index chunk = 0) {
  PoolOptions options = pool.options();
  options.precision = precision;
  options.block_rows = chunk;
  return options;
}

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

bool same(const GreedyResult& a, double a_scale, const GreedyResult& b, double b_scale) {
  if (a.picks != b.picks) return false;
  for (std::size_t i = 0; i < a.gains.size(); ++i) {
    if (static_cast<double>(a.gains[i]) / a_scale != static_cast<double>(b.gains[i]) / b_scale) return false;
  }
  return true;
}

}  // namespace

#if defined(QDIT_CUDA_EMULATION)  // what looks inside, or wants a device that can be told to fail

namespace {

int current_device() {
  int device = -1;
  (void)cudaGetDevice(&device);
  return device;
}

}  // namespace

TEST(a_thread_keeps_its_own_current_device) {
  const IntegerPool pool(100, 9, 3);
  CHECK(cudaSetDevice(1) == cudaSuccess);
  char reason[64] = "";
  char name[64] = "";
  qdit_cuda_probe(0, reason, sizeof reason, name, sizeof name);
  CHECK(reason[0] == 0 && current_device() == 1);
  {
    const auto backend = cuda_backend(with(pool, "float16"));
    CHECK(current_device() == 1);
    const auto found = select(*backend, 100, Method::kExact, 5, 1 << 20);
    CHECK(found.picks.size() == 5 && current_device() == 1);
    CHECK(backend->coverage() > 0 && current_device() == 1);
    std::vector<double> covered(100);
    backend->row_coverage(covered);
    std::vector<Fixed> sims(25);
    backend->similarities(found.picks, found.picks, sims);
    CHECK(current_device() == 1);
  }
  CHECK(current_device() == 1);
  PoolOptions absent = with(pool, "float16");
  absent.device = 9;
  CHECK_THROWS(cuda_backend(absent), std::runtime_error, "there is no device 9");
  CHECK(current_device() == 1 && cudaSetDevice(0) == cudaSuccess);
}

TEST(memory_is_found_on_its_device) {
  void* there = nullptr;
  CHECK(cudaMalloc(&there, 100) == cudaSuccess);
  CHECK(qdit_cuda_device_of(there) == 0);
  CHECK(qdit_cuda_device_of(&there) == -1);
  CHECK(cudaFree(there) == cudaSuccess);
}

TEST(a_failed_upload_leaves_the_uploader_usable) {
  const auto card = std::make_unique<cuda::Device>(0);
  Interrupt interrupt;
  const cuda::Stream stream(*card);
  const std::vector<float> values(200'000, 1.0f);
  cuda::Buffer<cuda::RowFacts> facts(*card, 4);
  cuda::Uploader uploader(*card, interrupt, 1024);
  const auto send = [&](Index d) {
    RowView rows;
    rows.data = reinterpret_cast<const std::byte*>(values.data());
    rows.dtype = DType::kFloat32;
    rows.n = 4;
    rows.d = d;
    uploader.rows(rows, 0, 4, {nullptr, nullptr, 0}, facts.data(), stream.get());
    stream.wait();
  };
  setenv("QDIT_EMULATED_BYTES", "100000", 1);
  CHECK_THROWS(send(20'000), std::bad_alloc, "not enough memory");
  CHECK_THROWS(send(20'000), std::bad_alloc, "not enough memory");
  send(50);
  unsetenv("QDIT_EMULATED_BYTES");
  send(50'000);
}

#endif

TEST(every_method_makes_the_picks_of_the_reference) {
  for (const char* precision : {"float16", "split"}) {
    for (const auto& [n, d] : {std::pair<Index, Index>{1, 1},
                               {2, 8},
                               {63, 7},
                               {64, 9},
                               {65, 64},
                               {127, 65},
                               {128, 200},
                               {129, 70},
                               {260, 130}}) {
      {
        const IntegerPool pool(n, d, static_cast<unsigned>(n + d));
        const auto reference = make_reference_backend(pool.options());
        const auto backend = cuda_backend(with(pool, precision));
        const Index k = std::min<Index>(n, n > 130 ? 30 : 8);
        const auto wanted = select(*reference, n, Method::kLazy, k, 0);
        for (const Method method : {Method::kLazy, Method::kExact}) {
          const auto got = select(*backend, n, method, k, std::size_t{1} << 30);
          CHECK(same(got, backend->scale(), wanted, reference->scale()));
        }
      }
    }
  }
}

TEST(exact_does_not_depend_on_its_memory_or_on_chunks) {
  const Index n = 1100;
  const IntegerPool pool(n, 12, 5);
  const auto reference = make_reference_backend(pool.options());
  const auto wanted = select(*reference, n, Method::kLazy, 6, 0);
  for (const char* precision : {"split", "float16"}) {
    for (const Index chunk : {Index{0}, Index{1024}}) {
      const auto backend = cuda_backend(with(pool, precision, chunk));
      for (const std::size_t memory : {std::size_t{0}, std::size_t{1} << 19, std::size_t{1} << 30}) {
        if (memory != (std::size_t{1} << 19) && chunk != 0) continue;
        const auto got = select(*backend, n, Method::kExact, 6, memory);
        CHECK(same(got, backend->scale(), wanted, reference->scale()));
      }
    }
  }
}

TEST(tracked_gains_are_those_of_the_definition) {
  for (const std::size_t memory : {std::size_t{1} << 16, std::size_t{1} << 30}) {
    const Index n = 1100;
    const IntegerPool pool(n, 6, 3);
    const auto backend = cuda_backend(with(pool, "float16"));
    const auto plain = cuda_backend(with(pool, "split"));
    std::vector<Fixed> gains(static_cast<std::size_t>(n));
    std::vector<Index> all(gains.size());
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<Index>(i);
    Fixed rise = 0;
    for (const Index first : {3}) {
      backend->commit({&first, 1}, {&rise, 1});
      plain->commit({&first, 1}, {&rise, 1});
    }
    CHECK(backend->track(gains, memory, [](double) {}));
    for (const Index pick : {700, 12, 3, 55}) {
      std::vector<Fixed> wanted(gains.size());
      plain->gains(all, wanted);
      std::vector<Fixed> got(gains.size());
      for (std::size_t i = 0; i < all.size(); ++i) {
        CHECK(gains[i] >= wanted[i]);
        if (backend->tight(all[i])) CHECK(gains[i] == wanted[i]);
      }
      backend->gains(all, got);
      CHECK(got == wanted && got == gains);
      Fixed other = 0;
      backend->commit({&pick, 1}, {&rise, 1});
      plain->commit({&pick, 1}, {&other, 1});
      CHECK(rise == other);
      CHECK(backend->coverage() == plain->coverage());
    }
  }
}

TEST(gains_of_different_age_become_exact) {
  const Index n = 700;
  const IntegerPool pool(n, 6, 3);
  const auto backend = cuda_backend(with(pool, "float16"));
  const auto plain = make_reference_backend(pool.options());
  const Index first = 3;
  Fixed rise = 0;
  backend->commit({&first, 1}, {&rise, 1});
  plain->commit({&first, 1}, {&rise, 1});
  std::vector<Fixed> gains(static_cast<std::size_t>(n));
  CHECK(backend->track(gains, std::size_t{1} << 15, [](double) {}));
  for (Index commit = 1; commit <= 36; ++commit) {
    const Index pick = commit * 17 % n;
    backend->commit({&pick, 1}, {&rise, 1});
    plain->commit({&pick, 1}, {&rise, 1});
    // Most wait for a few commits, some for more than maxima are kept.
    std::vector<Index> some;
    for (Index c = commit; c < n; c += 1 + commit % 5 * 7) some.push_back(c);
    std::vector<Fixed> got(some.size());
    std::vector<Fixed> wanted(some.size());
    backend->gains(some, got);
    plain->gains(some, wanted);
    for (std::size_t i = 0; i < some.size(); ++i) {
      CHECK(static_cast<double>(got[i]) / backend->scale() ==
            static_cast<double>(wanted[i]) / plain->scale());
    }
  }
}

TEST(the_last_incomplete_rows_are_listed_anew) {
  const Index n = 700;
  const IntegerPool pool(n, 8, 5);
  const auto reference = make_reference_backend(pool.options());
  const auto wanted = select(*reference, n, Method::kLazy, 60, 0);
  for (const Index chunk : {Index{0}, Index{512}}) {
    const auto backend = cuda_backend(with(pool, "float16", chunk));
    const auto got = select(*backend, n, Method::kExact, 60, std::size_t{1} << 18);
    CHECK(same(got, backend->scale(), wanted, reference->scale()));
    const BackendStats stats = backend->stats();
    CHECK(stats.relists == 1 && stats.rebuilds == 0);
    CHECK(stats.dense_picks > 0 && stats.dense_picks < 59);
    CHECK(stats.products_evaluating > 0.0 && stats.products_evaluating < stats.products);
    CHECK(stats.pairs_written > 0 && stats.pairs_written <= (1 << 18) / 8 * 2);
    CHECK(stats.pick_waits > 0 && stats.pick_bytes_down > 0);
  }
}

TEST(nothing_is_picked_where_nothing_is_open) {
  const IntegerPool pool(40, 6, 3);
  const auto backend = cuda_backend(with(pool, "float16"));
  std::vector<Fixed> gains(40);
  const Index first = 3;
  Fixed rise = 0;
  backend->commit({&first, 1}, {&rise, 1});
  CHECK(backend->track(gains, std::size_t{1} << 30, [](double) {}));
  const std::vector<double> bonus(40, 0.0);
  std::vector<std::uint8_t> closed(40, 1);
  std::vector<Index> picks(5);
  std::vector<Fixed> rises(5);
  CHECK(backend->run_tracked({1.0, bonus, closed}, picks, rises) == 0);
  closed[8] = closed[17] = 0;
  CHECK(backend->run_tracked({1.0, bonus, closed}, picks, rises) == 2);
  CHECK(picks[0] + picks[1] == 25);
}

TEST(a_pass_that_is_stopped_leaves_the_backend_usable) {
  const IntegerPool pool(400, 6, 3);
  const auto backend = cuda_backend(with(pool, "float16"));
  const auto wanted = select(*backend, pool.n, Method::kExact, 20, 1 << 26);
  std::vector<Fixed> gains(static_cast<std::size_t>(pool.n));
  backend->reset({});
  const Index first = 3;
  Fixed gain = 0;
  backend->commit({&first, 1}, {&gain, 1});
  const auto stop = [](double) { throw std::runtime_error("stop"); };
  CHECK_THROWS(backend->track(gains, 1 << 26, stop), std::runtime_error, "stop");
  CHECK(!backend->tight(0));
  const auto again = select(*backend, pool.n, Method::kExact, 20, 1 << 26);
  CHECK(again.picks == wanted.picks && again.gains == wanted.gains);
}

TEST(similarities_and_nearest_rows_agree_with_the_reference) {
  const IntegerPool pool(150, 20, 8);
  for (const char* precision : {"float16", "split"}) {
    const auto backend = cuda_backend(with(pool, precision));
    const auto reference = make_reference_backend(pool.options());
    const std::vector<Index> some = {0, 149, 77, 77, 3};
    std::vector<Index> all(150);
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<Index>(149 - i);
    std::vector<Fixed> got(some.size() * all.size());
    std::vector<Fixed> wanted(got.size());
    backend->similarities(some, all, got);
    reference->similarities(some, all, wanted);
    for (std::size_t i = 0; i < got.size(); ++i) {
      CHECK(static_cast<double>(got[i]) / backend->scale() ==
            static_cast<double>(wanted[i]) / reference->scale());
    }
    std::vector<Index> ids(150);
    std::vector<Index> wanted_ids(150);
    std::vector<double> sims(150);
    std::vector<double> wanted_sims(150);
    RowView view = pool.view();  // its first rows as centroids: none is longer than the longest of the pool
    view.n = 70;
    backend->nearest(view, ids, sims);
    reference->nearest(view, wanted_ids, wanted_sims);
    CHECK(ids == wanted_ids && sims == wanted_sims);
  }
}

int main() {
  char reason[512] = "";
  char name[512] = "";
  qdit_cuda_probe(0, reason, sizeof reason, name, sizeof name);
  if (reason[0] == 0) return check::run();
  std::printf("skipped: %s\n", reason);
  return 77;
}
