// Runs the threads of one block as fibers.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <memory>
#include <numeric>
#include <random>
#include <utility>
#include <vector>

#include "block.h"
#include "cuda/kernels/half.h"
#include "cuda_runtime.h"
#include "instructions.h"

#if !defined(__x86_64__)
#include <ucontext.h>
#endif

thread_local constinit uint3 threadIdx{};
thread_local constinit uint3 blockIdx{};
thread_local constinit uint3 gridDim{};

namespace {

using qdit::cuda::emulation::Instruction;
using qdit::cuda::emulation::Lane;

constexpr std::size_t kStack = 128 * 1024;
constexpr std::size_t kCanary = 64;

using qdit::cuda::emulation::fail;

struct Copy {
  unsigned char* to;
  const void* from;
  int bytes;
};
struct Copies {
  std::vector<Copy> all;
  bool done = false;
};

struct Fiber {
  std::unique_ptr<unsigned char[]> stack = std::make_unique_for_overwrite<unsigned char[]>(kStack);
#if defined(__x86_64__)
  void* pointer = nullptr;
#else
  ucontext_t context;
#endif
  unsigned thread = 0;
  bool done = false;
  const std::uint64_t* phase = nullptr;  // waits until this is no longer ...
  std::uint64_t seen = 0;                // ... that
  std::vector<Copy> copies;              // not committed yet
  std::deque<Copies> groups;
};

// Threads that wait for each other: each phase ends when all have come.
struct Meeting {
  std::uint64_t phase = 0;
  unsigned arrived = 0;
};

struct Warp {
  Meeting meeting;
  Instruction instruction = Instruction::kSyncWarp;
  Lane* lanes[32] = {};
};

struct Block {
  std::vector<Fiber> fibers;
  std::vector<Warp> warps;
  std::vector<Meeting> warpgroups;
  Meeting barrier;
  unsigned threads = 0;
  unsigned left = 0;
  unsigned last_warp = 0;
  Fiber* running = nullptr;
  std::vector<unsigned char> memory;
  unsigned char* shared = nullptr;
  std::size_t shared_bytes = 0;
  const std::function<void()>* body = nullptr;
  std::mt19937 random{20240607};
#if defined(__x86_64__)
  void* scheduler = nullptr;
#else
  ucontext_t scheduler;
#endif
};

// A pointer: what has a constructor is reached through a call, and kernels get here at every instruction.
thread_local constinit Block* block = nullptr;

#if defined(__x86_64__)
extern "C" void qdit_switch_stack(void** save, void* load);
asm(R"(
.text
.globl qdit_switch_stack
.hidden qdit_switch_stack
.type qdit_switch_stack, @function
qdit_switch_stack:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size qdit_switch_stack, .-qdit_switch_stack
)");
#endif

void give_way() {
  Fiber& fiber = *block->running;
#if defined(__x86_64__)
  qdit_switch_stack(&fiber.pointer, block->scheduler);
#else
  swapcontext(&fiber.context, &block->scheduler);
#endif
  threadIdx.x = fiber.thread;
}

void resume(Fiber& fiber) {
  block->running = &fiber;
  threadIdx.x = fiber.thread;
#if defined(__x86_64__)
  qdit_switch_stack(&block->scheduler, fiber.pointer);
#else
  swapcontext(&block->scheduler, &fiber.context);
#endif
}

std::size_t unit_of(const Copy& copy) { return static_cast<std::size_t>(copy.to - block->shared) / 16; }

void run_copies(Copies& copies) {
  if (std::exchange(copies.done, true)) return;
  for (const Copy& copy : copies.all) {
    std::memset(copy.to, 0, 16);
    if (copy.bytes > 0) std::memcpy(copy.to, copy.from, static_cast<std::size_t>(copy.bytes));
    qdit::cuda::emulation::copy_landed(unit_of(copy));
  }
}

void thread_main() {
  (*block->body)();
  Fiber& fiber = *block->running;
  for (Copies& group : fiber.groups) run_copies(group);
  fiber.groups.clear();
  qdit::cuda::emulation::thread_ends();
  fiber.done = true;
  --block->left;
  if (block->barrier.arrived > 0 && block->barrier.arrived == block->left)
    fail("a thread left before a barrier");
  give_way();
  fail("resumed after its end");
}

void prepare(Fiber& fiber, unsigned thread) {
  fiber.thread = thread;
  fiber.done = false;
  fiber.phase = nullptr;
#if defined(__x86_64__)
  // Not all at the same place of a page: they would share few lines of the cache.
  auto top = (reinterpret_cast<std::uintptr_t>(fiber.stack.get() + kStack) & ~std::uintptr_t{15}) -
             thread % 32 * std::uintptr_t{192};
  auto* slots =
      reinterpret_cast<void**>(top) - 8;  // six registers, the entry, and a return address never used
  std::fill_n(slots, 8, nullptr);
  slots[6] = reinterpret_cast<void*>(&thread_main);
  fiber.pointer = slots;
#else
  getcontext(&fiber.context);
  fiber.context.uc_stack.ss_sp = fiber.stack.get();
  fiber.context.uc_stack.ss_size = kStack;
  fiber.context.uc_link = nullptr;
  makecontext(&fiber.context, thread_main, 0);
#endif
}

// True for the one that came last: it does what all came for, then ends the phase.
bool last_of(Meeting& meeting, unsigned wanted) {
  if (++meeting.arrived == wanted) {
    meeting.arrived = 0;
    return true;
  }
  Fiber& fiber = *block->running;
  fiber.phase = &meeting.phase;
  fiber.seen = meeting.phase;
  give_way();
  return false;
}

double half(std::uint32_t pair, int i) {
  static const double* const values = qdit::cuda::emulation::half_values();
  return values[(pair >> (16 * i)) & 0xffff];
}

using Columns = double __attribute__((vector_size(64)));  // the eight of a row of the result

// The same bits in every clone: nothing is fused.
#if defined(__x86_64__)
__attribute__((target_clones("avx2", "default")))
#endif
void multiply(Lane* const (&lanes)[32]) {
  double a[16][16];
  Columns b[16];
  for (int l = 0; l < 32; ++l) {
    const Lane& lane = *lanes[l];
    for (int i = 0; i < 2; ++i) {
      const int group = l / 4;
      const int column = l % 4 * 2 + i;
      a[group][column] = half(lane.in[0], i);
      a[group + 8][column] = half(lane.in[1], i);
      a[group][column + 8] = half(lane.in[2], i);
      a[group + 8][column + 8] = half(lane.in[3], i);
      b[column][group] = half(lane.in[4], i);
      b[column + 8][group] = half(lane.in[5], i);
    }
  }
  for (int row = 0; row < 16; ++row) {
    Columns sums{};
    for (int k = 0; k < 16; ++k) sums += a[row][k] * b[k];
    for (int column = 0; column < 8; ++column) {
      float& sum = lanes[row % 8 * 4 + column / 2]->sum[row / 8 * 2 + column % 2];
      sum = qdit::cuda::emulation::cut_off(static_cast<double>(sum) + sums[column]);
    }
  }
}

void load_matrices(Lane* const (&lanes)[32]) {
  for (int l = 0; l < 32; ++l) {
    for (int matrix = 0; matrix < 4; ++matrix) {
      const std::uint32_t from = lanes[matrix * 8 + l / 4]->address;
      if (from % 16 != 0) fail("ldmatrix from an address that is no multiple of 16");
      if (from + 16 > block->shared_bytes) fail("ldmatrix beyond shared memory");
      std::memcpy(&lanes[l]->out[matrix], block->shared + from + l % 4 * 4, 4);
    }
  }
}

void execute(Instruction instruction, Lane* const (&lanes)[32]) {
  std::uint64_t values[32];
  std::uint64_t bits = 0;
  for (int l = 0; l < 32; ++l) {
    values[l] = lanes[l]->value;
    bits |= (values[l] & 1) << l;
  }
  switch (instruction) {
    case Instruction::kShuffle:
      for (auto* lane : lanes) lane->value = values[lane->source & 31];
      return;
    case Instruction::kBallot:
      for (auto* lane : lanes) lane->value = bits;
      return;
    case Instruction::kLoadMatrices:
      return load_matrices(lanes);
    case Instruction::kMultiply:
      return multiply(lanes);
    case Instruction::kSyncWarp:
      return;
  }
}

}  // namespace

