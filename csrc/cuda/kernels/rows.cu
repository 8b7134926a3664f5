// Rows on their way in, gathered rows, and the first gains. A warp takes a row.
#include "cuda/kernels/half.h"
#include "cuda/kernels/kernels.h"
#include "cuda/kernels/launch.h"
#include "cuda/kernels/ptx.h"
#include "cuda/kernels/sums.cuh"

namespace qdit::cuda {
namespace {

// The same bits in every lane: the two terms of each addition only change places.
__device__ __forceinline__ double warp_sum_of_doubles(double value) {
  for (int mask = kWarp / 2; mask > 0; mask /= 2) value += shuffle_xor(value, mask);
  return value;
}

template <DType kType>
__device__ __forceinline__ float item_of(const void* raw, std::int64_t at) {
  if constexpr (kType == DType::kFloat16) return half_to_float(static_cast<const std::uint16_t*>(raw)[at]);
  if constexpr (kType == DType::kBFloat16) return bfloat_to_float(static_cast<const std::uint16_t*>(raw)[at]);
  if constexpr (kType == DType::kFloat32) return static_cast<const float*>(raw)[at];
  if constexpr (kType == DType::kFloat64) return static_cast<float>(static_cast<const double*>(raw)[at]);
}

template <DType kType>
__device__ __forceinline__ SplitItem stored_item(const void* raw, std::int64_t at, int shift) {
  if constexpr (kType == DType::kFloat16) {
    return {static_cast<const std::uint16_t*>(raw)[at], 0};
  } else {
    return split_item(scaled_by(item_of<kType>(raw, at), shift));
  }
}

template <DType kType>
__global__ void __launch_bounds__(kThreads)
    convert_kernel(const void* raw, std::int64_t count, std::int64_t d, const RowTarget to, RowFacts* facts) {
  const std::int64_t row = warp_of();
  if (row >= count) return;  // the whole warp
  const int lane = lane_of();
  double squared = 0.0;
  float largest = 0.0f;
  for (std::int64_t k = lane; k < d; k += kWarp) {
    const float x = item_of<kType>(raw, row * d + k);
    squared += static_cast<double>(x) * static_cast<double>(x);
    largest = fmaxf(largest, fabsf(x));
  }
  squared = warp_sum_of_doubles(squared);
  for (int mask = kWarp / 2; mask > 0; mask /= 2) largest = fmaxf(largest, shuffle_xor(largest, mask));
  const int shift = kType == DType::kFloat16 ? 0 : row_shift(largest);
  double stored = 0.0;
  for (std::int64_t k = lane; k < to.stride; k += kWarp) {
    SplitItem item = {0, 0};
    if (k < d) item = stored_item<kType>(raw, row * d + k, shift);
    if (to.high != nullptr) to.high[row * to.stride + k] = item.high;
    double x = half_to_float(item.high);
    if (to.low != nullptr) {
      to.low[row * to.stride + k] = item.low;
      x += half_to_float(item.low) * static_cast<double>(1.0f / kLowScale);
    }
    stored += x * x;
  }
  stored = warp_sum_of_doubles(stored);
  if (lane == 0) facts[row] = {squared, stored, shift};
}

__global__ void __launch_bounds__(kThreads)
    gather_kernel(const Operand from, const std::int32_t* ids, std::int32_t count, const RowTarget to,
                  float* factors) {
  const std::int64_t row = warp_of();
  if (row >= count) return;
  const std::int64_t source = ids[row];
  for (int k = lane_of() * kUnit; k < from.depth; k += kWarp * kUnit) {
    *reinterpret_cast<uint4*>(to.high + row * to.stride + k) =
        *reinterpret_cast<const uint4*>(from.high + source * from.stride + k);
    if (to.low != nullptr) {
      *reinterpret_cast<uint4*>(to.low + row * to.stride + k) =
          *reinterpret_cast<const uint4*>(from.low + source * from.stride + k);
    }
  }
  if (lane_of() == 0) factors[row] = from.factors[source];
}

__device__ __forceinline__ double stored_value(const Operand& rows, std::int64_t at) {
  double x = half_to_float(rows.high[at]);
  if (rows.low != nullptr) x += half_to_float(rows.low[at]) * static_cast<double>(1.0f / kLowScale);
  return x;
}

// A block sums kSumRows rows, a thread takes every kThreads-th column. Row 0 is row `before` of its block.
__global__ void __launch_bounds__(kThreads)
    row_sums_kernel(const Operand rows, std::int64_t before, double* partial) {
  const std::int64_t block = blockIdx.x;
  const std::int64_t begin = block == 0 ? 0 : block * kSumRows - before;
  const std::int64_t next = (block + 1) * kSumRows - before;
  const std::int64_t end = next < rows.count ? next : rows.count;
  for (int k = static_cast<int>(threadIdx.x); k < rows.depth; k += kThreads) {
    double& to = partial[block * rows.depth + k];
    double sum = block == 0 ? to : 0.0;
    for (std::int64_t row = begin; row < end; ++row) {
      sum += static_cast<double>(rows.factors[row]) * stored_value(rows, row * rows.stride + k);
    }
    to = sum;
  }
}

__global__ void __launch_bounds__(kThreads)
    first_gains_kernel(const Operand candidates, const double* total, Sum* out) {
  const std::int64_t row = warp_of();
  if (row >= candidates.count) return;
  double dot = 0.0;
  for (int k = lane_of(); k < candidates.depth; k += kWarp) {
    dot += stored_value(candidates, row * candidates.stride + k) * total[k];
  }
  dot = warp_sum_of_doubles(dot);
  if (lane_of() == 0) out[row] = static_cast<Sum>(llrint(static_cast<double>(candidates.factors[row]) * dot));
}

}  // namespace

void launch_convert(const void* raw, DType dtype, std::int64_t count, std::int64_t d, const RowTarget& to,
                    RowFacts* facts, cudaStream_t stream) {
  switch (dtype) {
    case DType::kFloat16:
      return launch(convert_kernel<DType::kFloat16>, warps(count), stream, raw, count, d, to, facts);
    case DType::kBFloat16:
      return launch(convert_kernel<DType::kBFloat16>, warps(count), stream, raw, count, d, to, facts);
    case DType::kFloat32:
      return launch(convert_kernel<DType::kFloat32>, warps(count), stream, raw, count, d, to, facts);
    case DType::kFloat64:
      return launch(convert_kernel<DType::kFloat64>, warps(count), stream, raw, count, d, to, facts);
  }
}

void launch_gather(const Operand& from, const std::int32_t* ids, std::int32_t count, const RowTarget& to,
                   float* factors, cudaStream_t stream) {
  launch(gather_kernel, warps(count), stream, from, ids, count, to, factors);
}

void launch_row_sums(const Operand& rows, std::int64_t before, double* partial, cudaStream_t stream) {
  launch(row_sums_kernel, {divide_up(before + rows.count, kSumRows), kThreads}, stream, rows, before,
         partial);
}

void launch_first_gains(const Operand& candidates, const double* total, Sum* out, cudaStream_t stream) {
  launch(first_gains_kernel, warps(candidates.count), stream, candidates, total, out);
}

}  // namespace qdit::cuda
