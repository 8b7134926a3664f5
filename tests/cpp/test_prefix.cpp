#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "check.h"
#include "cpu/bounds.h"
#include "cpu/cascade.h"
#include "cpu/dispatch.h"
#include "cpu/graph_builder.h"
#include "cpu/product.h"
#include "cpu/short_rows.h"
#include "cpu/tiles.h"
#include "engine/pool_options.h"

using namespace qdit;
using namespace qdit::cpu;

namespace {

enum class Kind {
  kDecaying,
  kIsotropic,
  kNearCopies,
  kLowRank,
  kOneHot,
  kOpposite,
  kOneLarge,
  kAllNorms,
  kVanishing,  // for dot alone: rows down to subnormal numbers
};
constexpr Kind kKinds[] = {Kind::kDecaying, Kind::kIsotropic, Kind::kNearCopies,
                           Kind::kLowRank,  Kind::kOneHot,    Kind::kOpposite,
                           Kind::kOneLarge, Kind::kAllNorms,  Kind::kVanishing};

std::vector<float> make_rows(Kind kind, Index n, Index d) {
  std::mt19937 random(static_cast<unsigned>(n * 1000 + d));
  std::normal_distribution<float> normal;
  std::vector<float> values(static_cast<std::size_t>(n * d));
  std::vector<float> shared(static_cast<std::size_t>(3 * d));
  for (float& x : shared) x = normal(random);
  for (Index i = 0; i < n; ++i) {
    float* row = values.data() + i * d;
    const float length = std::exp(normal(random));
    const float weights[3] = {normal(random), normal(random), normal(random)};
    for (Index k = 0; k < d; ++k) {
      const float noise = normal(random);
      if (kind == Kind::kDecaying) row[k] = noise / static_cast<float>(1 + k / 3);
      if (kind == Kind::kIsotropic) row[k] = noise;
      if (kind == Kind::kNearCopies) row[k] = shared[static_cast<std::size_t>(k)] + 1e-4f * noise;
      if (kind == Kind::kLowRank) {
        for (Index j = 0; j < 3; ++j) row[k] += weights[j] * shared[static_cast<std::size_t>(j * d + k)];
      }
      if (kind == Kind::kOneHot) row[k] = k == i % d ? 1.0f : 0.0f;
      if (kind == Kind::kOpposite) row[k] = i % 2 == 0 ? 1.0f : -1.0f;
      if (kind == Kind::kOneLarge) row[k] = k == 0 ? 1000.0f : noise;
      row[k] *= length;
      if (kind == Kind::kAllNorms) row[k] = std::ldexp(noise, static_cast<int>(i) - 20);
      if (kind == Kind::kVanishing) row[k] = std::ldexp(noise, static_cast<int>(-4 * i));
    }
  }
  return values;
}

struct Fixture {
  Fixture(std::vector<float> rows, Index columns, Metric metric, const Kernels& chosen, int threads = 1)
      : values(std::move(rows)),
        kernels(chosen),
        pool(threads, interrupt),
        options(make_options(values, columns, metric)),
        scaled(options, kernels, pool),
        bounds(kernels, pool, scaled) {}

  static PoolOptions make_options(const std::vector<float>& values, Index columns, Metric metric) {
    PoolOptions options;
    options.rows.data = reinterpret_cast<const std::byte*>(values.data());
    options.rows.d = columns;
    options.rows.n = static_cast<Index>(values.size()) / columns;
    options.metric = metric;
    options.zero_rows = ZeroRows::kIgnore;
    return options;
  }

  // (n, n) in fixed point, from tiles.
  std::vector<std::int32_t> similarities() {
    const Index n = options.rows.n;
    std::vector<Index> ids(static_cast<std::size_t>(n));
    std::iota(ids.begin(), ids.end(), 0);
    Panels panels;
    panels.pack(kernels, options.rows, scaled.rows().factors, ids);
    const AlignedVector<std::int32_t> none(static_cast<std::size_t>(n + kernels.tile_rows), kPaddingMax);
    std::vector<Fixed> unused(ids.size());
    std::vector<std::int32_t> sims(static_cast<std::size_t>(n * n));
    Product product(kernels, pool, options.rows, 0);
    const auto target = [&](Index c, const Product::Block& block) {
      return sims.data() + c * n + block.begin;
    };
    product.run({panels, scaled.rows().factors, none.data(), unused, target, {}});
    return sims;
  }

