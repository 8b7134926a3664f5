// The similarity graph by emulated kernels or on a device: on integer rows that of the CPU, whatever the
// memory.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <utility>
#include <vector>

#include "check.h"
#include "cpu/graph_builder.h"
#include "cuda/library.h"
#include "engine/graph_backend.h"
#include "pools.h"

using namespace qdit;

namespace {

constexpr std::int64_t kAll = std::int64_t{1} << 40;

std::size_t at(Index i) { return static_cast<std::size_t>(i); }

std::unique_ptr<GraphBackend> on_device(PoolOptions options, const char* precision, Index chunk = 0) {
  options.precision = precision;
  options.block_rows = chunk;
  return std::unique_ptr<GraphBackend>(qdit_cuda_make_graph(&options));
}

struct Request {
  Request(const IntegerPool& pool, Index cells_, Index probes_, Index keep_, unsigned seed)
      : cells(cells_), probes(probes_), keep(keep_) {
    const double scale = cpu::GraphBuilder(pool.options()).scale();
    std::mt19937 random(seed);
    for (Index v = 0; v < pool.n; ++v) {
      const auto first = static_cast<Index>(random() % static_cast<unsigned>(cells));
      for (Index p = 0; p < probes; ++p) nearest.push_back(static_cast<std::int32_t>((first + p) % cells));
      floors.push_back(static_cast<std::int32_t>(static_cast<double>(v % 5) * 4.0 * scale));
    }
  }
  GraphBackend::Pairs pairs(std::int64_t memory) const {
    return {nearest, probes, cells, largest, floors, keep, 3, memory};
  }

  Index cells;
  Index probes;
  Index keep;
  Index largest = 1 << 20;
  std::vector<std::int32_t> nearest;
  std::vector<std::int32_t> floors;
};

bool same(const GraphBackend::Result& a, const GraphBackend::Result& b) {
  if (a.table.offsets != b.table.offsets || a.cut_lists != b.cut_lists || a.parts != b.parts) return false;
  return std::equal(a.table.pairs.get(), a.table.pairs.get() + a.table.offsets.back(), b.table.pairs.get(),
                    [](const Neighbor& x, const Neighbor& y) { return x.row == y.row && x.sim == y.sim; });
}

void nothing(double /*share*/) {}

}  // namespace

TEST(integer_rows_give_the_graph_of_the_cpu) {
  for (const auto& [n, d, cells, probes, keep] :
       {std::array<Index, 5>{1, 3, 1, 1, 5}, {70, 5, 4, 2, 70}, {333, 19, 7, 3, 20}, {300, 70, 3, 3, 9}}) {
    const IntegerPool pool(n, d, 5);
    const Request request(pool, cells, probes, keep, 1);
    cpu::GraphBuilder host(pool.options());
    const auto wanted = host.pairs(request.pairs(kAll), nothing);
    for (const char* precision : {"float16", "split"}) {
      const auto device = on_device(pool.options(), precision);
      CHECK(device->scale() == host.scale());
      const auto got = device->pairs(request.pairs(kAll), nothing);
      CHECK(same(got, wanted) && got.rounds == 1);
      CHECK(same(device->pairs(request.pairs(kAll), nothing), wanted));
    }
  }
}

TEST(neither_rounds_nor_parts_of_the_pool_show) {
  const IntegerPool pool(1100, 6, 6);
  Request request(pool, 6, 2, 30, 2);
  request.largest = 400;
  cpu::GraphBuilder host(pool.options());
  const auto wanted = host.pairs(request.pairs(kAll), nothing);
  CHECK(wanted.cut_lists > 0 && wanted.parts > 0);
  for (const Index chunk : {Index{0}, Index{1024}}) {
    const auto device = on_device(pool.options(), "float16", chunk);
    for (const std::int64_t memory : {kAll, std::int64_t{300'000}}) {
      const auto got = device->pairs(request.pairs(memory), nothing);
      CHECK(same(got, wanted));
      CHECK((got.rounds > 1) == (memory != kAll));
    }
  }
}

TEST(a_list_that_does_not_fit_alone_is_a_round) {
  const IntegerPool pool(150, 5, 9);
  const Request request(pool, 2, 2, 40, 1);
  cpu::GraphBuilder host(pool.options());
  const auto got = on_device(pool.options(), "float16")->pairs(request.pairs(1), nothing);
  CHECK(same(got, host.pairs(request.pairs(1), nothing)));
  CHECK(got.rounds > 100);
}

TEST(nearest_centroids_are_those_of_the_cpu_under_either_metric) {
  const IntegerPool pool(1100, 6, 3);
  const IntegerPool centroids(40, 6, 4);
  for (const Metric metric : {Metric::kCosine, Metric::kDot}) {
    PoolOptions options = pool.options();
    options.metric = metric;
    options.zero_rows = ZeroRows::kIgnore;
    cpu::GraphBuilder host(options);
    for (const Index count : {1, 7, 40}) {
      std::vector<std::int32_t> wanted(at(1100 * count));
      std::vector<std::int32_t> got(wanted.size());
      host.nearest(centroids.view(), count, wanted, nothing);
      for (const Index chunk : {Index{0}, Index{1024}}) {
        double share = 0.0;
        on_device(options, "split", chunk)->nearest(centroids.view(), count, got, [&](double now) {
          CHECK(now >= share);
          share = now;
        });
        CHECK(got == wanted && share == 1.0);
      }
    }
  }
}

TEST(what_progress_throws_ends_the_work_and_the_builder_stays_usable) {
  const IntegerPool pool(260, 6, 6);
  const Request request(pool, 3, 2, 30, 2);
  const auto device = on_device(pool.options(), "float16");
  const auto wanted = device->pairs(request.pairs(kAll), nothing);
  for (const double when : {0.0, 0.5}) {
    const auto stop = [&](double share) {
      if (share > when) throw std::runtime_error("stop");
    };
    CHECK_THROWS(device->pairs(request.pairs(kAll), stop), std::runtime_error, "stop");
  }
  CHECK(same(device->pairs(request.pairs(kAll), nothing), wanted));
}

#if defined(QDIT_CUDA_EMULATION)  // a device cannot be made small
TEST(too_little_memory_is_an_error) {
  const IntegerPool pool(300, 6, 6);
  const Request request(pool, 3, 2, 30, 2);
  const auto device = on_device(pool.options(), "float16");
  setenv("QDIT_EMULATED_BYTES", "10000", 1);
  CHECK_THROWS(device->pairs(request.pairs(kAll), nothing), std::bad_alloc,
               "not enough memory on the device");
  unsetenv("QDIT_EMULATED_BYTES");
  CHECK(device->pairs(request.pairs(kAll), nothing).table.offsets.back() > 0);
}
#endif

int main() {
  char reason[512] = "";
  char name[512] = "";
  qdit_cuda_probe(0, reason, sizeof reason, name, sizeof name);
  if (reason[0] == 0) return check::run();
  std::printf("skipped: %s\n", reason);
  return 77;
}
