// Each instruction set against the plain definition, with sentinels around every output.
#include <algorithm>
#include <cmath>
#include <random>

#include "check.h"
#include "cpu/aligned.h"
#include "cpu/dispatch.h"

using namespace qdit;
using cpu::BoundTerms;
using cpu::BoundTile;
using cpu::kDepth;
using cpu::Kernels;
using cpu::kRowStride;
using cpu::ShortRow;
using cpu::Tile;

namespace {

constexpr std::int64_t kSentinel = 0x5a5a5a5a;

// One tile with random contents; integers as values, so that every order of sums is exact.
struct Case {
  Case(const Kernels& kernels, int depth, bool wide, unsigned seed)
      : k(kernels),
        d(depth),
        lanes(kernels.lanes * (wide ? 2 : 1)),
        blocks(static_cast<std::size_t>((depth + kDepth - 1) / kDepth)),
        block_stride(static_cast<std::size_t>(kernels.tile_rows) * kRowStride),
        rows(blocks * block_stride, 1e9f),
        panel(static_cast<std::size_t>(depth * lanes), 0.0f),
        row_factor(static_cast<std::size_t>(kernels.tile_rows)),
        lane_factor(static_cast<std::size_t>(lanes)),
        row_max(static_cast<std::size_t>(kernels.tile_rows)),
        partial(static_cast<std::size_t>(kernels.tile_rows * lanes)),
        gains(static_cast<std::size_t>(lanes) + 2, kSentinel),
        sims(static_cast<std::size_t>(kernels.tile_rows * lanes) + 2, static_cast<std::int32_t>(kSentinel)) {
    std::mt19937 random(seed);
    const auto small = [&random] { return static_cast<float>(static_cast<int>(random() % 7) - 3); };
    for (int i = 0; i < k.tile_rows; ++i) {
      for (int c = 0; c < d; ++c) row_item(i, c) = small();
      row_factor[static_cast<std::size_t>(i)] = std::ldexp(1.0f, static_cast<int>(random() % 3));
      row_max[static_cast<std::size_t>(i)] = static_cast<std::int32_t>(random() % 200) - 100;
    }
    row_max.back() = cpu::kPaddingMax;
    for (auto& x : panel) x = small();
    for (auto& f : lane_factor) f = std::ldexp(1.0f, static_cast<int>(random() % 3));
  }

  float& row_item(int i, int c) {
    return rows[static_cast<std::size_t>(c / kDepth) * block_stride +
                static_cast<std::size_t>(i * kRowStride + c % kDepth)];
  }
  float panel_item(int lane, int c) const {
    const int p = lane / k.lanes;
    return panel[static_cast<std::size_t>(p * d * k.lanes + c * k.lanes + lane % k.lanes)];
  }

  void run(bool keep) {
    Tile tile{};
    tile.rows = rows.data();
    tile.block_stride = block_stride;
    tile.row_factor = row_factor.data();
    tile.row_max = row_max.data();
    tile.panel = panel.data();
    tile.panel_stride = static_cast<std::size_t>(d * k.lanes);
    tile.lane_factor = lane_factor.data();
    tile.depth = d;
    tile.partial = partial.data();
    tile.gains = gains.data() + 1;
    tile.sims = keep ? sims.data() + 1 : nullptr;
    tile.sims_stride = static_cast<std::size_t>(lanes);
    (lanes > k.lanes ? k.wide : k.narrow)(tile);
  }

  void check(bool keep) {
    for (int lane = 0; lane < lanes; ++lane) {
      std::int64_t gain = kSentinel;
      for (int i = 0; i < k.tile_rows; ++i) {
        double dot = 0.0;
        for (int c = 0; c < d; ++c) {
          dot += static_cast<double>(row_item(i, c)) * static_cast<double>(panel_item(lane, c));
        }
        const double factor = static_cast<double>(row_factor[static_cast<std::size_t>(i)]) *
                              static_cast<double>(lane_factor[static_cast<std::size_t>(lane)]);
        const auto sim = std::llrint(dot * factor);
        gain += std::max<std::int64_t>(0, sim - row_max[static_cast<std::size_t>(i)]);
        if (keep) CHECK(sims[static_cast<std::size_t>(i * lanes + lane) + 1] == sim);
      }
      CHECK(gains[static_cast<std::size_t>(lane) + 1] == gain);
    }
    CHECK(gains.front() == kSentinel && gains.back() == kSentinel);
    CHECK(sims.front() == kSentinel && sims.back() == kSentinel);
  }