  std::vector<float> values;
  const Kernels& kernels;
  Interrupt interrupt;
  ThreadPool pool;
  PoolOptions options;
  ScaledPool scaled;
  Bounds bounds;
};

template <class Function>
void on_every_level(const Function& function) {
  for (const std::string& level : supported_levels()) function(select_kernels(level));
}

double plain_bound(const Prefix& prefix, Index a, Index b, Index columns) {
  std::int8_t partner[Prefix::kColumns];
  std::int32_t product = prefix.partner(b, columns, partner);
  for (Index k = 0; k < columns; ++k) product += prefix.values(a)[k] * partner[k];
  const BoundTerms x = prefix.terms(a, columns);
  const BoundTerms y = prefix.terms(b, columns);
  return static_cast<double>(x.scale) * static_cast<double>(y.scale) * product +
         static_cast<double>(x.rest) * static_cast<double>(y.rest) +
         static_cast<double>(x.error) * static_cast<double>(y.norm) +
         static_cast<double>(x.norm) * static_cast<double>(y.error);
}

void check_bounds(Kind kind, Index d, Metric metric, const Kernels& kernels, int threads) {
  constexpr Index kRows = 40;
  auto values = make_rows(kind, kRows, d);
  std::fill_n(values.begin(), d, 0.0f);
  Fixture f(std::move(values), d, metric, kernels, threads);
  const auto sims = f.similarities();
  for (Index columns = Prefix::kChunk; columns <= Prefix::kColumns; columns += Prefix::kChunk) {
    for (Index a = 0; a < kRows; ++a) {
      for (Index b = 0; b < kRows; ++b) {
        const double bound = plain_bound(f.bounds.prefix(), a, b, columns);
        CHECK(std::rint(bound) >= sims[static_cast<std::size_t>(a * kRows + b)]);
      }
    }
  }
}

}  // namespace

TEST(bounds_are_at_least_the_similarities_whatever_the_rows) {
  for (const Metric metric : {Metric::kCosine, Metric::kDot}) {
    for (const Kind kind : kKinds) {
      if (kind == Kind::kVanishing && metric == Metric::kCosine) continue;
      for (const Index d : {1, 5, 64, 300}) check_bounds(kind, d, metric, select_kernels(""), 1);
    }
    on_every_level([&](const Kernels& kernels) { check_bounds(Kind::kDecaying, 67, metric, kernels, 1); });
    check_bounds(Kind::kDecaying, 515, metric, select_kernels(""), 2);
  }
}

// Bounds from whole rows: above the similarities, and near them; and products with the bits of tiles.
void check_short_rows(Kind kind, Index d, Metric metric, const Kernels& kernels) {
  constexpr Index kRows = 40;
  auto values = make_rows(kind, kRows, d);
  std::fill_n(values.begin(), d, 0.0f);
  Fixture f(std::move(values), d, metric, kernels);
  const auto sims = f.similarities();
  const auto factors = std::span<const float>(f.scaled.rows().factors);
  std::vector<Index> ids(static_cast<std::size_t>(kRows));
  std::iota(ids.begin(), ids.end(), 0);
  const ShortRows shorts(kernels, d);
  ShortColumns columns;
  columns.load(shorts, f.options.rows, factors, ids, kernels);
  const Index padded = (kRows + kernels.tile_rows - 1) / kernels.tile_rows * kernels.tile_rows;
  BoundRows rows(shorts.columns(), padded);
  rows.load(kRows, [&](Index i, std::uint8_t* to) {
    return shorts.shorten(f.values.data() + i * d, factors[static_cast<std::size_t>(i)], to);
  });
  const Index stride = columns.panels().padded();
  std::vector<std::int32_t> bounds(static_cast<std::size_t>(padded * stride));
  store_bounds(kernels, rows, columns.panels(), bounds.data(), stride);
  std::vector<std::uint32_t> which(ids.begin(), ids.end());
  std::reverse(which.begin(), which.end());
  std::vector<std::int32_t> got(which.size());
  ShortColumns::Scratch scratch;
  for (Index a = 0; a < kRows; ++a) {
    columns.multiply(f.values.data() + a * d, factors[static_cast<std::size_t>(a)], which, got.data(),
                     scratch);
    for (Index b = 0; b < kRows; ++b) {
      const std::int32_t sim = sims[static_cast<std::size_t>(b * kRows + a)];
      const std::int32_t bound = bounds[static_cast<std::size_t>(a * stride + b)];
      CHECK(bound >= sim);
      CHECK(got[static_cast<std::size_t>(kRows - 1 - b)] == sim);
      if (kind == Kind::kIsotropic && a > 0 && b > 0) CHECK(bound - sim < (1 << kScaleBits) / 10);
    }
  }
}

