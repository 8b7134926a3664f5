#include "cpu/prefix.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "cpu/block_similarities.h"
#include "cpu/pool.h"

namespace qdit::cpu {
namespace {

constexpr Index kRowTiles = 6;           // tiles of rows at a time
constexpr int kBits = 26;                // of a projection in fixed point
constexpr double kUnit = 0x1p-24;        // relative error of one rounding
constexpr double kLargest = 63.0;        // of a short integer
constexpr double kVanishing = 0x1p-100;  // a norm for whose inverse float32 has no room to spare

}  // namespace

double product_error(Index d) {
  const Index blocks = (d + kDepth - 1) / kDepth;
  return static_cast<double>(std::min<Index>(d, kDepth) + blocks + 8) * kUnit;
}

// With f the error of p, |f| <= F, and D the defect: r^2 <= 1 - |p|^2 + 2 F (1 + F) + 2 D. The product of
// projections is at most D more than that of the parts they stand for; beside it there is the error of the
// whole product, and a bound of at most 3 in all has some 16 roundings of its own.
Prefix::Slack Prefix::slack(Index d, double defect) {
  const double projection = std::sqrt(static_cast<double>(kColumns)) * (product_error(d) + 0x1p-26);
  return {projection, 2.0 * projection * (1.0 + projection) + 2.0 * defect + kUnit,
          2.0 * defect + product_error(d) + 4e-6};
}

Prefix::Prefix(const Rotation& rotation, const Input& input, const Kernels& kernels, ThreadPool& pool)
    : values_(static_cast<std::size_t>(input.rows.n * kColumns), std::uint8_t{kZero}),
      terms_(static_cast<std::size_t>(input.rows.n)) {
  const Index n = input.rows.n;
  const Index d = input.rows.d;
  const RowView basis = rotation.view();
  std::vector<Index> ids(static_cast<std::size_t>(basis.n));
  std::iota(ids.begin(), ids.end(), 0);
  const std::vector<float> scales(ids.size(), std::ldexp(1.0f, kBits / 2));
  Panels panels;
  panels.pack(kernels, basis, scales, ids);
  const Index block = kRowTiles * kernels.tile_rows;
  const Slack more = slack(d, rotation.defect());
  std::vector<BlockSimilarities> projections(static_cast<std::size_t>(pool.threads()),
                                             BlockSimilarities(kernels, d, block, kColumns));
  pool.run((n + block - 1) / block, [&](std::int64_t task, int thread) {
    const Index begin = task * block;
    std::vector<Index> rows(static_cast<std::size_t>(std::min(block, n - begin)));
    std::iota(rows.begin(), rows.end(), begin);
    const auto norm = [&](std::size_t i) {
      return std::sqrt(input.squared_norms[static_cast<std::size_t>(rows[i])]);
    };
    const auto inverse = [&](std::size_t i) {
      return static_cast<float>(norm(i) > kVanishing ? std::ldexp(1.0 / norm(i), kBits / 2) : 0.0);
    };
    BlockSimilarities& of_thread = projections[static_cast<std::size_t>(thread)];
    of_thread.multiply(input.rows, rows, inverse, panels);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (!(norm(i) > 0.0)) continue;  // its terms stay zero, and so do its bounds
      const double scale = input.metric == Metric::kDot ? norm(i) : 1.0;
      store(rows[i], of_thread.row(static_cast<Index>(i)), std::ldexp(scale, input.half_exponent), more);
    }
  });
}

// Rounds the projections of a row, in fixed point, to multiples of its scale.
void Prefix::store(Index row, const std::int32_t* projections, double norm, const Slack& slack) {
  std::int32_t most = 0;
  for (Index k = 0; k < kColumns; ++k) most = std::max(most, std::abs(projections[k]));
  const float scale = static_cast<float>(most) * static_cast<float>(0x1p-26 / kLargest);
  const float inverse = most > 0 ? static_cast<float>(kLargest) / static_cast<float>(most) : 0.0f;
  Terms& terms = terms_[static_cast<std::size_t>(row)];
  std::uint8_t* to = values_.data() + row * kColumns;
  double squared = 0.0;
  double error = 0.0;
  for (Index chunk = 0; chunk < kColumns / kChunk; ++chunk) {
    for (Index k = chunk * kChunk; k < (chunk + 1) * kChunk; ++k) {
      // Away from zero this is the nearest integer, or one beside it where two are as near.
      const int value = static_cast<int>(static_cast<float>(projections[k]) * inverse + (kZero + 0.5f));
      to[k] = static_cast<std::uint8_t>(value);
      const double exact = static_cast<double>(projections[k]) * 0x1p-26;
      const double left = exact - static_cast<double>(scale) * (value - kZero);
      squared += exact * exact;
      error += left * left;
    }
    const double rest = std::sqrt(std::max(0.0, 1.0 - squared) + slack.rest);
    terms.rest[chunk] = static_cast<float>(rest * norm);
  }
  // e_a + e_v + e_a e_v: the other row is projected, or rounded as well.
  const double e = std::sqrt(error) + slack.projection;
  terms.scale = static_cast<float>(static_cast<double>(scale) * norm);
  terms.norm = static_cast<float>(norm);
  terms.error = static_cast<float>((e + e * e / 2.0 + slack.product / 2.0) * norm);
}

BoundTerms Prefix::terms(Index row, Index columns) const {
  const Terms& terms = terms_[static_cast<std::size_t>(row)];
  return {terms.scale, terms.rest[columns / kChunk - 1], terms.error, terms.norm};
}

std::int32_t Prefix::partner(Index row, Index columns, std::int8_t* to) const {
  std::int32_t sum = 0;
  for (Index k = 0; k < columns; ++k) {
    to[k] = static_cast<std::int8_t>(values(row)[k] - kZero);
    sum += to[k];
  }
  return -kZero * sum;
}

std::int32_t estimate_margin(Index d, int bits) {
  const double any_order = static_cast<double>(d + 16) * kUnit;
  return static_cast<std::int32_t>(std::ceil(std::ldexp(any_order + product_error(d) + 4e-6, bits))) + 16;
}

}  // namespace qdit::cpu