  const Kernels& k;
  int d;
  int lanes;
  std::size_t blocks;
  std::size_t block_stride;
  AlignedVector<float> rows, panel, row_factor, lane_factor;
  AlignedVector<std::int32_t> row_max;
  AlignedVector<float> partial;
  std::vector<std::int64_t> gains;
  std::vector<std::int32_t> sims;
};

}  // namespace

TEST(tiles_equal_the_definition_at_every_depth_and_level) {
  for (const auto& level : cpu::supported_levels()) {
    const Kernels& kernels = cpu::select_kernels(level);
    for (const int d : {1, 2, 3, 7, 8, 9, 31, 64, 255, 256, 257, 511, 512, 513, 768, 1000}) {
      for (const bool wide : {false, true}) {
        for (const bool keep : {false, true}) {
          Case tile(kernels, d, wide, static_cast<unsigned>(d));
          tile.run(keep);
          tile.check(keep);
        }
      }
    }
  }
}

TEST(a_tile_of_extreme_similarities_does_not_overflow) {
  for (const auto& level : cpu::supported_levels()) {
    Case tile(cpu::select_kernels(level), 1, true, 1);
    std::fill(tile.rows.begin(), tile.rows.end(), 1.0f);
    std::fill(tile.panel.begin(), tile.panel.end(), 1.0f);
    std::fill(tile.row_factor.begin(), tile.row_factor.end(), 8192.0f);  // 2^26 in all
    std::fill(tile.lane_factor.begin(), tile.lane_factor.end(), 8192.0f);
    std::fill(tile.row_max.begin(), tile.row_max.end(), -(1 << 26));
    tile.run(true);
    tile.check(true);
  }
}

TEST(stored_similarities_give_the_same_gains_and_maxima) {
  std::mt19937 random(5);
  for (const auto& level : cpu::supported_levels()) {
    const Kernels& kernels = cpu::select_kernels(level);
    for (std::size_t count = 0; count < 700; count += 1 + count / 7) {
      std::vector<std::int32_t> sims(count);
      std::vector<std::int32_t> max(count + 1, 77);
      std::int64_t wanted = 0;
      std::vector<std::int32_t> raised = max;
      for (std::size_t i = 0; i < count; ++i) {
        // the extremes of cosine, where 32 bits are tightest
        sims[i] =
            random() % 2 != 0 ? (1 << 26) : static_cast<std::int32_t>(random() % (1u << 27)) - (1 << 26);
        max[i] =
            random() % 2 != 0 ? -(1 << 26) : static_cast<std::int32_t>(random() % (1u << 27)) - (1 << 26);
        wanted += std::max(0, sims[i] - max[i]);
        raised[i] = std::max(max[i], sims[i]);
      }
      CHECK(kernels.gain(sims.data(), max.data(), count) == wanted);
      CHECK(kernels.raise(sims.data(), max.data(), count) == wanted);
      CHECK(max == raised);
    }
  }
}

// One tile of bounds; terms and products such that floats hold every sum exactly.
struct BoundCase {
  // limit: of the short integers of a lane
  BoundCase(const Kernels& kernels, int depth, int limit, std::mt19937& random, bool extreme)
      : k(kernels),
        d(depth),
        lanes(2 * kernels.lanes),
        rows(at(k.tile_rows * d)),
        panels(at(lanes * d)),
        row_terms(at(k.tile_rows)),
        lane_terms(at(4 * lanes)),
        row_max(at(k.tile_rows)),
        lane_max(at(lanes)),
        offset(at(lanes)) {
    const auto below = [&random](unsigned count) { return static_cast<int>(random() % count); };
    const auto term = [&] { return static_cast<float>(below(4)); };
    const int most = 2 * limit + 1;
    for (auto& x : rows)
      x = static_cast<std::uint8_t>(extreme ? most : below(static_cast<unsigned>(most) + 1));
    const int sign = below(2) == 0 ? -limit : limit;
    for (auto& x : panels)
      x = static_cast<std::int8_t>(extreme ? sign : below(static_cast<unsigned>(most)) - limit);
    const unsigned scales = limit > 63 ? 1 : 2;  // floats hold no more
    for (auto& t : row_terms) t = {1.0f + static_cast<float>(below(scales)), term(), term(), term()};
    for (auto& t : lane_terms) t = 1.0f + static_cast<float>(below(scales));
    for (auto& m : row_max) m = below(40000) - 20000;
    for (auto& m : lane_max) m = below(40000) - 20000;
    for (auto& o : offset) o = below(2000) - 1000;
  }

