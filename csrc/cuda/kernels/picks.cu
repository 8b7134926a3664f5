// Gains kept exact from pick to pick: a pick lowers the gains of the candidates in the lists of the rows
// whose maximum it raises. Sums of integers: the order in which warps come to them does not show.
#include "cuda/kernels/best.cuh"
#include "cuda/kernels/kernels.h"
#include "cuda/kernels/launch.h"
#include "cuda/kernels/ptx.h"
#include "cuda/kernels/sums.cuh"

namespace qdit::cuda {
namespace {

// The maximum of row v rises; the lanes of a warp walk its list together. Pairs that can add no more leave
// it. No other warp may touch row v at the same time.
__device__ __forceinline__ void raise(const TrackedState& state, std::int64_t v, std::int32_t from,
                                      std::int32_t to) {
  const std::int32_t threshold = state.lists.threshold[v];
  const bool was_complete = threshold <= from;
  const bool is_complete = threshold <= to;
  Pair* pairs = state.lists.pairs + state.lists.begin[v];
  const std::uint32_t count = state.lists.count[v];
  const auto lane = static_cast<std::uint32_t>(lane_of());
  std::uint32_t kept = 0;
  for (std::uint32_t i = 0; i < count; i += kWarp) {
    const bool there = i + lane < count;
    Pair pair = {0, kNoPair};
    if (there) pair = pairs[i + lane];
    if (there) {
      const Change change = change_of(pair.sim, from, to, was_complete, is_complete);
      atomicAdd(state.gains + pair.id, static_cast<Sum>(change.gain));
      if (state.complete != nullptr && change.complete != 0) {
        atomicAdd(state.complete + pair.id, static_cast<Sum>(change.complete));
      }
    }
    const bool alive = there && pair.sim > to;
    // Every lane has read its pair when the ballot is done: what is written now lies no later than that.
    const unsigned all = ballot(alive);
    sync_warp();  // a ballot alone orders no memory
    const std::uint32_t before = static_cast<std::uint32_t>(__popc(all & ((1u << lane) - 1u)));
    if (alive) pairs[kept + before] = pair;
    kept += static_cast<std::uint32_t>(__popc(all));
    sync_warp();
  }
  if (lane == 0) state.lists.count[v] = kept;
}

__global__ void __launch_bounds__(kThreads)
    commit_kernel(const TrackedState state, const std::int32_t* sims, std::int64_t n, Sum* rise) {
  const std::int64_t v = thread_of();
  const bool there = v < n;
  const std::int32_t from = there ? state.max[v] : 0;
  const std::int32_t to = there ? sims[v] : 0;
  const bool up = there && to > from;
  add_of_warp(rise, static_cast<Sum>(up ? static_cast<std::int64_t>(to) - from : 0));
  for (unsigned left = ballot(up); left != 0; left &= left - 1) {
    const int lane = __ffs(static_cast<int>(left)) - 1;
    raise(state, v - lane_of() + lane, shuffle(from, lane), shuffle(to, lane));
  }
  if (up) state.max[v] = to;
}

__global__ void __launch_bounds__(kThreads) best_kernel(const PickArguments arguments) {
  Scored best;
  for (std::int64_t c = thread_of(); c < arguments.n; c += static_cast<std::int64_t>(gridDim.x) * kThreads) {
    if (arguments.closed[c] != 0) continue;
    const auto gain = static_cast<Fixed>(arguments.state.gains[c]);
    best = better_of(best, {score_of(arguments.weight, gain, arguments.bonus[c]), c});
  }
  best = best_of_block(best, reinterpret_cast<Scored*>(shared_memory()));
  if (threadIdx.x == 0) arguments.partial[blockIdx.x] = best;
}

// Every block finds out the same best candidate, unless the host has chosen; then warps of all blocks share
// its pairs.
__global__ void __launch_bounds__(kThreads)
    pick_kernel(const PickArguments arguments, Index chosen, std::int32_t pick) {
  Index row = chosen;
  if (chosen < 0) {
    auto* shared = reinterpret_cast<Scored*>(shared_memory());
    Scored best;
    for (int i = static_cast<int>(threadIdx.x); i < static_cast<int>(gridDim.x); i += kThreads) {
      best = better_of(best, arguments.partial[i]);
    }
    best = best_of_block(best, shared);
    if (threadIdx.x == 0) shared[kThreads / kWarp] = best;
    sync_block();
    row = shared[kThreads / kWarp].candidate;
  }
  if (blockIdx.x == 0 && threadIdx.x == 0) {
    arguments.picks[pick] = row;
    if (row >= 0) arguments.closed[row] = 1;
  }
  if (row < 0) return;
  const TrackedState& state = arguments.state;
  const std::int64_t end = arguments.group_begin[row + 1];
  Sum rise = 0;
  const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * (kThreads / kWarp);
  for (std::int64_t i = arguments.group_begin[row] + warp_of(); i < end; i += step) {
    const Pair pair = arguments.grouped[i];  // the same in all lanes
    const std::int32_t from = state.max[pair.id];
    sync_warp();  // all lanes have read the maximum before lane 0 raises it
    if (pair.sim <= from) continue;
    raise(state, pair.id, from, pair.sim);
    if (lane_of() == 0) {
      state.max[pair.id] = pair.sim;
      rise += static_cast<Sum>(static_cast<std::int64_t>(pair.sim) - from);
    }
  }
  if (lane_of() == 0 && rise != 0) atomicAdd(arguments.rises + pick, rise);
}

}  // namespace

void launch_commit(const TrackedState& state, const std::int32_t* sims, std::int64_t n, Sum* rise,
                   cudaStream_t stream) {
  launch(commit_kernel, threads(n), stream, state, sims, n, rise);
}

constexpr std::size_t kPickShared = (kThreads / kWarp + 1) * sizeof(Scored);

void launch_pick(const PickArguments& arguments, std::int32_t pick, cudaStream_t stream) {
  const LaunchShape shape{pick_blocks(arguments.n), kThreads, kPickShared};
  launch(best_kernel, shape, stream, arguments);
  launch(pick_kernel, shape, stream, arguments, Index{-1}, pick);
}

void launch_pick_of(const PickArguments& arguments, Index row, std::int32_t pick, cudaStream_t stream) {
  launch(pick_kernel, {pick_blocks(arguments.n), kThreads, kPickShared}, stream, arguments, row, pick);
}

}  // namespace qdit::cuda
