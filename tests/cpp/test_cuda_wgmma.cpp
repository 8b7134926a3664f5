// The emulated wgmma: its results, and what it does not let pass. A kernel that the emulation accepts is to
// have every wait and fence that the PTX ISA asks for.
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <functional>
#include <string>

#include "block.h"
#include "check.h"
#include "cuda/kernels/half.h"
#include "cuda/kernels/layout.h"
#include "cuda/kernels/ptx_wgmma.h"
#include "cuda/kernels/wgmma_layout.h"

using namespace qdit;
using namespace qdit::cuda;

namespace {

constexpr int kRows = 64;
constexpr std::uint32_t kPlane = kRows * kSlab * 2;

struct alignas(16) Rows {
  std::uint16_t items[kRows][kSlab];
  explicit Rows(int seed) {
    for (int r = 0; r < kRows; ++r) {
      for (int k = 0; k < kSlab; ++k) items[r][k] = float_to_half(static_cast<float>(value(seed, r, k)));
    }
  }
  static int value(int seed, int r, int k) { return (r * 7 + k * seed + r * k) % 9 - 4; }
};

// What a kernel that multiplies one slab may forget.
struct Steps {
  bool copy_wait = true;
  bool proxy_fence = true;
  bool fence = true;
  bool wait = true;
  bool commit = true;
  bool write_early = false;
  bool plain_store = false;
  bool first_warps_only = false;
  bool next_copy_early = false;
  int products = 1;
  std::uint64_t flip = 0;  // bits of the descriptor of the rows
};

using Found = std::array<std::array<float, kRows>, kRows>;

void load(const Rows& rows, std::uint32_t to) {
  for (int unit = static_cast<int>(threadIdx.x); unit < kRows * 8; unit += 128) {
    const int row = unit / 8;
    copy_async(to + static_cast<std::uint32_t>(swizzled(row, unit % 8)), &rows.items[row][unit % 8 * kUnit],
               16);
  }
}

void kernel(const Rows& a, const Rows& b, const Steps& steps, Found& found) {
  load(a, 0);
  load(b, kPlane);
  copy_async_commit();
  if (steps.copy_wait) copy_async_wait<0>();
  if (steps.proxy_fence) fence_async_proxy();
  if (steps.plain_store && threadIdx.x == 5) shared_memory()[kPlane + 77] ^= 1;
  sync_block();
  if (steps.first_warps_only && threadIdx.x >= 64) return;
  float sums[32] = {};
  if (steps.fence) wgmma_fence();
  for (int repeat = 0; repeat < steps.products; ++repeat) {
    for (int k = 0; k < kSlab / 16; ++k) {
      multiply_add_async(sums, slab_descriptor(0, k) ^ steps.flip, slab_descriptor(kPlane, k),
                         repeat > 0 || k > 0);
    }
    if (steps.commit) wgmma_commit();
  }
  if (steps.write_early) sums[3] = 0.0f;
  if (steps.next_copy_early) {  // the stage is written anew while products may still read it
    sync_block();
    load(b, 0);
    copy_async_commit();
    copy_async_wait<0>();
    fence_async_proxy();
    sync_block();
  }
  if (steps.wait) wgmma_wait<0>();
  for (int i = 0; i < 32; ++i) {
    const unsigned thread = threadIdx.x;
    const unsigned row = thread / 32 * 16 + static_cast<unsigned>(i % 4 / 2 * 8) + thread % 32 / 4;
    found[row][static_cast<unsigned>(i / 4 * 8 + i % 2) + thread % 4 * 2] = sums[i];
  }
}

int wrong(const Steps& steps, int runs = 1) {
  const Rows a(3);
  const Rows b(5);
  int count = 0;
  for (int run = 0; run < runs; ++run) {
    Found found{};
    emulation::run_block(0, 128, 2 * kPlane, [&] { kernel(a, b, steps, found); });
    for (int r = 0; r < kRows; ++r) {
      for (int c = 0; c < kRows; ++c) {
        int sum = 0;
        for (int k = 0; k < kSlab; ++k) sum += Rows::value(3, r, k) * Rows::value(5, c, k);
        const float got = found[static_cast<std::size_t>(r)][static_cast<std::size_t>(c)];
        count += got != static_cast<float>(steps.products * sum) ? 1 : 0;
      }
    }
  }
  return count;
}

// What a child that runs the kernel says when it is stopped; "" if it is not.
std::string stopped_by(const Steps& steps) {
  int ends[2];
  if (pipe(ends) != 0) return "no pipe";
  const pid_t child = fork();
  if (child == 0) {
    dup2(ends[1], STDERR_FILENO);
    wrong(steps, 20);
    _exit(0);
  }
  close(ends[1]);
  std::string text;
  char buffer[256];
  for (ssize_t got = 0; (got = read(ends[0], buffer, sizeof buffer)) > 0;) {
    text.append(buffer, static_cast<std::size_t>(got));
  }
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT ? text : "";
}

bool stops(const Steps& steps, const char* why) { return stopped_by(steps).find(why) != std::string::npos; }

}  // namespace

TEST(products_land_where_the_accumulators_say) {
  CHECK(wrong({}, 20) == 0);
  Steps twice;
  twice.products = 2;
  CHECK(wrong(twice, 20) == 0);
}

TEST(copies_must_be_waited_for_and_fenced) {
  Steps steps;
  steps.proxy_fence = false;
  CHECK(stops(steps, "without fence.proxy.async"));
  steps = {};
  steps.copy_wait = false;
  CHECK(stops(steps, "wgmma reads"));
  steps = {};
  steps.plain_store = true;
  CHECK(stops(steps, "that no fenced copy wrote"));
}

TEST(accumulators_belong_to_wgmma_until_it_is_waited_for) {
  Steps steps;
  steps.fence = false;
  CHECK(stops(steps, "without wgmma.fence"));
  steps = {};
  steps.write_early = true;
  CHECK(stops(steps, "accumulators were written"));
  steps = {};
  steps.wait = false;
  CHECK(stops(steps, "a thread ended with wgmma under way"));
  steps = {};
  steps.commit = false;  // what is not committed is not waited for
  CHECK(stops(steps, "a thread ended with wgmma under way"));
}

TEST(a_warpgroup_comes_together) {
  Steps steps;
  steps.first_warps_only = true;
  CHECK(stops(steps, "all threads wait for each other"));
}

TEST(operands_are_not_replaced_under_way) {
  Steps steps;
  steps.next_copy_early = true;
  CHECK(wrong(steps, 20) > 0);  // products that were put off multiply what came later
}

TEST(descriptors_are_followed) {
  Steps steps;
  for (const std::uint64_t flip : {std::uint64_t{3} << 62, std::uint64_t{1} << 49, std::uint64_t{1} << 35}) {
    steps.flip = flip;  // another swizzle, another base offset, another stride
    CHECK(wrong(steps, 1) > 0);
  }
  steps.flip = std::uint64_t{1} << 16;  // the leading offset: nothing reads it
  CHECK(wrong(steps, 1) == 0);
  steps.flip = std::uint64_t{1} << 60;
  CHECK(stops(steps, "bits that mean nothing"));
  steps.flip = std::uint64_t{1} << 13;
  CHECK(stops(steps, "beyond shared memory"));
}

int main() { return check::run(); }
