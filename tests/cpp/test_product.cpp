#include <algorithm>
#include <numeric>
#include <stdexcept>

#include "check.h"
#include "cpu/dispatch.h"
#include "cpu/product.h"
#include "pools.h"

using namespace qdit;
using namespace qdit::cpu;

namespace {

struct Fixture {
  Fixture(Index n, Index d, int threads, Index block_rows)
      : data(n, d, static_cast<unsigned>(n + d)),
        view(data.view()),
        kernels(select_kernels("")),
        pool(threads, interrupt),
        product(kernels, pool, view, block_rows),
        factors(static_cast<std::size_t>(n), 1.0f),
        max(static_cast<std::size_t>(n + kernels.tile_rows), kPaddingMax) {
    std::fill_n(max.begin(), n, 2);
  }

  IntegerPool data;
  RowView view;
  const Kernels& kernels;
  Interrupt interrupt;
  ThreadPool pool;
  Product product;
  std::vector<float> factors;
  AlignedVector<std::int32_t> max;
};

}  // namespace

TEST(gains_and_similarities_are_right_for_awkward_sizes) {
  for (const Index n : {1, 2, 13, 14, 15, 29, 100, 211}) {
    for (const Index count : {1, 15, 16, 17, 31, 32, 33, 50}) {
      for (const int threads : {1, 2, 3}) {
        Fixture f(n, 5, threads, n % 2 == 0 ? 0 : 28);
        std::vector<Index> ids;
        for (Index c = 0; c < count; ++c) ids.push_back(c * 7 % n);
        Panels panels;
        panels.pack(f.kernels, f.view, f.factors, ids);
        std::vector<Fixed> gains(ids.size(), -1);
        std::vector<std::int32_t> sims(ids.size() * static_cast<std::size_t>(n), -999);
        std::vector<int> blocks_of_row(static_cast<std::size_t>(n), 0);
        const auto target = [&](Index c, const Product::Block& block) {
          // every third candidate is not wanted
          return c % 3 == 2 ? nullptr : sims.data() + c * n + block.begin;
        };
        const auto done = [&](const Product::Block& block) {
          for (Index v = block.begin; v < block.begin + block.count; ++v) {
            ++blocks_of_row[static_cast<std::size_t>(v)];
          }
        };
        f.product.run({panels, f.factors, f.max.data(), gains, target, done});
        for (std::size_t c = 0; c < ids.size(); ++c) {
          Fixed gain = 0;
          for (Index v = 0; v < n; ++v) {
            const Fixed s = f.data.dot(ids[c], v);
            gain += std::max<Fixed>(0, s - 2);
            const Fixed kept = sims[c * static_cast<std::size_t>(n) + static_cast<std::size_t>(v)];
            CHECK(kept == (c % 3 == 2 ? -999 : s));
          }
          CHECK(gains[c] == gain);
        }
        CHECK(std::all_of(blocks_of_row.begin(), blocks_of_row.end(), [](int b) { return b == 1; }));
      }
    }
  }
}

TEST(a_reducer_that_throws_leaves_the_product_usable) {
  Fixture f(100, 5, 2, 14);
  std::vector<Index> ids(20);
  std::iota(ids.begin(), ids.end(), 0);
  Panels panels;
  panels.pack(f.kernels, f.view, f.factors, ids);
  std::vector<Fixed> gains(ids.size());
  std::vector<Fixed> again(ids.size());
  f.product.run({panels, f.factors, f.max.data(), gains, {}, {}});
  const auto faulty = [](const Product::Block& block) {
    if (block.begin >= 42) throw std::runtime_error("no room");
  };
  CHECK_THROWS(f.product.run({panels, f.factors, f.max.data(), again, {}, faulty}), std::runtime_error,
               "no room");
  f.product.run({panels, f.factors, f.max.data(), again, {}, {}});
  CHECK(gains == again);
}

int main() { return check::run(); }
