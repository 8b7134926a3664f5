#include "cpu/prefix.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "cpu/pool.h"
#include "cpu/tiles.h"

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

float half_at_least(double x, const Kernels& kernels) {
  auto value = static_cast<float>(x);
  for (int tries = 0; tries < 3; ++tries) {
    std::uint16_t half;
    kernels.encode_float16(&value, &half, 1);
    float back;
    kernels.decode_float16(&half, &back, 1);
    if (static_cast<double>(back) >= x) return back;
    value = std::nextafter(value * (1.0f + 0x1p-11f), 2.0f);
  }
  return 1.0f + 0x1p-8f;  // not reached: r is at most a little above 1
}

struct Workspace {
  Workspace(const Kernels& kernels, Index depth, Index block, Index lanes)
      : rows(kernels, depth, block),
        factor(static_cast<std::size_t>(block)),
        max(static_cast<std::size_t>(block), kPaddingMax),
        sims(static_cast<std::size_t>(block * lanes)),
        partial(static_cast<std::size_t>(2 * kernels.tile_rows * kernels.lanes)),
        gains(static_cast<std::size_t>(lanes)) {}

  RowBlock rows;
  std::vector<float> factor;
  AlignedVector<std::int32_t> max;
  AlignedVector<std::int32_t> sims;
  AlignedVector<float> partial;
  std::vector<Fixed> gains;
};

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
  const Index lanes = std::max(kDirections, panels.panels() * kernels.lanes);
  const Index block = kRowTiles * kernels.tile_rows;
  const double more = slack(d, rotation.defect());
  std::vector<Workspace> workspaces;
  workspaces.reserve(static_cast<std::size_t>(pool.threads()));
  for (int thread = 0; thread < pool.threads(); ++thread) workspaces.emplace_back(kernels, d, block, lanes);
  pool.run((n_ + block - 1) / block, [&](std::int64_t task, int thread) {
    Workspace& space = workspaces[static_cast<std::size_t>(thread)];
    const Index begin = task * block;
    const Index rows = std::min(block, n_ - begin);
    space.rows.load(input.rows, begin, rows);
    std::fill(space.factor.begin(), space.factor.end(), 0.0f);
    for (Index i = 0; i < rows; ++i) {
      const double norm = std::sqrt(input.squared_norms[static_cast<std::size_t>(begin + i)]);
      if (!(norm > 0.0)) continue;  // its factor stays zero, and so do its bounds
      space.factor[static_cast<std::size_t>(i)] = static_cast<float>(std::ldexp(1.0 / norm, kBits / 2));
      const double scale = input.metric == Metric::kDot ? norm * (1.0 + 0x1p-22) : 1.0;
      factors_[static_cast<std::size_t>(begin + i)] =
          static_cast<float>(std::ldexp(scale, input.half_exponent));
    }
    const BlockOperands operands{space.rows,
                                 rows,
                                 space.factor.data(),
                                 space.max.data(),
                                 panels,
                                 static_cast<int>(d),
                                 space.partial.data(),
                                 space.gains.data()};
    multiply_tiles(
        kernels, operands, static_cast<std::size_t>(lanes),
        [&](Index row, Index column) { return space.sims.data() + row * lanes + column; },
        [](Index, Index, Index) {});
    for (Index i = 0; i < rows; ++i) store(begin + i, space.sims.data() + i * lanes, more, kernels);
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
    const float rest = half_at_least(std::sqrt(std::max(0.0, 1.0 - squared) + more), kernels);
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