namespace qdit::cuda::emulation {

void fail(const char* what) {
  std::fprintf(stderr, "CUDA emulation: block %u, thread %u: %s\n", blockIdx.x, threadIdx.x, what);
  std::abort();
}

const double* half_values() {
  static const std::vector<double> values = [] {
    std::vector<double> all(65536);
    for (unsigned i = 0; i < all.size(); ++i) {
      all[i] = static_cast<double>(half_to_float(static_cast<std::uint16_t>(i)));
    }
    return all;
  }();
  return values.data();
}

bool coin() { return block->random() % 2 == 0; }
std::size_t shared_size() { return block->shared_bytes; }
unsigned threads_of_block() { return block->threads; }
bool meet_warpgroup() { return last_of(block->warpgroups[threadIdx.x / 128], 128); }
void end_meeting() { ++block->warpgroups[threadIdx.x / 128].phase; }

int lane_of_thread() { return static_cast<int>(threadIdx.x % 32); }
unsigned char* shared_base() { return block->shared; }

void run_together(Instruction instruction, Lane& lane) {
  Warp& warp = block->warps[threadIdx.x / 32];
  if (warp.meeting.arrived == 0) warp.instruction = instruction;
  if (warp.instruction != instruction) fail("the lanes of a warp are at different instructions");
  warp.lanes[threadIdx.x % 32] = &lane;
  if (!last_of(warp.meeting, 32)) return;
  execute(instruction, warp.lanes);
  ++warp.meeting.phase;
}

void block_barrier() {
  if (block->left != block->threads) fail("a barrier after some threads have left");
  if (last_of(block->barrier, block->threads)) ++block->barrier.phase;
}

void copy_async(std::uint32_t to, const void* from, int bytes) {
  if (to % 16 != 0 || reinterpret_cast<std::uintptr_t>(from) % 16 != 0) fail("cp.async of unaligned data");
  if (bytes != 0 && bytes != 16) fail("cp.async of a part");
  if (to + 16 > block->shared_bytes) fail("cp.async beyond shared memory");
  block->running->copies.push_back({block->shared + to, from, bytes});
}

// A copy may be done at once or at the last moment.
void commit() {
  Fiber& fiber = *block->running;
  fiber.groups.push_back({std::move(fiber.copies), false});
  fiber.copies.clear();
  if (coin()) run_copies(fiber.groups.back());
}

void wait(int pending) {
  auto& groups = block->running->groups;
  while (groups.size() > static_cast<std::size_t>(pending)) {
    run_copies(groups.front());
    for (const Copy& copy : groups.front().all) copy_waited(unit_of(copy));
    groups.pop_front();
  }
}

// Lets the lanes go on by turns; false if none could.
bool run_warp(unsigned warp, const std::vector<unsigned>& lanes, unsigned rounds) {
  bool moved = false;
  for (unsigned round = 0; round < rounds; ++round) {
    bool again = false;
    for (const unsigned lane : lanes) {
      Fiber& fiber = block->fibers[warp * 32 + lane];
      if (fiber.done || (fiber.phase != nullptr && *fiber.phase == fiber.seen)) continue;
      fiber.phase = nullptr;
      resume(fiber);
      again = true;
    }
    if (!again) break;
    moved = true;
  }
  return moved;
}

void run_block(unsigned number, unsigned threads, std::size_t shared_bytes,
               const std::function<void()>& body) {
  static thread_local const auto own = std::make_unique<Block>();
  block = own.get();
  blockIdx.x = number;
  if (threads % 32 != 0) fail("a block that is not of whole warps");
  if (block->fibers.size() < threads) block->fibers.resize(threads);
  block->warps.assign(threads / 32, {});
  block->warpgroups.assign(threads / 128, {});
  block->barrier = {};
  block->threads = block->left = threads;
  block->body = &body;
  block->memory.assign(shared_bytes + 128 + kCanary, 0xff);  // NaN, whatever it is read as
  const auto start = (reinterpret_cast<std::uintptr_t>(block->memory.data()) + 127) & ~std::uintptr_t{127};
  block->shared = reinterpret_cast<unsigned char*>(start);
  block->shared_bytes = shared_bytes;
  warpgroups_start(threads, shared_bytes);
  for (unsigned thread = 0; thread < threads; ++thread) prepare(block->fibers[thread], thread);
  std::vector<unsigned> lanes(32);
  std::iota(lanes.begin(), lanes.end(), 0u);
  unsigned stuck = 0;
  while (block->left > 0) {
    // Some warp, for some time, its lanes in some order.
    const unsigned warp =
        stuck > 0 ? (block->last_warp + 1) % (threads / 32) : block->random() % (threads / 32);
    block->last_warp = warp;
    std::shuffle(lanes.begin(), lanes.end(), block->random);
    stuck = run_warp(warp, lanes, 1 + block->random() % 64) ? 0 : stuck + 1;
    if (stuck > threads / 32) fail("all threads wait for each other");
  }
  const unsigned char* canary = block->shared + shared_bytes;
  if (std::any_of(canary, canary + kCanary, [](unsigned char byte) { return byte != 0xff; })) {
    fail("wrote beyond shared memory");
  }
}

}  // namespace qdit::cuda::emulation
