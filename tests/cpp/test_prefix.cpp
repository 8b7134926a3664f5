#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "check.h"
#include "cpu/bounds.h"
#include "cpu/cascade.h"
#include "cpu/dispatch.h"
#include "cpu/product.h"
#include "cpu/tiles.h"
#include "engine/pool_options.h"

using namespace qdit;
using namespace qdit::cpu;

namespace {

enum class Kind { kDecaying, kIsotropic, kNearCopies, kLowRank, kOneHot };
constexpr Kind kKinds[] = {Kind::kDecaying, Kind::kIsotropic, Kind::kNearCopies, Kind::kLowRank,
                           Kind::kOneHot};

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
      row[k] *= length;
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

void check_bounds(Kind kind, Index d, Metric metric, const Kernels& kernels, int threads) {
  constexpr Index kRows = 40;
  auto values = make_rows(kind, kRows, d);
  std::fill_n(values.begin(), d, 0.0f);
  Fixture f(std::move(values), d, metric, kernels, threads);
  const auto sims = f.similarities();
  const Prefix& prefix = f.bounds.prefix();
  std::vector<Index> ids(kRows);
  std::iota(ids.begin(), ids.end(), 0);
  for (Index columns = Prefix::kChunk; columns <= Prefix::kColumns; columns += Prefix::kChunk) {
    const auto partners = prefix.partners(ids, columns, kernels);
    const RowView view = prefix.view(columns);
    std::vector<float> row(static_cast<std::size_t>(columns));
    for (std::size_t a = 0; a < ids.size(); ++a) {
      decode(kernels, view.dtype, view.row(ids[a]), row.data(), row.size());
      for (std::size_t b = 0; b < ids.size(); ++b) {
        const float* partner = partners.data() + b * row.size();
        const float bound = kernels.estimate(row.data(), partner, static_cast<int>(columns)) *
                            (prefix.factors()[a] * prefix.factors()[b]);
        CHECK(bound + Cascade::kRoundings >= static_cast<float>(sims[a * ids.size() + b]));
      }
    }
  }
}

}  // namespace

TEST(bounds_are_at_least_the_similarities_whatever_the_rows) {
  for (const Metric metric : {Metric::kCosine, Metric::kDot}) {
    for (const Kind kind : kKinds) {
      for (const Index d : {1, 5, 64, 300}) check_bounds(kind, d, metric, select_kernels(""), 1);
    }
    on_every_level([&](const Kernels& kernels) { check_bounds(Kind::kDecaying, 67, metric, kernels, 1); });
    check_bounds(Kind::kDecaying, 515, metric, select_kernels(""), 2);
  }
}

TEST(bounds_of_a_pool_of_low_rank_are_tight) {
  const Kernels& kernels = select_kernels("");
  Fixture f(make_rows(Kind::kLowRank, 40, 300), 300, Metric::kCosine, kernels);
  const auto sims = f.similarities();
  const Prefix& prefix = f.bounds.prefix();
  std::vector<float> row(64);
  const std::vector<Index> other{7};
  const auto partner = prefix.partners(other, 64, kernels);
  for (Index a = 0; a < 40; ++a) {
    decode(kernels, DType::kFloat16, prefix.view(64).row(a), row.data(), row.size());
    const float bound =
        kernels.estimate(row.data(), partner.data(), 64) * prefix.factors()[0] * prefix.factors()[0];
    CHECK(bound <=
          static_cast<float>(sims[static_cast<std::size_t>(7 * 40 + a)]) + std::ldexp(0.01f, kScaleBits));
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

TEST(halves_survive_a_round_trip_and_numbers_between_them_go_to_the_nearest) {
  on_every_level([](const Kernels& kernels) {
    std::vector<std::uint16_t> halves;
    for (std::uint32_t half = 0; half < 0x7c00; ++half) {
      halves.push_back(static_cast<std::uint16_t>(half));
      halves.push_back(static_cast<std::uint16_t>(half | 0x8000));
    }
    std::vector<float> values(halves.size());
    kernels.decode_float16(halves.data(), values.data(), halves.size());
    std::vector<std::uint16_t> back(halves.size());
    kernels.encode_float16(values.data(), back.data(), values.size());
    CHECK(back == halves);
    std::vector<float> between;  // of two neighbours of one sign: half way, and a little beside that
    std::vector<std::uint16_t> wanted;
    for (std::size_t i = 0; i + 2 < halves.size(); ++i) {
      const float middle = (values[i] + values[i + 2]) / 2.0f;
      between.insert(between.end(),
                     {middle, std::nextafter(middle, values[i]), std::nextafter(middle, values[i + 2])});
      wanted.insert(wanted.end(), {halves[i] % 2 == 0 ? halves[i] : halves[i + 2], halves[i], halves[i + 2]});
    }
    back.resize(between.size());
    kernels.encode_float16(between.data(), back.data(), between.size());
    CHECK(back == wanted);
  });
}

int main() { return check::run(); }
