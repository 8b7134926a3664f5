#include "cpu/prefix.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "cpu/block_similarities.h"
#include "cpu/pool.h"

namespace qdit::cpu {
namespace {

constexpr Index kRowTiles = 6;     // tiles of rows at a time
constexpr int kBits = 26;          // of a projection in fixed point
constexpr double kUnit = 0x1p-24;  // relative error of one rounding

// Relative to the norms of both rows: the largest error of a product of d columns as the kernels sum it, its
// factors and what else is rounded once or twice.
double product_error(Index d) {
  const Index blocks = (d + kDepth - 1) / kDepth;
  return static_cast<double>(std::min<Index>(d, kDepth) + blocks + 8) * kUnit;
}

// What r^2 must be larger by than 1 - |p|^2. With f the error of p, |f| <= F, and D the defect:
// r^2 <= 1 - |p|^2 + 2 F + D, and s <= p.p + r.r + 2 F + 3 D, of which the latter is added to r^2 as well:
// sqrt((x + e)(y + e)) >= sqrt(x y) + e. Then there are the errors of both products.
double slack(Index d, double defect) {
  constexpr double kColumns = Prefix::kColumns;
  const double projection = std::sqrt(kColumns) * (product_error(d) + 0x1p-26);
  const double halves = 0x1p-11 + std::sqrt(kColumns) * 0x1p-25;
  return 4.0 * (projection + halves) + 4.0 * defect + product_error(d) +
         2.0 * product_error(Prefix::kColumns) + 4e-6;
}

}  // namespace

Prefix::Prefix(const Rotation& rotation, const Input& input, const Kernels& kernels, ThreadPool& pool)
    : n_(input.rows.n),
      values_(static_cast<std::size_t>(n_ * kColumns)),
      factors_(static_cast<std::size_t>(n_)) {
  const Index d = input.rows.d;
  const RowView basis = rotation.view();
  std::vector<Index> ids(static_cast<std::size_t>(basis.n));
  std::iota(ids.begin(), ids.end(), 0);
  const std::vector<float> scales(ids.size(), std::ldexp(1.0f, kBits / 2));
  Panels panels;
  panels.pack(kernels, basis, scales, ids);
  const Index block = kRowTiles * kernels.tile_rows;
  const double more = slack(d, rotation.defect());
  // Of directions that a short row lacks the similarities stay zero.
  std::vector<BlockSimilarities> projections(static_cast<std::size_t>(pool.threads()),
                                             BlockSimilarities(kernels, d, block, kDirections));
  pool.run((n_ + block - 1) / block, [&](std::int64_t task, int thread) {
    const Index begin = task * block;
    std::vector<Index> rows(static_cast<std::size_t>(std::min(block, n_ - begin)));
    std::iota(rows.begin(), rows.end(), begin);
    std::vector<float> inverse(rows.size());
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const auto row = static_cast<std::size_t>(rows[i]);
      const double norm = std::sqrt(input.squared_norms[row]);
      if (!(norm > 0.0)) continue;  // its factor stays zero, and so do its bounds
      inverse[i] = static_cast<float>(std::ldexp(1.0 / norm, kBits / 2));
      const double scale = input.metric == Metric::kDot ? norm * (1.0 + 0x1p-22) : 1.0;
      factors_[row] = static_cast<float>(std::ldexp(scale, input.half_exponent));
    }
    BlockSimilarities& of_thread = projections[static_cast<std::size_t>(thread)];
    of_thread.multiply(input.rows, rows, [&](std::size_t i) { return inverse[i]; }, panels);
    for (const Index row : rows) store(row, of_thread.row(row - begin), more, kernels);
  });
}

// Of a row: its projections in fixed point become halves, and each chunk ends with the norm of what is left.
void Prefix::store(Index row, const std::int32_t* projections, double more, const Kernels& kernels) {
  std::uint16_t* to = values_.data() + row * kColumns;
  float chunk[kChunk];
  double squared = 0.0;
  for (Index begin = 0; begin < kColumns; begin += kChunk) {
    for (Index k = 0; k < kChunk - 1; ++k) chunk[k] = static_cast<float>(*projections++) * 0x1p-26f;
    kernels.encode_float16(chunk, to + begin, kChunk - 1);
    kernels.decode_float16(to + begin, chunk, kChunk - 1);
    for (Index k = 0; k < kChunk - 1; ++k)
      squared += static_cast<double>(chunk[k]) * static_cast<double>(chunk[k]);
    // Rounding to a half takes at most 2^-11 of it away.
    const auto rest = static_cast<float>((1.0 + 0x1p-10) * std::sqrt(std::max(0.0, 1.0 - squared) + more));
    kernels.encode_float16(&rest, to + begin + kChunk - 1, 1);
  }
}

RowView Prefix::view(Index columns) const {
  RowView rows;
  rows.data = reinterpret_cast<const std::byte*>(values_.data());
  rows.n = n_;
  rows.d = columns;
  rows.stride = kColumns;
  rows.dtype = DType::kFloat16;
  rows.name = "prefix";
  return rows;
}

AlignedVector<float> Prefix::partners(std::span<const Index> ids, Index columns,
                                      const Kernels& kernels) const {
  AlignedVector<float> partners(ids.size() * static_cast<std::size_t>(columns));
  for (std::size_t i = 0; i < ids.size(); ++i) {
    float* to = partners.data() + i * static_cast<std::size_t>(columns);
    kernels.decode_float16(values_.data() + ids[i] * kColumns, to, static_cast<std::size_t>(columns));
    for (Index end = kChunk; end < columns; end += kChunk) to[end - 1] = 0.0f;
  }
  return partners;
}

std::int32_t estimate_margin(Index d, int bits) {
  const double any_order = static_cast<double>(d + 16) * kUnit;
  return static_cast<std::int32_t>(std::ceil(std::ldexp(any_order + product_error(d) + 4e-6, bits))) + 16;
}

}  // namespace qdit::cpu
