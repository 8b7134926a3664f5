#include "cpu/product.h"

#include <unistd.h>

#include <algorithm>

#include "cpu/tiles.h"

namespace qdit::cpu {
namespace {

Index up_to_multiple(Index x, Index of) { return (x + of - 1) / of * of; }

// A block takes a quarter of the second-level cache: panels stream through the rest. Small pools are cut
// finer, so that every thread has some blocks.
Index choose_block_rows(Index wanted, const RowView& rows, const Kernels& kernels, int threads) {
  if (wanted <= 0) {
    long cache = sysconf(_SC_LEVEL2_CACHE_SIZE);
    if (cache <= 0) cache = 1 << 20;
    const Index row_bytes = (rows.d + kDepth - 1) / kDepth * kRowStride * static_cast<Index>(sizeof(float));
    const Index share = rows.n / (4 * threads);
    wanted = std::max<Index>(1, std::min<Index>(cache / 4 / row_bytes, share));
  }
  return up_to_multiple(std::min(wanted, rows.n), kernels.tile_rows);
}

}  // namespace

Product::Product(const Kernels& kernels, ThreadPool& pool, const RowView& rows, Index block_rows)
    : kernels_(kernels),
      pool_(pool),
      rows_(rows),
      block_rows_(choose_block_rows(block_rows, rows, kernels, pool.threads())) {
  const auto tile =
      std::size_t{2} * static_cast<std::size_t>(kernels.tile_rows) * static_cast<std::size_t>(kernels.lanes);
  for (int thread = 0; thread < pool.threads(); ++thread) {
    workspaces_.push_back({RowBlock(kernels, rows.d, block_rows_),
                           AlignedVector<float>(tile),
                           AlignedVector<std::int32_t>(tile),
                           AlignedVector<float>(static_cast<std::size_t>(block_rows_)),
                           {}});
  }
}

std::size_t Product::bytes() const {
  std::size_t sum = 0;
  for (const auto& space : workspaces_) {
    sum += space.rows.bytes() + (space.partial.size() + space.sims.size() + space.row_factor.size()) * 4 +
           space.gains.size() * sizeof(Fixed);
  }
  return sum;
}

void Product::run(const Request& request) {
  const auto lanes = static_cast<std::size_t>(request.panels.panels() * kernels_.lanes);
  for (auto& space : workspaces_) space.gains.assign(lanes, 0);
  const Index n = request.rows.empty() ? rows_.n : static_cast<Index>(request.rows.size());
  pool_.run((n + block_rows_ - 1) / block_rows_, [&](std::int64_t task, int thread) {
    const Index begin = task * block_rows_;
    const Block block{begin, std::min(block_rows_, n - begin), thread};
    multiply(request, block);
    if (request.done) request.done(block);
  });
  for (std::size_t c = 0; c < request.gains.size(); ++c) {
    Fixed sum = 0;
    for (const auto& space : workspaces_) sum += space.gains[c];
    request.gains[c] = sum;
  }
}

void Product::multiply(const Request& request, const Block& block) {
  Workspace& space = workspaces_[static_cast<std::size_t>(block.thread)];
  if (request.rows.empty()) {
    space.rows.load(rows_, block.begin, block.count);
  } else {
    space.rows.load(rows_, request.rows.subspan(static_cast<std::size_t>(block.begin),
                                                static_cast<std::size_t>(block.count)));
  }
  const auto* factors = request.row_factors.data() + block.begin;
  std::copy_n(factors, block.count, space.row_factor.data());
  std::fill(space.row_factor.begin() + block.count, space.row_factor.end(), 0.0f);

  const BlockOperands operands{space.rows,
                               block.count,
                               space.row_factor.data(),
                               request.row_max + block.begin,
                               request.panels,
                               static_cast<int>(rows_.d),
                               space.partial.data(),
                               space.gains.data(),
                               request.row_weights == nullptr ? nullptr : request.row_weights + block.begin};
  std::int32_t* sims = request.target || request.row_weights != nullptr ? space.sims.data() : nullptr;
  multiply_tiles(
      kernels_, operands, std::size_t{2} * static_cast<std::size_t>(kernels_.lanes),
      [sims](Index, Index) { return sims; },
      [&](Index row, Index column, Index columns) {
        if (request.target) keep(request, block, column, columns, row);
      });
}

void Product::keep(const Request& request, const Block& block, Index first_candidate, Index lanes,
                   Index row) {
  const Workspace& space = workspaces_[static_cast<std::size_t>(block.thread)];
  const Index rows = std::min<Index>(kernels_.tile_rows, block.count - row);
  const Index candidates = std::min(lanes, request.panels.count() - first_candidate);
  for (Index lane = 0; lane < candidates; ++lane) {
    std::int32_t* to = request.target(first_candidate + lane, block);
    if (to == nullptr) continue;
    const std::int32_t* from = space.sims.data() + lane;
    for (Index i = 0; i < rows; ++i) to[row + i] = from[i * 2 * kernels_.lanes];
  }
}

}  // namespace qdit::cpu
