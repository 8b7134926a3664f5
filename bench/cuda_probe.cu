// Rates of the passes over all pairs, from the kernels alone: bench/gpu_check.sh builds and runs this first,
// so that there are numbers whatever fails later.
//
//     cuda_probe [rows] [items]
//
// Rows are small integers, so every kernel must find the same gains, counts and pairs; one that does not is
// named, and the exit status is 1. Built with QDIT_WITHOUT_PROXY_FENCE the passes by wgmma leave out the
// fence before each slab: what they find then may be wrong, and the difference in time is what the fence
// costs.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "cuda/kernels/half.h"
#include "cuda/kernels/pass.cuh"
#if !defined(QDIT_WITHOUT_WGMMA)
#include "cuda/kernels/pass_wgmma.cuh"
#endif

using namespace qdit::cuda;

namespace {

constexpr std::int32_t kUnitSim = 1 << 10;  // a product of 1 in fixed point
constexpr double kAliveAt = 2.4;            // standard deviations: one pair in 120 is above
constexpr int kRounds = 4;                  // the first warms up; the median of the others counts

cudaStream_t stream() {
  static const cudaStream_t own = [] {
    cudaStream_t made = nullptr;
    QDIT_CUDA_CHECK(cudaStreamCreateWithFlags(&made, cudaStreamNonBlocking));
    return made;
  }();
  return own;
}

template <class T>
struct Memory {
  explicit Memory(std::int64_t count) : bytes(static_cast<std::size_t>(count) * sizeof(T)) {
    QDIT_CUDA_CHECK(cudaMalloc(reinterpret_cast<void**>(&data), bytes));
  }
  explicit Memory(const std::vector<T>& values) : Memory(static_cast<std::int64_t>(values.size())) {
    copy(data, values.data(), cudaMemcpyHostToDevice);
  }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  ~Memory() { (void)cudaFree(data); }
  std::vector<T> values() const {
    std::vector<T> out(bytes / sizeof(T));
    copy(out.data(), data, cudaMemcpyDeviceToHost);
    return out;
  }
  void copy(void* to, const void* from, cudaMemcpyKind kind) const {
    QDIT_CUDA_CHECK(cudaMemcpyAsync(to, from, bytes, kind, stream()));
    QDIT_CUDA_CHECK(cudaStreamSynchronize(stream()));
  }
  void zero() const { QDIT_CUDA_CHECK(cudaMemsetAsync(data, 0, bytes, stream())); }
  T* data = nullptr;
  std::size_t bytes;
};

std::vector<std::uint16_t> random_items(std::int64_t count) {
  std::vector<std::uint16_t> halves;
  for (int value = -3; value <= 3; ++value) halves.push_back(float_to_half(static_cast<float>(value)));
  std::vector<std::uint16_t> items(static_cast<std::size_t>(count));
  std::uint64_t state = 1;
  for (std::uint16_t& item : items) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    item = halves[static_cast<std::size_t>((state >> 33) % halves.size())];
  }
  return items;
}

struct Found {
  std::vector<Sum> gains;
  std::vector<std::uint32_t> counts;
};

class Probe {
 public:
  Probe(std::int32_t n, std::int32_t depth)
      : n_(n),
        depth_(depth),
        items_(random_items(std::int64_t{n} * depth)),
        zeros_(std::vector<std::uint16_t>(static_cast<std::size_t>(n) * static_cast<std::size_t>(depth), 0)),
        factors_(std::vector<float>(static_cast<std::size_t>(n), 32.0f)),  // 32 * 32 = kUnitSim
        limits_(std::vector<std::int32_t>(
            static_cast<std::size_t>(n),
            static_cast<std::int32_t>(kAliveAt * 4.0 * std::sqrt(static_cast<double>(depth))) * kUnitSim)),
        gains_(n),
        counts_(n) {}

