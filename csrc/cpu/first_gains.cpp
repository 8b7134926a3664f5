#include "cpu/first_gains.h"

#include <algorithm>
#include <cmath>

#include "cpu/pool.h"

namespace qdit::cpu {
namespace {

// Rows of one partial sum: a constant, since the order of a floating-point sum shows in its bits.
constexpr Index kSumRows = 1024;
constexpr Index kCandidates = 256;

double dot(const float* row, const double* sum, Index d) {
  double partial[8] = {};
  Index k = 0;
  for (; k + 8 <= d; k += 8) {
    for (int j = 0; j < 8; ++j) partial[j] += static_cast<double>(row[k + j]) * sum[k + j];
  }
  for (; k < d; ++k) partial[k % 8] += static_cast<double>(row[k]) * sum[k];
  return ((partial[0] + partial[4]) + (partial[1] + partial[5])) +
         ((partial[2] + partial[6]) + (partial[3] + partial[7]));
}

}  // namespace

std::vector<double> weighted_row_sum(const RowView& rows, std::span<const float> factors,
                                     const std::uint32_t* weights, const Kernels& kernels, ThreadPool& pool) {
  std::vector<double> total(static_cast<std::size_t>(rows.d), 0.0);
  std::vector<double> open(total.size(), 0.0);
  add_row_sum(rows, factors, weights, kernels, pool, 0, total, open);
  for (std::size_t k = 0; k < total.size(); ++k) total[k] += open[k];
  return total;
}

void add_row_sum(const RowView& rows, std::span<const float> factors, const std::uint32_t* weights,
                 const Kernels& kernels, ThreadPool& pool, Index first, std::span<double> total,
                 std::span<double> open) {
  const auto d = static_cast<std::size_t>(rows.d);
  // Row i of this part is row first + i of the whole; blocks begin at multiples of kSumRows there.
  const Index before = first % kSumRows;
  const Index blocks = (before + rows.n + kSumRows - 1) / kSumRows;
  std::vector<double> partial(static_cast<std::size_t>(blocks) * d, 0.0);
  std::copy(open.begin(), open.end(), partial.begin());
  pool.run(blocks, [&](std::int64_t block, int /*thread*/) {
    std::vector<float> row(d);
    double* sum = partial.data() + static_cast<std::size_t>(block) * d;
    const Index end = std::min(rows.n, (block + 1) * kSumRows - before);
    for (Index i = std::max<Index>(0, block * kSumRows - before); i < end; ++i) {
      decode(kernels, rows.dtype, rows.row(i), row.data(), d);
      double factor = static_cast<double>(factors[static_cast<std::size_t>(i)]);
      if (weights != nullptr) factor *= static_cast<double>(weights[i]);
      for (std::size_t k = 0; k < d; ++k) sum[k] += factor * static_cast<double>(row[k]);
    }
  });
  const Index whole = (before + rows.n) / kSumRows;
  for (std::size_t i = 0; i < static_cast<std::size_t>(whole) * d; ++i) total[i % d] += partial[i];
  if (whole == blocks) {
    std::fill(open.begin(), open.end(), 0.0);
  } else {
    std::copy(partial.end() - static_cast<std::ptrdiff_t>(d), partial.end(), open.begin());
  }
}

void first_gains(const RowView& rows, std::span<const float> factors, std::span<const double> row_sum,
                 std::span<const Index> candidates, const Kernels& kernels, ThreadPool& pool,
                 std::span<Fixed> out) {
  const auto count = static_cast<Index>(candidates.size());
  pool.run((count + kCandidates - 1) / kCandidates, [&](std::int64_t task, int /*thread*/) {
    std::vector<float> row(static_cast<std::size_t>(rows.d));
    const Index end = std::min(count, (task + 1) * kCandidates);
    for (Index i = task * kCandidates; i < end; ++i) {
      const Index c = candidates[static_cast<std::size_t>(i)];
      decode(kernels, rows.dtype, rows.row(c), row.data(), row.size());
      const double factor = static_cast<double>(factors[static_cast<std::size_t>(c)]);
      out[static_cast<std::size_t>(i)] = std::llrint(factor * dot(row.data(), row_sum.data(), rows.d));
    }
  });
}

}  // namespace qdit::cpu
