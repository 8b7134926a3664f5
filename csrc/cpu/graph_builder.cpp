#include "cpu/graph_builder.h"

#include <algorithm>
#include <utility>

#include "cpu/dispatch.h"
#include "cpu/graph_lists.h"
#include "cpu/graph_pairs.h"
#include "cpu/nearest.h"
#include "cpu/pool.h"
#include "engine/graph_cells.h"
#include "engine/row_check.h"

namespace qdit::cpu {
namespace {

constexpr Index kNearestRows = 1 << 16;  // between two reports of progress

RowView slice(RowView rows, Index begin, Index count) {
  rows.data = rows.row(begin);
  rows.n = count;
  return rows;
}

}  // namespace

GraphBuilder::GraphBuilder(PoolOptions options)
    : options_(std::move(options)),
      kernels_(select_kernels(options_.simd)),
      pool_(options_.threads, options_.interrupt),
      scaled_(options_, kernels_, pool_),
      cosine_factors_(row_factors(scaled_.squared_norms(), Metric::kCosine, kScaleBits / 2)) {}

double GraphBuilder::nearest(const RowView& centroids, Index count, std::span<std::int32_t> ids,
                             const Tick& tick) {
  const auto squared = squared_norms(centroids, kernels_, pool_);
  check_rows(centroids, squared, Metric::kCosine, ZeroRows::kError);
  const auto scales = row_factors(squared, Metric::kCosine, kScaleBits / 2);
  std::vector<std::int32_t> sims(static_cast<std::size_t>(std::min(kNearestRows, size()) * count));
  double products = 0.0;
  for (Index begin = 0; begin < size(); begin += kNearestRows) {
    const Index rows = std::min(kNearestRows, size() - begin);
    const auto items = static_cast<std::size_t>(rows * count);
    const RowView some = slice(options_.rows, begin, rows);
    const auto factors =
        std::span(cosine_factors_).subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(rows));
    products += nearest_centroids({kernels_, pool_, some, factors, centroids, scales}, count,
                                  ids.subspan(static_cast<std::size_t>(begin * count), items),
                                  std::span(sims).first(items));
    tick(static_cast<double>(begin + rows) / static_cast<double>(size()));
  }
  return products;
}

GraphBuilder::Result GraphBuilder::pairs(const Pairs& request, const Tick& tick) {
  const CellLayout layout =
      lay_out_cells(request.nearest, request.probes, request.cells, request.largest, request.seed);
  NeighborLists lists(size(), request.keep);
  PairPass pass({kernels_, pool_, scaled_, layout, request.floors});
  pass.run(lists, tick);
  Result result;
  result.cut_lists = lists.cut_lists();
  result.parts = layout.parts();
  result.products = pass.products();
  result.table = lists.finish(pool_);
  return result;
}

}  // namespace qdit::cpu
