#include "cpu/graph_builder.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <utility>

#include "cpu/dispatch.h"
#include "cpu/graph_cells.h"
#include "cpu/graph_lists.h"
#include "cpu/graph_pairs.h"
#include "cpu/nearest.h"
#include "cpu/pool.h"
#include "engine/fixed_point.h"
#include "engine/row_check.h"

namespace qdit::cpu {
namespace {

constexpr int kScaleBits = 26;           // as the cpu backend: similarities must have the same bits
constexpr Index kNearestRows = 1 << 16;  // between two reports of progress

std::vector<float> row_factors(std::span<const double> squared, Metric metric, int half_exponent) {
  std::vector<float> factors(squared.size());
  for (std::size_t i = 0; i < squared.size(); ++i) {
    double inverse = 1.0;
    if (metric == Metric::kCosine) inverse = squared[i] > 0.0 ? 1.0 / std::sqrt(squared[i]) : 0.0;
    factors[i] = static_cast<float>(std::ldexp(inverse, half_exponent));
  }
  return factors;
}

RowView slice(RowView rows, Index begin, Index count) {
  rows.data = rows.row(begin);
  rows.n = count;
  return rows;
}

}  // namespace

GraphBuilder::GraphBuilder(PoolOptions options)
    : options_(std::move(options)),
      kernels_(select_kernels(options_.simd)),
      pool_(options_.threads, options_.interrupt) {
  const auto squared = squared_norms(options_.rows, kernels_, pool_);
  check_rows(options_.rows, squared, options_.metric, options_.zero_rows);
  const double largest = *std::max_element(squared.begin(), squared.end());
  const int exponent = scale_exponent(similarity_range(options_.metric, largest), kScaleBits);
  scale_ = std::ldexp(1.0, exponent);
  factors_ = row_factors(squared, options_.metric, exponent / 2);
  cosine_factors_ = row_factors(squared, Metric::kCosine, kScaleBits / 2);
}

void GraphBuilder::nearest(const RowView& centroids, Index count, std::span<std::int32_t> ids,
                           const Tick& tick) {
  const auto squared = squared_norms(centroids, kernels_, pool_);
  check_rows(centroids, squared, Metric::kCosine, ZeroRows::kError);
  const auto scales = row_factors(squared, Metric::kCosine, kScaleBits / 2);
  std::vector<std::int32_t> sims(static_cast<std::size_t>(std::min(kNearestRows, size()) * count));
  for (Index begin = 0; begin < size(); begin += kNearestRows) {
    const Index rows = std::min(kNearestRows, size() - begin);
    const auto items = static_cast<std::size_t>(rows * count);
    const RowView some = slice(options_.rows, begin, rows);
    const auto factors =
        std::span(cosine_factors_).subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(rows));
    nearest_centroids({kernels_, pool_, some, factors, centroids, scales}, count,
                      ids.subspan(static_cast<std::size_t>(begin * count), items),
                      std::span(sims).first(items));
    tick(static_cast<double>(begin + rows) / static_cast<double>(size()));
  }
}

GraphBuilder::Result GraphBuilder::pairs(const Pairs& request, const Tick& tick) {
  const CellLayout layout =
      lay_out_cells(request.nearest, request.probes, request.cells, request.largest, request.seed);
  NeighborLists lists(size(), request.keep);
  PairPass pass({kernels_, pool_, options_.rows, factors_, layout, request.floors});
  pass.run(lists, tick);
  Result result;
  result.cut_lists = lists.cut_lists();
  result.parts = layout.parts();
  result.products = pass.products();
  result.table = lists.finish(pool_);
  return result;
}

}  // namespace qdit::cpu
