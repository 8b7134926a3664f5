// wgmma as the PTX ISA tells it, and what it may read.
//
// Products are put off until somebody waits for them, or done at once, by chance. Meanwhile accumulators hold
// NaNs, and must still when their results come. Shared memory is read as the descriptors say, and only what
// copies brought, their threads waited for and fenced since then.
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <vector>

#include "block.h"
#include "cuda/kernels/wgmma_layout.h"
#include "cuda_runtime.h"
#include "instructions.h"

namespace qdit::cuda::emulation {
namespace {

constexpr std::uint32_t kPoison = 0x7fc0dead;
constexpr unsigned kThreads = 128;  // of a warpgroup
constexpr int kMostColumns = 256;

// 16 bytes of shared memory, as the asynchronous proxy knows them.
struct Unit {
  enum { kNothing, kLanded, kFenced } state = kNothing;
  unsigned writer = 0;
  std::array<unsigned char, 16> bytes{};
};

// What accumulators hold behind their NaNs.
struct Hidden {
  std::vector<float> values;
  int under_way = 0;
};

struct Product {
  std::uint64_t a = 0;
  std::uint64_t b = 0;
  int count = 0;  // accumulators of a thread
  bool add = false;
  bool done = false;
  std::array<Hidden*, kThreads> hidden{};
};
struct Issued {
  std::shared_ptr<Product> product;
  float* sums;
};

struct Thread {
  std::vector<std::size_t> waited;  // units that this thread's next fence publishes
  bool fenced = false;              // since its accumulators came back
  std::map<float*, Hidden> hidden;
  std::vector<Issued> open;  // not committed yet
  std::deque<std::vector<Issued>> groups;
};

struct Warpgroup {
  std::shared_ptr<Product> arriving;
  std::deque<std::shared_ptr<Product>> queue;
};

struct State {
  std::vector<Unit> units;
  std::vector<Thread> threads;
  std::vector<Warpgroup> warpgroups;
  long products = 0;  // that were executed
};
thread_local constinit State* state = nullptr;  // a pointer, as in block.cpp

Thread& self() { return state->threads[threadIdx.x]; }

std::uint32_t bits_of(float value) {
  std::uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

// Item k of row r becomes to[k * stride + r]. Returns how many rows there are up to the last that is not
// zero.
int read_operand(std::uint64_t descriptor, int rows, double* to, int stride) {
  static const double* const values = half_values();
  const WgmmaOperand operand = decode(descriptor);
  if (encode(operand) != descriptor) fail("a descriptor of wgmma has bits that mean nothing");
  int used = 0;
  for (int row = 0; row < rows; ++row) {
    for (int half = 0; half < 2; ++half) {
      const std::uint32_t at = operand_byte(operand, row, 16 * half);
      if (at + 16 > shared_size()) fail("wgmma reads beyond shared memory");
      const unsigned char* bytes = shared_base() + at;
      const Unit& unit = state->units[at / 16];
      if (unit.state == Unit::kLanded) fail("wgmma reads a copy without fence.proxy.async after its wait");
      if (unit.state != Unit::kFenced || std::memcmp(bytes, unit.bytes.data(), 16) != 0) {
        fail("wgmma reads shared memory that no fenced copy wrote");
      }
      for (int i = 0; i < 8; ++i) {
        std::uint16_t item;
        std::memcpy(&item, bytes + 2 * i, 2);
        to[(half * 8 + i) * stride + row] = values[item];
        if ((item & 0x7fff) != 0) used = row + 1;
      }
    }
  }
  return used;
}

// For tests of what finds out: QDIT_EMULATED_WRONG_WGMMA names the number of a block's product from which on
// they go wrong.
bool goes_wrong() {
  const char* first = std::getenv("QDIT_EMULATED_WRONG_WGMMA");
  return first != nullptr && state->products >= std::strtol(first, nullptr, 10);
}

// The accumulators of a thread: rows lane / 4 and + 8 of its warp's 16, columns 8 j + 2 (lane % 4) and + 1.
void execute(Product& product) {
  double a[16][64];
  double b[16][kMostColumns];
  double sums[kMostColumns];
  const int columns = 2 * product.count;
  const int rows_used = read_operand(product.a, 64, a[0], 64);
  const int columns_used = (read_operand(product.b, columns, b[0], kMostColumns) + 7) / 8 * 8;
  for (int row = 0; row < 64; ++row) {
    const bool used = row < rows_used;
    if (!used && product.add) break;  // adding zeros changes nothing
    std::memset(sums, 0, sizeof sums);
    for (int k = 0; used && k < 16; ++k) {
      const double factor = a[k][row];
      for (int column = 0; column < columns_used; ++column) sums[column] += factor * b[k][column];
    }
    for (int column = 0; column < (product.add ? columns_used : columns); ++column) {
      const int thread = row / 16 * 32 + row % 8 * 4 + column % 8 / 2;
      float& sum = product.hidden[static_cast<unsigned>(thread)]
                       ->values[static_cast<std::size_t>(column / 8 * 4 + row % 16 / 8 * 2 + column % 2)];
      sum = cut_off((product.add ? static_cast<double>(sum) : 0.0) + sums[column]);
    }
  }
  if (goes_wrong()) product.hidden[5]->values[3] += 1.0f;
  product.done = true;
  ++state->products;
}

// All products of the warpgroup up to this one, in order.
void execute_up_to(Warpgroup& warpgroup, const Product& last) {
  while (!last.done) {
    execute(*warpgroup.queue.front());
    warpgroup.queue.pop_front();
  }
}

void give_back(Thread& thread, const Issued& issued) {
  const auto found = thread.hidden.find(issued.sums);
  Hidden& hidden = found->second;
  if (--hidden.under_way > 0) return;
  for (std::size_t i = 0; i < hidden.values.size(); ++i) {
    if (bits_of(issued.sums[i]) != kPoison) fail("accumulators were written while wgmma was under way");
    issued.sums[i] = hidden.values[i];
  }
  thread.hidden.erase(found);
  thread.fenced = false;
}

}  // namespace

void warpgroups_start(unsigned threads, std::size_t shared_bytes) {
  static thread_local const auto own = std::make_unique<State>();
  state = own.get();
  state->units.assign(shared_bytes / 16, {});
  state->threads.assign(threads, {});
  state->warpgroups.assign(threads / kThreads, {});
  state->products = 0;
}

void copy_landed(std::size_t unit) {
  state->units[unit].state = Unit::kLanded;
  state->units[unit].writer = threadIdx.x;
  std::memcpy(state->units[unit].bytes.data(), shared_base() + 16 * unit, 16);
}

void copy_waited(std::size_t unit) { self().waited.push_back(unit); }

void thread_ends() {
  if (!self().hidden.empty()) fail("a thread ended with wgmma under way");
}

void fence_async_proxy() {
  for (const std::size_t unit : self().waited) {
    Unit& written = state->units[unit];
    if (written.state == Unit::kLanded && written.writer == threadIdx.x) written.state = Unit::kFenced;
  }
  self().waited.clear();
}

void wgmma_fence() { self().fenced = true; }

void wgmma(float* sums, int count, std::uint64_t a, std::uint64_t b, bool add) {
  if (threadIdx.x / kThreads >= state->warpgroups.size()) fail("wgmma needs four warps");
  if (count % 4 != 0 || count < 4 || 2 * count > kMostColumns) fail("wgmma with a wrong number of columns");
  Thread& thread = self();
  if (!thread.fenced) fail("wgmma without wgmma.fence after its accumulators came back");
  Warpgroup& warpgroup = state->warpgroups[threadIdx.x / kThreads];
  if (warpgroup.arriving == nullptr) {
    warpgroup.arriving = std::make_shared<Product>();
    *warpgroup.arriving = {a, b, count, add, false, {}};
  }
  const std::shared_ptr<Product> product = warpgroup.arriving;
  if (product->a != a || product->b != b || product->count != count || product->add != add) {
    fail("the threads of a warpgroup are at different wgmma");
  }
  const auto [found, is_new] = thread.hidden.try_emplace(sums);
  if (is_new) {
    found->second.values.assign(sums, sums + count);
    for (int i = 0; i < count; ++i) std::memcpy(sums + i, &kPoison, sizeof kPoison);
  }
  ++found->second.under_way;
  product->hidden[threadIdx.x % kThreads] = &found->second;
  thread.open.push_back({product, sums});
  if (!meet_warpgroup()) return;
  warpgroup.arriving = nullptr;
  warpgroup.queue.push_back(product);
  if (coin()) execute_up_to(warpgroup, *product);
  end_meeting();
}

void wgmma_commit() {
  self().groups.push_back(std::move(self().open));
  self().open.clear();
}

void wgmma_wait(int pending) {
  Thread& thread = self();
  while (thread.groups.size() > static_cast<std::size_t>(pending)) {
    for (const Issued& issued : thread.groups.front()) {
      execute_up_to(state->warpgroups[threadIdx.x / kThreads], *issued.product);
      give_back(thread, issued);
    }
    thread.groups.pop_front();
  }
}

}  // namespace qdit::cuda::emulation
