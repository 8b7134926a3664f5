// Gains that are upper bounds: which rows they wait for, which candidates could still be the best.
#include "cuda/kernels/best.cuh"
#include "cuda/kernels/choice_kernels.h"
#include "cuda/kernels/kernels.h"
#include "cuda/kernels/launch.h"

namespace qdit::cuda {
namespace {

// A place in a list for every lane that takes one; all lanes must come here.
__device__ __forceinline__ std::uint32_t place_in_list(bool take, std::uint32_t* count) {
  const unsigned all = ballot(take);
  const int lane = lane_of();
  std::uint32_t first = 0;
  if (lane == 0 && all != 0) first = atomicAdd(count, static_cast<std::uint32_t>(__popc(all)));
  return shuffle(first, 0) + static_cast<std::uint32_t>(__popc(all & ((1u << lane) - 1u)));
}

__global__ void __launch_bounds__(kThreads)
    raised_kernel(const RaisedRows rows, std::int64_t begin, std::int64_t end, std::int32_t* ids,
                  RaisedCount* found) {
  const std::int64_t v = begin + thread_of();
  const bool there = v < end;
  const std::int32_t from = there ? rows.from[v] : 0;
  const std::int32_t rise = there ? rows.to[v] - from : 0;
  const bool take = there && rise > rows.above && rise <= rows.most && from < rows.threshold[v];
  const std::uint32_t place = place_in_list(take, &found->rows);
  if (take) ids[place] = static_cast<std::int32_t>(v - begin);
  add_of_warp(&found->rises, take ? static_cast<Sum>(rise) : 0);
}

__global__ void __launch_bounds__(kThreads)
    settle_kernel(const BoundedGains gains, Settled what, const std::int32_t* ids, std::int32_t count,
                  const Sum* sums, const Sum* complete) {
  const std::int64_t i = thread_of();
  if (i >= count) return;
  const std::int32_t id = ids[i];
  if (what == Settled::kPart) {
    gains.known[id] = sums[i];
    return;
  }
  if (what == Settled::kIncomplete) {
    gains.gain[id] = sums[i] + complete[id];
  } else {
    gains.gain[id] -= sums[i] + (what == Settled::kLostToo ? gains.known[id] : 0);
  }
  gains.known[id] = 0;
  gains.exact_at[id] = gains.commits;
}

__global__ void __launch_bounds__(kThreads) look_up_kernel(const BoundedGains gains, const std::int32_t* ids,
                                                           std::int32_t count, Stale* to, Sum* gain) {
  const std::int64_t i = thread_of();
  if (i >= count) return;
  to[i] = {ids[i], gains.exact_at[ids[i]]};
  gain[i] = gains.gain[ids[i]];
}

__device__ __forceinline__ Scored bound_of(const ChoiceArguments& arguments, std::int64_t c) {
  const Sum gain = arguments.gains.gain[c] - arguments.gains.known[c];
  return {score_of(arguments.weight, static_cast<Fixed>(gain), arguments.bonus[c]), c};
}

__global__ void __launch_bounds__(kThreads) bounds_kernel(const ChoiceArguments arguments) {
  Scored exact;
  Scored stale;
  const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * kThreads;
  for (std::int64_t c = thread_of(); c < arguments.gains.n; c += step) {
    if (arguments.closed[c] != 0) continue;
    const Scored bound = bound_of(arguments, c);
    if (arguments.gains.exact_at == nullptr || arguments.gains.exact_at[c] == arguments.gains.commits) {
      exact = better_of(exact, bound);
    } else {
      stale = better_of(stale, bound);
    }
  }
  auto* shared = reinterpret_cast<Scored*>(shared_memory());
  exact = best_of_block(exact, shared);
  sync_block();  // thread 0 has read what the warps stored
  stale = best_of_block(stale, shared);
  if (threadIdx.x != 0) return;
  arguments.best_exact[blockIdx.x] = exact;
  arguments.best_stale[blockIdx.x] = stale;
}

__device__ __forceinline__ bool beats(const Scored& bound, const Scored& best) {
  return bound.candidate >= 0 && better_of(bound, best).candidate == bound.candidate;
}

// A block alone: the best of the blocks' exact ones, and a list of the stale ones that are better by their
// bounds unless the list comes later.
__global__ void __launch_bounds__(kThreads)
    best_of_blocks_kernel(const ChoiceArguments arguments, std::int32_t blocks, bool list) {
  auto* shared = reinterpret_cast<Scored*>(shared_memory());
  Scored best;
  for (std::int32_t i = static_cast<std::int32_t>(threadIdx.x); i < blocks; i += kThreads) {
    best = better_of(best, arguments.best_exact[i]);
  }
  best = best_of_block(best, shared);
  if (threadIdx.x == 0) {
    *arguments.choice = {best, 0};
    shared[kThreads / kWarp] = best;
  }
  sync_block();
  if (!list) return;
  best = shared[kThreads / kWarp];
  for (std::int32_t i = static_cast<std::int32_t>(threadIdx.x); i < blocks; i += kThreads) {
    const Scored bound = arguments.best_stale[i];
    if (!beats(bound, best)) continue;
    const std::uint32_t place = atomicAdd(&arguments.choice->stale, 1u);
    arguments.stale[place] = {static_cast<std::int32_t>(bound.candidate),
                              arguments.gains.exact_at[bound.candidate]};
  }
}

__global__ void __launch_bounds__(kThreads) all_better_kernel(const ChoiceArguments arguments) {
  const std::int64_t c = thread_of();
  const Scored best = arguments.choice->best;
  std::int32_t exact_at = 0;
  bool take = false;
  if (c < arguments.gains.n && arguments.closed[c] == 0) {
    exact_at = arguments.gains.exact_at[c];
    take = exact_at != arguments.gains.commits && beats(bound_of(arguments, c), best);
  }
  const std::uint32_t place = place_in_list(take, &arguments.choice->stale);
  if (take) arguments.stale[place] = {static_cast<std::int32_t>(c), exact_at};
}

constexpr std::size_t kBestShared = (kThreads / kWarp + 1) * sizeof(Scored);

void launch_bounds(const ChoiceArguments& arguments, bool list, cudaStream_t stream) {
  const std::int32_t blocks = pick_blocks(arguments.gains.n);
  launch(bounds_kernel, {blocks, kThreads, kBestShared}, stream, arguments);
  launch(best_of_blocks_kernel, {1, kThreads, kBestShared}, stream, arguments, blocks, list);
}

}  // namespace

void launch_raised(const RaisedRows& rows, std::int64_t begin, std::int64_t end, std::int32_t* ids,
                   RaisedCount* found, cudaStream_t stream) {
  launch(raised_kernel, threads(end - begin), stream, rows, begin, end, ids, found);
}

void launch_settle(const BoundedGains& gains, Settled what, const std::int32_t* ids, std::int32_t count,
                   const Sum* sums, const Sum* complete, cudaStream_t stream) {
  launch(settle_kernel, threads(count), stream, gains, what, ids, count, sums, complete);
}

void launch_look_up(const BoundedGains& gains, const std::int32_t* ids, std::int32_t count, Stale* to,
                    Sum* gain, cudaStream_t stream) {
  launch(look_up_kernel, threads(count), stream, gains, ids, count, to, gain);
}

void launch_best_of_blocks(const ChoiceArguments& arguments, cudaStream_t stream) {
  launch_bounds(arguments, true, stream);
}

void launch_all_better(const ChoiceArguments& arguments, cudaStream_t stream) {
  launch_bounds(arguments, false, stream);
  launch(all_better_kernel, threads(arguments.gains.n), stream, arguments);
}

}  // namespace qdit::cuda
