#include "cpu/pool.h"

#include <algorithm>
#include <cstring>

namespace qdit::cpu {
namespace {

// Rows of one task of a scan. Not tuned to anything: results do not depend on it.
constexpr Index kScanRows = 256;

double squared_norm(const float* row, Index d) {
  // Eight sums in a fixed pattern: the same bits everywhere, and short chains.
  double sums[8] = {};
  Index k = 0;
  for (; k + 8 <= d; k += 8) {
    for (int j = 0; j < 8; ++j) {
      const double x = static_cast<double>(row[k + j]);
      sums[j] += x * x;
    }
  }
  for (; k < d; ++k) {
    const double x = static_cast<double>(row[k]);
    sums[k % 8] += x * x;
  }
  return ((sums[0] + sums[4]) + (sums[1] + sums[5])) + ((sums[2] + sums[6]) + (sums[3] + sums[7]));
}

}  // namespace

void decode(const Kernels& kernels, DType dtype, const std::byte* from, float* to, std::size_t count) {
  switch (dtype) {
    case DType::kFloat16:
      kernels.decode_float16(reinterpret_cast<const std::uint16_t*>(from), to, count);
      return;
    case DType::kBFloat16:
      for (std::size_t i = 0; i < count; ++i) {
        std::uint16_t half;
        std::memcpy(&half, from + 2 * i, sizeof half);
        const std::uint32_t bits = static_cast<std::uint32_t>(half) << 16;
        std::memcpy(to + i, &bits, sizeof bits);
      }
      return;
    case DType::kFloat32:
      std::memcpy(to, from, count * sizeof(float));
      return;
    case DType::kFloat64:
      for (std::size_t i = 0; i < count; ++i) {
        double value;
        std::memcpy(&value, from + 8 * i, sizeof value);
        to[i] = static_cast<float>(value);
      }
      return;
  }
}

void prefetch(const RowView& rows, Index row) {
  constexpr std::size_t kLine = 64;
  const std::byte* from = rows.row(row);
  const std::size_t bytes = static_cast<std::size_t>(rows.d) * item_size(rows.dtype);
  for (std::size_t at = 0; at < bytes; at += kLine) __builtin_prefetch(from + at, 0, 2);
}

std::vector<double> squared_norms(const RowView& rows, const Kernels& kernels, ThreadPool& pool) {
  std::vector<double> squared(static_cast<std::size_t>(rows.n));
  pool.run((rows.n + kScanRows - 1) / kScanRows, [&](std::int64_t task, int /*thread*/) {
    std::vector<float> row(static_cast<std::size_t>(rows.d));
    const Index end = std::min(rows.n, (task + 1) * kScanRows);
    for (Index i = task * kScanRows; i < end; ++i) {
      decode(kernels, rows.dtype, rows.row(i), row.data(), row.size());
      squared[static_cast<std::size_t>(i)] = squared_norm(row.data(), rows.d);
    }
  });
  return squared;
}

RowBlock::RowBlock(const Kernels& kernels, Index depth, Index capacity)
    : kernels_(kernels), capacity_(capacity) {
  const Index blocks = (depth + kDepth - 1) / kDepth;
  values_.resize(static_cast<std::size_t>(blocks * capacity * kRowStride));
}

void RowBlock::load(const RowView& rows, Index begin, Index count) {
  for (Index i = 0; i < count; ++i) load_row(rows, begin + i, i);
  pad(count, rows.d);
}

void RowBlock::load(const RowView& rows, std::span<const Index> ids) {
  const auto count = static_cast<Index>(ids.size());
  for (Index i = 0; i < count; ++i) load_row(rows, ids[static_cast<std::size_t>(i)], i);
  pad(count, rows.d);
}

void RowBlock::load_row(const RowView& rows, Index row, Index to) {
  const std::size_t item = item_size(rows.dtype);
  const std::byte* from = rows.row(row);
  float* at = values_.data() + to * kRowStride;
  for (Index k = 0; k < rows.d; k += kDepth) {
    const auto depth = static_cast<std::size_t>(std::min<Index>(kDepth, rows.d - k));
    decode(kernels_, rows.dtype, from + static_cast<std::size_t>(k) * item, at, depth);
    at += block_stride();
  }
}

// Fills the last tile up with zero rows.
void RowBlock::pad(Index count, Index depth) {
  const Index tile_rows = kernels_.tile_rows;
  const Index padded = (count + tile_rows - 1) / tile_rows * tile_rows;
  for (Index i = count; i < padded; ++i) {
    float* at = values_.data() + i * kRowStride;
    for (Index k = 0; k < depth; k += kDepth) {
      std::fill_n(at, std::min<Index>(kDepth, depth - k), 0.0f);
      at += block_stride();
    }
  }
}

void Panels::pack(const Kernels& kernels, const RowView& rows, std::span<const float> factors,
                  std::span<const Index> ids) {
  lanes_ = kernels.lanes;
  count_ = static_cast<Index>(ids.size());
  panels_ = (count_ + lanes_ - 1) / lanes_;
  stride_ = static_cast<std::size_t>(rows.d * lanes_);
  values_.assign(static_cast<std::size_t>(panels_) * stride_, 0.0f);
  factors_.assign(static_cast<std::size_t>(panels_ * lanes_), 0.0f);
  row_.resize(static_cast<std::size_t>(rows.d));
  for (Index c = 0; c < count_; ++c) {
    const Index id = ids[static_cast<std::size_t>(c)];
    decode(kernels, rows.dtype, rows.row(id), row_.data(), row_.size());
    float* to = values_.data() + static_cast<std::size_t>(c / lanes_) * stride_ + c % lanes_;
    for (Index k = 0; k < rows.d; ++k) to[k * lanes_] = row_[static_cast<std::size_t>(k)];
    factors_[static_cast<std::size_t>(c)] = factors[static_cast<std::size_t>(id)];
  }
}

}  // namespace qdit::cpu
