// Thresholds and lists of alive pairs.
#include "cuda/kernels/kernels.h"
#include "cuda/kernels/launch.h"
#include "cuda/kernels/ptx.h"
#include "cuda/kernels/sums.cuh"

namespace qdit::cuda {
namespace {

constexpr std::int32_t kLargestSim = 1 << 27;
constexpr std::int32_t kThresholdStep = 1 << 12;  // finer thresholds keep hardly more pairs

__device__ __forceinline__ std::uint32_t count_above(const std::int32_t* sims, std::int64_t stride,
                                                     std::int32_t samples, std::int64_t v,
                                                     std::int32_t threshold) {
  std::uint32_t count = 0;
  for (std::int32_t c = 0; c < samples; ++c) count += sims[c * stride + v] > threshold ? 1 : 0;
  return count;
}

__global__ void __launch_bounds__(kThreads)
    alive_kernel(const std::int32_t* sims, std::int64_t stride, std::int32_t samples, std::int64_t count,
                 const std::int32_t* max, std::uint32_t* alive) {
  const std::int64_t v = thread_of();
  if (v < count) alive[v] = count_above(sims, stride, samples, v, max[v]);
}

__global__ void __launch_bounds__(kThreads)
    thresholds_kernel(const std::int32_t* sims, std::int64_t stride, std::int32_t samples, std::int64_t count,
                      const std::int32_t* max, std::uint32_t rank, std::int32_t* threshold) {
  const std::int64_t v = thread_of();
  if (v >= count) return;
  std::int32_t low = max[v];
  if (count_above(sims, stride, samples, v, low) <= rank) {
    threshold[v] = low;
    return;
  }
  std::int32_t high = kLargestSim;  // nothing is above it
  while (high - low > kThresholdStep) {
    const std::int32_t middle = low + (high - low) / 2;
    if (count_above(sims, stride, samples, v, middle) <= rank) {
      high = middle;
    } else {
      low = middle;
    }
  }
  threshold[v] = high;
}

// The functions below give each row to a warp, whose lanes walk its list together.
template <class Function>
__device__ __forceinline__ void for_pairs(const Lists& lists, std::int64_t v, const Function& function) {
  const Pair* pairs = lists.pairs + lists.begin[v];
  const std::uint32_t count = lists.count[v];
  for (std::uint32_t i = static_cast<std::uint32_t>(lane_of()); i < count; i += kWarp) function(pairs[i]);
}

__global__ void __launch_bounds__(kThreads)
    complete_sums_kernel(const Lists lists, const std::int32_t* max, const std::int32_t* ids,
                         std::int64_t begin, std::int64_t count, Sum* complete) {
  const std::int64_t i = warp_of();
  if (i >= count) return;
  const std::int64_t v = begin + (ids != nullptr ? ids[i] : i);
  const std::int32_t m = max[v];
  if (lists.threshold[v] > m) return;
  for_pairs(lists, v, [&](const Pair& pair) {
    atomicAdd(complete + pair.id, static_cast<Sum>(relu_difference(pair.sim, m)));
  });
}

__global__ void __launch_bounds__(kThreads)
    incomplete_kernel(const std::int32_t* threshold, const std::int32_t* max, std::int64_t begin,
                      std::int64_t end, std::int32_t* ids, std::uint32_t* count) {
  const std::int64_t v = begin + thread_of();
  if (v >= end || threshold[v] <= max[v]) return;
  ids[atomicAdd(count, 1u)] = static_cast<std::int32_t>(v - begin);
}

__global__ void __launch_bounds__(kThreads)
    empty_incomplete_kernel(const std::int32_t* max, std::int64_t n, std::int32_t* threshold,
                            std::uint32_t* count) {
  const std::int64_t v = thread_of();
  if (v >= n || threshold[v] <= max[v]) return;
  threshold[v] = max[v];
  count[v] = 0;
}

__global__ void __launch_bounds__(kThreads)
    move_lists_kernel(const Lists lists, const std::int32_t* order, std::int64_t count,
                      const std::int64_t* to_begin, std::int64_t base, Pair* to) {
  const std::int64_t i = warp_of();
  if (i >= count) return;
  const std::int64_t v = order[i];
  const Pair* from = lists.pairs + lists.begin[v];
  Pair* const list = to + (to_begin[v] - base);
  const std::uint32_t pairs = lists.count[v];
  for (std::uint32_t j = static_cast<std::uint32_t>(lane_of()); j < pairs; j += kWarp) list[j] = from[j];
}

__global__ void __launch_bounds__(kThreads)
    group_counts_kernel(const Lists lists, std::int64_t n, std::uint32_t* counts) {
  const std::int64_t v = warp_of();
  if (v >= n) return;
  for_pairs(lists, v, [&](const Pair& pair) { atomicAdd(counts + pair.id, 1u); });
}

__global__ void __launch_bounds__(kThreads)
    group_fill_kernel(const Lists lists, std::int64_t n, const std::int64_t* begin, std::uint32_t* counts,
                      Pair* grouped) {
  const std::int64_t v = warp_of();
  if (v >= n) return;
  for_pairs(lists, v, [&](const Pair& pair) {
    const std::uint32_t place = atomicAdd(counts + pair.id, 1u);
    grouped[begin[pair.id] + place] = {static_cast<std::uint32_t>(v), pair.sim};
  });
}

__global__ void __launch_bounds__(kThreads)
    count_sum_kernel(const std::uint32_t* counts, std::int64_t n, Sum* sum) {
  const std::int64_t i = thread_of();
  add_of_warp(sum, i < n ? counts[i] : 0);
}

}  // namespace

void launch_alive(const std::int32_t* sims, std::int64_t stride, std::int32_t samples, std::int64_t count,
                  const std::int32_t* max, std::uint32_t* alive, cudaStream_t stream) {
  launch(alive_kernel, threads(count), stream, sims, stride, samples, count, max, alive);
}

void launch_thresholds(const std::int32_t* sims, std::int64_t stride, std::int32_t samples,
                       std::int64_t count, const std::int32_t* max, std::uint32_t rank,
                       std::int32_t* threshold, cudaStream_t stream) {
  launch(thresholds_kernel, threads(count), stream, sims, stride, samples, count, max, rank, threshold);
}

void launch_complete_sums(const Lists& lists, const std::int32_t* max, const std::int32_t* ids,
                          std::int64_t begin, std::int64_t count, Sum* complete, cudaStream_t stream) {
  launch(complete_sums_kernel, warps(count), stream, lists, max, ids, begin, count, complete);
}

void launch_empty_incomplete(const std::int32_t* max, std::int64_t n, std::int32_t* threshold,
                             std::uint32_t* count, cudaStream_t stream) {
  launch(empty_incomplete_kernel, threads(n), stream, max, n, threshold, count);
}

void launch_move_lists(const Lists& lists, const std::int32_t* order, std::int64_t count,
                       const std::int64_t* to_begin, std::int64_t base, Pair* to, cudaStream_t stream) {
  launch(move_lists_kernel, warps(count), stream, lists, order, count, to_begin, base, to);
}

void launch_incomplete(const std::int32_t* threshold, const std::int32_t* max, std::int64_t begin,
                       std::int64_t end, std::int32_t* ids, std::uint32_t* count, cudaStream_t stream) {
  launch(incomplete_kernel, threads(end - begin), stream, threshold, max, begin, end, ids, count);
}

void launch_group_counts(const Lists& lists, std::int64_t n, std::uint32_t* counts, cudaStream_t stream) {
  launch(group_counts_kernel, warps(n), stream, lists, n, counts);
}

void launch_group_fill(const Lists& lists, std::int64_t n, const std::int64_t* begin, std::uint32_t* counts,
                       Pair* grouped, cudaStream_t stream) {
  launch(group_fill_kernel, warps(n), stream, lists, n, begin, counts, grouped);
}

void launch_count_sum(const std::uint32_t* counts, std::int64_t n, Sum* sum, cudaStream_t stream) {
  launch(count_sum_kernel, threads(n), stream, counts, n, sum);
}

}  // namespace qdit::cuda