TEST(bounds_from_whole_rows_are_at_least_the_similarities_whatever_the_rows) {
  for (const Metric metric : {Metric::kCosine, Metric::kDot}) {
    on_every_level([&](const Kernels& kernels) {
      for (const Kind kind : kKinds) {
        if (kind == Kind::kVanishing && metric == Metric::kCosine) continue;
        for (const Index d : {1, 5, 64, 300}) check_short_rows(kind, d, metric, kernels);
      }
    });
    check_short_rows(Kind::kDecaying, 770, metric, select_kernels(""));
  }
}

TEST(the_nearest_centroids_are_those_of_all_products) {
  on_every_level([](const Kernels& kernels) {
    for (const Kind kind :
         {Kind::kDecaying, Kind::kIsotropic, Kind::kNearCopies, Kind::kOneHot, Kind::kOpposite}) {
      constexpr Index kRows = 203;
      const Index d = kind == Kind::kOneHot ? 40 : 150;
      Fixture f(make_rows(kind, kRows, d), d, Metric::kCosine, kernels);
      const auto sims = f.similarities();
      PoolOptions options = Fixture::make_options(f.values, d, Metric::kCosine);
      options.simd = kernels.name;
      options.threads = 2;
      GraphBuilder builder(options);
      for (const Index count : {1, 16, 60}) {
        std::vector<std::int32_t> ids(static_cast<std::size_t>(kRows * count));
        builder.nearest(options.rows, count, ids, [](double /*share*/) {});
        for (Index v = 0; v < kRows; ++v) {
          const std::int32_t* own = sims.data() + v * kRows;
          std::vector<std::int32_t> wanted(static_cast<std::size_t>(kRows));
          std::iota(wanted.begin(), wanted.end(), 0);
          std::sort(wanted.begin(), wanted.end(), [own](std::int32_t a, std::int32_t b) {
            return own[a] != own[b] ? own[a] > own[b] : a < b;
          });
          wanted.resize(static_cast<std::size_t>(count));
          CHECK(std::equal(wanted.begin(), wanted.end(), ids.begin() + v * count));
        }
      }
    }
  });
}

TEST(bounds_of_a_pool_of_low_rank_are_tight) {
  const Kernels& kernels = select_kernels("");
  Fixture f(make_rows(Kind::kLowRank, 40, 300), 300, Metric::kCosine, kernels);
  const auto sims = f.similarities();
  const Prefix& prefix = f.bounds.prefix();
  for (Index a = 0; a < 40; ++a) {
    const double bound = plain_bound(prefix, a, 7, 64);
    CHECK(bound <= sims[static_cast<std::size_t>(7 * 40 + a)] + std::ldexp(0.05, kScaleBits));
  }
}

