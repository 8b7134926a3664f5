#include "cpu/rotation.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "cpu/pool.h"
#include "cpu/product.h"
#include "engine/mix.h"

namespace qdit::cpu {
namespace {

constexpr Index kSample = 2048;  // rows
constexpr int kSteps = 6;
constexpr int kBits = 26;          // of a product in fixed point ...
constexpr float kStep = 0x1p-26f;  // ... and its smallest step
constexpr float kNothing = 1e-5f;  // what is left of a direction that others span
// Each mixed direction is rounded by 2^-24 of its norm, all 256 by 2^-20 in the Frobenius norm, and Q^T Q by
// twice as much. Twice that.
constexpr double kMixing = 0x1p-18;

std::size_t at(Index i) { return static_cast<std::size_t>(i); }

RowView view_of(const AlignedVector<float>& values, Index n, Index d) {
  RowView rows;
  rows.data = reinterpret_cast<const std::byte*>(values.data());
  rows.n = n;
  rows.d = d;
  rows.name = "rotation";
  return rows;
}

// (b.n, a.n): the products of all rows of b with all rows of a. None may be larger than 1.
AlignedVector<float> multiply(const RowView& a, const RowView& b, const Kernels& kernels, ThreadPool& pool) {
  const std::vector<float> factors(at(std::max(a.n, b.n)), std::ldexp(1.0f, kBits / 2));
  std::vector<Index> ids(at(b.n));
  std::iota(ids.begin(), ids.end(), 0);
  Panels panels;
  panels.pack(kernels, b, factors, ids);
  const AlignedVector<std::int32_t> none(at(a.n + kernels.tile_rows), kPaddingMax);
  std::vector<Fixed> unused(ids.size());
  std::vector<std::int32_t> fixed(at(a.n * b.n));
  Product product(kernels, pool, a, 0);
  const auto target = [&](Index c, const Product::Block& block) {
    return fixed.data() + c * a.n + block.begin;
  };
  product.run({panels, factors, none.data(), unused, target, {}});
  AlignedVector<float> out(fixed.size());
  for (std::size_t i = 0; i < fixed.size(); ++i) out[i] = static_cast<float>(fixed[i]) * kStep;
  return out;
}

// (d, count): unit rows of the pool, each of them a column, scaled such that second moments are at most 1.
AlignedVector<float> transposed_sample(const RowView& rows, std::span<const double> squared_norms,
                                       Index count, const Kernels& kernels) {
  AlignedVector<float> sample(at(rows.d * count));
  std::vector<float> row(at(rows.d));
  for (Index i = 0; i < count; ++i) {
    const Index from = i * rows.n / count;
    decode(kernels, rows.dtype, rows.row(from), row.data(), row.size());
    const double squared = squared_norms[at(from)] * static_cast<double>(count);
    const auto inverse = static_cast<float>(squared > 0.0 ? 1.0 / std::sqrt(squared) : 0.0);
    for (Index k = 0; k < rows.d; ++k) sample[at(k * count + i)] = row[at(k)] * inverse;
  }
  return sample;
}

double dot(const float* a, const float* b, Index d) {
  double sums[4] = {};
  Index k = 0;
  for (; k + 4 <= d; k += 4) {
    for (int j = 0; j < 4; ++j) sums[j] += static_cast<double>(a[k + j]) * static_cast<double>(b[k + j]);
  }
  for (; k < d; ++k) sums[0] += static_cast<double>(a[k]) * static_cast<double>(b[k]);
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

}  // namespace

Rotation::Rotation(const RowView& rows, std::span<const double> squared_norms, const Kernels& kernels,
                   ThreadPool& pool)
    : d_(rows.d), columns_(std::min(kDirections, rows.d)), basis_(at(columns_ * d_)) {
  const Index count = std::min(kSample, rows.n);
  const auto sample = transposed_sample(rows, squared_norms, count, kernels);
  const RowView lines = view_of(sample, d_, count);
  const auto moments = multiply(lines, lines, kernels, pool);
  start();
  for (int step = 0; step < kSteps; ++step) {
    orthonormalize(kernels, pool);
    basis_ = multiply(view_of(moments, d_, d_), view_of(basis_, columns_, d_), kernels, pool);
  }
  orthonormalize(kernels, pool);
  orthonormalize(kernels, pool);  // twice is enough (Giraud et al. 2005)
  measure(pool);
  mix_chunks();
}

RowView Rotation::view() const { return view_of(basis_, kDirections, d_); }

void Rotation::start() {
  for (std::size_t i = 0; i < basis_.size(); ++i) basis_[i] = (mix(i) & 1) != 0 ? 1.0f : -1.0f;
}

// Modified Gram-Schmidt. A direction that others span (a pool of low rank) becomes zero: it bounds nothing,
// and does no harm.
void Rotation::orthonormalize(const Kernels& kernels, ThreadPool& pool) {
  const auto d = static_cast<int>(d_);
  const auto length = [&](const float* x) { return std::sqrt(kernels.estimate(x, x, d)); };
  std::vector<float> before(at(columns_));
  for (Index i = 0; i < columns_; ++i) before[at(i)] = length(basis_.data() + at(i * d_));
  for (Index i = 0; i < columns_; ++i) {
    float* vector = basis_.data() + at(i * d_);
    const float left = length(vector);
    const float inverse = left > kNothing * before[at(i)] ? 1.0f / left : 0.0f;
    for (Index k = 0; k < d_; ++k) vector[k] *= inverse;
    if (inverse == 0.0f) continue;
    pool.run(columns_ - i - 1, [&](std::int64_t task, int /*thread*/) {
      float* other = basis_.data() + at((i + 1 + task) * d_);
      const float share = kernels.estimate(vector, other, d);
      for (Index k = 0; k < d_; ++k) other[k] -= share * vector[k];
    });
  }
}

void Rotation::measure(ThreadPool& pool) {
  std::vector<double> sums(at(columns_));
  pool.run(columns_, [&](std::int64_t i, int /*thread*/) {
    const float* a = basis_.data() + at(i * d_);
    for (Index j = 0; j < columns_; ++j) {
      const float* b = basis_.data() + at(j * d_);
      double product = dot(a, b, d_);
      if (i == j && product > 0.0) product -= 1.0;
      sums[at(i)] += std::fabs(product);
    }
  });
  defect_ = *std::max_element(sums.begin(), sums.end()) + kMixing;
}

// By the orthogonal matrix of Hadamard: sums and differences, by halves.
void Rotation::mix_chunks() {
  basis_.resize(at(kDirections * d_));
  std::vector<double> column(at(kChunk));
  for (Index begin = 0; begin < kDirections; begin += kChunk) {
    for (Index k = 0; k < d_; ++k) {
      float* values = basis_.data() + begin * d_ + k;
      for (Index i = 0; i < kChunk; ++i) column[at(i)] = static_cast<double>(values[i * d_]);
      for (Index half = 1; half < kChunk; half *= 2) {
        for (Index i = 0; i < kChunk; ++i) {
          if ((i & half) != 0) continue;
          const double a = column[at(i)];
          const double b = column[at(i + half)];
          column[at(i)] = a + b;
          column[at(i + half)] = a - b;
        }
      }
      for (Index i = 0; i < kChunk; ++i) values[i * d_] = static_cast<float>(column[at(i)] / 8.0);
    }
  }
}

}  // namespace qdit::cpu