  // All passes of one shape of tile. launch_pass, launch_fill: of that shape.
  template <class Shape, class Pass, class Fill>
  void run(const char* name, const Pass& launch_pass, const Fill& launch_fill) {
    PassSide side;
    side.rows = {items_.data, Shape::kPlanes == 2 ? zeros_.data : nullptr, factors_.data, nullptr, n_, depth_,
                 depth_};
    side.max = side.threshold = limits_.data;
    side.gains = gains_.data;
    const auto tiles = static_cast<std::int32_t>(divide_up(n_, Shape::kTile));
    const TileMap map{tiles, tiles, true};
    const std::int64_t all = map.squares() * kSquare * kSquare;
    const auto pass = [&](bool counted) {
      side.counts = counted ? counts_.data : nullptr;
      const PassArguments arguments{side, side, map};
      for (std::int64_t first = 0; first < all; first += kTilesPerLaunch) {
        launch_pass(arguments, first, std::min(kTilesPerLaunch, all - first));
      }
    };
    const double plain = seconds([&] { pass(false); });
    const std::vector<Sum> plain_gains = gains_.values();
    const double counting = seconds([&] { pass(true); });
    const Found found{gains_.values(), counts_.values()};
    if (plain_gains != found.gains) wrong(name, "gains without and with counts");
    if (first_.gains.empty()) first_ = found;
    if (found.gains != first_.gains || found.counts != first_.counts) wrong(name, "gains or counts");
    std::vector<std::int64_t> begin;
    std::int64_t pairs = 0;
    for (const std::uint32_t count : found.counts) {
      begin.push_back(pairs);
      pairs += count;
    }
    const Memory<std::int64_t> list_begin(begin);
    const Memory<Pair> lists(pairs + 1);
    side.counts = counts_.data;
    side.list_begin = list_begin.data;
    const double filling = seconds([&] {
      const PassArguments arguments{side, side, map};
      for (std::int64_t first = 0; first < all; first += kTilesPerLaunch) {
        launch_fill(arguments, lists.data, first, std::min(kTilesPerLaunch, all - first));
      }
    });
    if (counts_.values() != found.counts) wrong(name, "pairs stored");
    const double flop = static_cast<double>(n_) * (n_ + 1.0) * depth_;
    std::printf("%-13s gains %7.1f, gains and counts %7.1f, fill %7.1f TFLOP/s; %lld pairs\n", name,
                flop / plain / 1e12, flop / counting / 1e12, flop / filling / 1e12,
                static_cast<long long>(pairs));
    std::fflush(stdout);
  }

  bool right() const { return right_; }

 private:
  static constexpr std::int64_t kTilesPerLaunch = std::int64_t{512} * kSquare * kSquare;

  template <class Function>
  double seconds(const Function& function) const {
    std::vector<double> found;
    for (int round = 0; round < kRounds; ++round) {
      gains_.zero();
      counts_.zero();
      QDIT_CUDA_CHECK(cudaStreamSynchronize(stream()));
      const auto start = std::chrono::steady_clock::now();
      function();
      QDIT_CUDA_CHECK(cudaStreamSynchronize(stream()));
      found.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    }
    std::sort(found.begin() + 1, found.end());
    return found[kRounds / 2];
  }

  void wrong(const char* name, const char* what) {
    std::printf("WRONG: %s: other %s\n", name, what);
    right_ = false;
  }

  std::int32_t n_;
  std::int32_t depth_;
  Memory<std::uint16_t> items_;
  Memory<std::uint16_t> zeros_;
  Memory<float> factors_;
  Memory<std::int32_t> limits_;
  Memory<Sum> gains_;
  Memory<std::uint32_t> counts_;
  Found first_;
  bool right_ = true;
};

}  // namespace

int main(int count, char** words) try {
  const std::int32_t n = count > 1 ? std::atoi(words[1]) : 100'000;
  const std::int32_t depth = count > 2 ? std::atoi(words[2]) : 768;
  cudaDeviceProp card{};
  QDIT_CUDA_CHECK(cudaGetDeviceProperties(&card, 0));
  std::printf("%s, %d multiprocessors; %d rows of %d items\n", card.name, card.multiProcessorCount, n, depth);
  Probe probe(n, depth);
  const auto run = [&]<class Shape>(const char* name, Shape /*tile*/, const auto& pass) {
    probe.run<Shape>(
        name, pass, [&](const PassArguments& arguments, Pair* pairs, std::int64_t first, std::int64_t tiles) {
          launch_fill_of<Shape>(arguments, pairs, first, tiles, stream());
        });
  };
#if !defined(QDIT_WITHOUT_WGMMA)
  const auto run_wide = [&]<class Shape>(const char* name, Shape tile) {
    run(name, tile, [&](const PassArguments& arguments, std::int64_t first, std::int64_t tiles) {
      launch_wide_pass<Shape>(arguments, first, tiles, stream());
    });
  };
  run_wide("float16 wgmma", WgmmaHalfTile{});
  run_wide("split wgmma", WgmmaSplitTile{});
#endif
#if !defined(QDIT_WITHOUT_PROXY_FENCE)
  const auto run_mma = [&]<class Shape>(const char* name, Shape tile) {
    run(name, tile, [&](const PassArguments& arguments, std::int64_t first, std::int64_t tiles) {
      launch_pass_of<Shape>(arguments, first, tiles, stream());
    });
  };
  run_mma("float16 mma", HalfTile{});
  run_mma("split mma", SplitTile{});
#endif
  return probe.right() ? 0 : 1;
} catch (const std::exception& error) {
  std::printf("FAILED: %s\n", error.what());
  return 2;
}