  static std::size_t at(int i) { return static_cast<std::size_t>(i); }

  std::int64_t wanted(int i, int lane) const {
    const int panel = lane / k.lanes;
    const int in_panel = lane % k.lanes;
    const std::int8_t* columns = panels.data() + panel * d * k.lanes;
    std::int64_t product = offset[at(lane)];
    for (int c = 0; c < d; ++c)
      product += std::int64_t{rows[at(i * d + c)]} * columns[(c / 4 * k.lanes + in_panel) * 4 + c % 4];
    const float* terms = lane_terms.data() + panel * 4 * k.lanes + in_panel;
    const BoundTerms& row = row_terms[at(i)];
    return product * std::llrint(row.scale * terms[0]) +
           std::llrint(row.rest * terms[k.lanes] + row.error * terms[2 * k.lanes] +
                       row.norm * terms[3 * k.lanes]);
  }

  void check() const {
    BoundTile tile{};
    tile.rows = rows.data();
    tile.row_terms = row_terms.data();
    tile.row_max = row_max.data();
    tile.panels = panels.data();
    tile.lane_offset = offset.data();
    tile.lane_terms = lane_terms.data();
    tile.depth = d;
    tile.lane_max = lane_max.data();
    std::vector<std::uint32_t> over(at(k.tile_rows + 1), 0xabcdu);
    tile.over = over.data();
    k.bounds(tile);
    const int stride = lanes + 3;
    std::vector<std::int32_t> bounds(at(k.tile_rows * stride), static_cast<std::int32_t>(kSentinel));
    tile.bounds = bounds.data();
    tile.bounds_stride = at(stride);
    k.bounds(tile);
    for (int i = 0; i < k.tile_rows; ++i) {
      for (int lane = 0; lane < lanes; ++lane) {
        const std::int64_t bound = wanted(i, lane);
        CHECK(bounds[at(i * stride + lane)] == bound);
        const bool above = bound > row_max[at(i)] || bound > lane_max[at(lane)];
        CHECK((over[at(i)] >> lane & 1u) == (above ? 1u : 0u));
      }
      if (lanes < 32) CHECK(over[at(i)] >> lanes == 0);
      for (int lane = lanes; lane < stride; ++lane) CHECK(bounds[at(i * stride + lane)] == kSentinel);
    }
    CHECK(over.back() == 0xabcdu);
  }

  const Kernels& k;
  int d;
  int lanes;
  AlignedVector<std::uint8_t> rows;
  AlignedVector<std::int8_t> panels;
  AlignedVector<BoundTerms> row_terms;
  AlignedVector<float> lane_terms;
  AlignedVector<std::int32_t> row_max, lane_max, offset;
};

TEST(bounds_equal_the_definition_and_no_product_of_short_integers_overflows) {
  std::mt19937 random(7);
  for (const auto& level : cpu::supported_levels()) {
    const Kernels& kernels = cpu::select_kernels(level);
    for (const int d : {64, 128, 192, 256}) {
      for (int i = 0; i < 8; ++i)
        BoundCase(kernels, d, i < 4 ? 63 : kernels.short_limit, random, i % 4 == 3).check();
    }
  }
}