TEST(a_cascade_multiplies_with_the_bits_of_tiles_and_estimates_within_its_margin) {
  on_every_level([](const Kernels& kernels) {
    for (const Index d : {1, 7, 257, 770}) {
      const Index n = 37;
      Fixture f(make_rows(Kind::kDecaying, n, d), d, Metric::kCosine, kernels);
      const auto sims = f.similarities();
      const CascadeRows rows{f.options.rows, f.scaled.rows().factors, f.bounds.prefix()};
      std::vector<Index> ids(static_cast<std::size_t>(n));
      std::iota(ids.begin(), ids.end(), 0);
      CascadeColumns others;
      others.load(rows, ids, 128, kernels);
      Cascade cascade(rows, 128, kernels.tile_rows, n, kernels);
      for (const std::size_t count : {std::size_t{1}, std::size_t{5}, std::size_t{16}, std::size_t{37}}) {
        for (Index a = 0; a < n; ++a) {
          std::vector<std::uint16_t> which;
          for (std::size_t i = 0; i < count; ++i) {
            which.push_back(static_cast<std::uint16_t>((i * 5 + static_cast<std::size_t>(a)) % 37));
          }
          std::vector<std::int32_t> got(count);
          cascade.take(a);
          cascade.multiply(others, which, got);
          for (std::size_t i = 0; i < count; ++i) {
            const std::int32_t wanted =
                sims[which[i] * static_cast<std::size_t>(n) + static_cast<std::size_t>(a)];
            CHECK(got[i] == wanted);
            CHECK(std::fabs(cascade.estimate(others, which[i]) - static_cast<float>(wanted)) <=
                  cascade.margin());
            CHECK(cascade.bound(others, which[i]) + Cascade::kRoundings >= static_cast<float>(wanted));
          }
        }
      }
    }
  });
}

TEST(what_a_cascade_finds_is_what_is_above_either_threshold) {
  on_every_level([](const Kernels& kernels) {
    for (const Index n : {1, 2, 15, 16, 17, 33, 100}) {
      Fixture f(make_rows(Kind::kDecaying, n, 90), 90, Metric::kCosine, kernels);
      const auto sims = f.similarities();
      const CascadeRows pool{f.options.rows, f.scaled.rows().factors, f.bounds.prefix()};
      std::vector<Index> ids(static_cast<std::size_t>(n));
      std::iota(ids.begin(), ids.end(), 0);
      CascadeColumns others;
      others.load(pool, ids, 64, kernels);
      const Index padded = (n + kernels.tile_rows - 1) / kernels.tile_rows * kernels.tile_rows;
      Cascade cascade(pool, 64, padded, n, kernels);
      const auto room = static_cast<std::size_t>(padded + 2 * kernels.lanes);
      std::vector<std::int32_t> row_max(room, 1 << 25);
      std::vector<std::int32_t> other_max(room, INT32_MAX);
      if (n > 2) other_max[2] = 0;
      cascade.find(ids, row_max.data(), other_max.data(), others);
      for (Index i = 0; i < n; ++i) {
        const auto found = cascade.found(static_cast<std::size_t>(i));
        CHECK(std::is_sorted(found.begin(), found.end()));
        for (Index j = 0; j < n; ++j) {
          const std::int32_t least = j == 2 ? 0 : 1 << 25;
          const bool there =
              std::find(found.begin(), found.end(), static_cast<std::uint16_t>(j)) != found.end();
          if (sims[static_cast<std::size_t>(j * n + i)] > least) CHECK(there);
        }
      }
    }
  });
}

TEST(a_pool_whose_rows_spread_along_all_directions_alike_is_worth_no_trial) {
  if (Bounds::forced() >= 0) return;
  const Kernels& kernels = select_kernels("");
  for (const Metric metric : {Metric::kCosine, Metric::kDot}) {
    for (const Kind kind : kKinds) {
      if (kind != Kind::kDecaying && kind != Kind::kIsotropic && kind != Kind::kOneLarge) continue;
      Fixture f(make_rows(kind, 300, 300), 300, metric, kernels);
      CHECK(!f.bounds.worth_a_trial(1e6));
      CHECK(f.bounds.worth_a_trial(1e12) == (kind != Kind::kIsotropic));
    }
  }
}

int main() { return check::run(); }