TEST(a_shortened_row_is_off_by_what_is_said) {
  std::mt19937 random(9);
  std::normal_distribution<float> normal;
  for (const auto& level : cpu::supported_levels()) {
    const Kernels& kernels = cpu::select_kernels(level);
    const int limit = kernels.short_limit;
    for (const int d : {1, 3, 15, 16, 64, 65, 770}) {
      for (const float scale : {1.0f, 0x1p-50f, 0x1p50f}) {
        std::vector<float> row(static_cast<std::size_t>(d));
        for (float& x : row) x = scale * normal(random);
        std::vector<std::uint8_t> got(row.size() + 64);
        const ShortRow made = kernels.shorten(row.data(), d, got.data());
        double squared = 0.0;
        double error = 0.0;
        for (std::size_t c = 0; c < row.size(); ++c) {
          const int value = static_cast<int>(got[c]) - (limit + 1);
          CHECK(std::abs(value) <= limit);
          const auto exact = static_cast<double>(row[c]);
          const double left = exact - static_cast<double>(made.step) * value;
          CHECK(std::fabs(left) <= 0.5001 * static_cast<double>(made.step));
          squared += exact * exact;
          error += left * left;
        }
        CHECK(std::fabs(static_cast<double>(made.squared) - squared) <= 1e-5 * squared);
        CHECK(std::fabs(static_cast<double>(made.squared_error) - error) <= 1e-4 * error + 1e-9 * squared);
      }
    }
    for (const float x : {0.0f, 1e-40f, 0x1p-70f, 0x1p70f, 3e38f}) {
      const std::vector<float> row(17, x);
      std::vector<std::uint8_t> got(row.size() + 64);
      CHECK(kernels.shorten(row.data(), 17, got.data()).step == 0.0f);
      for (std::size_t c = 0; c < row.size(); ++c) CHECK(got[c] == limit + 1);
    }
  }
}

TEST(products_of_short_rows_are_exact) {
  std::mt19937 random(8);
  for (const auto& level : cpu::supported_levels()) {
    for (int i = 0; i < 20; ++i) {
      AlignedVector<std::uint8_t> a(256);
      AlignedVector<std::int8_t> b(256);
      std::int32_t wanted = 0;
      for (std::size_t c = 0; c < a.size(); ++c) {
        a[c] = static_cast<std::uint8_t>(i < 2 ? 127 : random() % 128);
        b[c] = static_cast<std::int8_t>(i < 2 ? (i == 0 ? 63 : -63) : static_cast<int>(random() % 127) - 63);
        wanted += a[c] * b[c];
      }
      CHECK(cpu::select_kernels(level).short_product(a.data(), b.data()) == wanted);
    }
  }
}

TEST(similarities_of_use_are_found_in_order) {
  std::mt19937 random(6);
  const auto draw = [&random] { return static_cast<std::int32_t>(random() % 9) - 4; };
  for (const auto& level : cpu::supported_levels()) {
    const Kernels& kernels = cpu::select_kernels(level);
    for (std::size_t count = 0; count < 300; count += 1 + count / 9) {
      std::vector<std::int32_t> sims(count);
      std::vector<std::int32_t> floors(count);
      std::vector<std::int32_t> needs(count);
      for (auto* items : {&sims, &floors, &needs}) std::generate(items->begin(), items->end(), draw);
      const cpu::Uses uses{floors.data(), needs.data(), draw(), draw()};
      const auto lanes = static_cast<std::size_t>(kernels.lanes);
      std::vector<std::uint32_t> ids(count + lanes);
      std::vector<std::int32_t> found(count + lanes);
      ids.push_back(0x5a5a5a5a);
      found.push_back(0x5a5a5a5a);
      const std::size_t size = kernels.above_uses(sims.data(), uses, count, {ids.data(), found.data()});
      std::size_t at = 0;
      for (std::size_t i = 0; i < count; ++i) {
        if (sims[i] <= std::min(floors[i], uses.floor) || sims[i] <= std::min(needs[i], uses.need)) continue;
        CHECK(at < size && ids[at] == i && found[at] == sims[i]);
        ++at;
      }
      CHECK(at == size);
      CHECK(ids.back() == 0x5a5a5a5a && found.back() == 0x5a5a5a5a);
    }
  }
}

TEST(a_level_that_cannot_run_is_refused) {
  CHECK_THROWS(cpu::select_kernels("mmx"), std::invalid_argument, "simd: got \"mmx\"");
}

int main() { return check::run(); }
