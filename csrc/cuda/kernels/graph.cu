// The similarity graph: its candidates (candidates.cuh), their lists in order, the nearest centroids of rows.
#include "cuda/kernels/candidates.cuh"
#include "cuda/kernels/graph_kernels.h"
#include "cuda/kernels/launch.h"
#include "cuda/kernels/sums.cuh"
#include "cuda/kernels/wgmma_kernels.h"

namespace qdit::cuda {
namespace {

// A warp sorts a list where it lies.
__global__ void __launch_bounds__(kThreads)
    sort_kernel(const std::int64_t* begin, const std::uint32_t* counts, std::int64_t rows, Sum* all) {
  const std::int64_t v = warp_of();
  if (v >= rows) return;
  Sum* keys = all + begin[v];
  const std::uint32_t items = counts[v];
  const auto lane = static_cast<std::uint32_t>(lane_of());
  for (std::uint32_t run = 1; run < items; run *= 2) {
    for (std::uint32_t half = run; half > 0; half /= 2) {
      const std::uint32_t pairs = sort_pairs(items, half);
      for (std::uint32_t i = lane; i < pairs; i += kWarp) {
        const SortPair pair = sort_pair(i, half, half == run);
        if (pair.high >= items) continue;
        const Sum low = keys[pair.low];
        const Sum high = keys[pair.high];
        if (low < high) {
          keys[pair.low] = high;
          keys[pair.high] = low;
        }
      }
      sync_warp();  // the next step reads what other lanes have written
    }
  }
}

__global__ void __launch_bounds__(kThreads)
    pack_kernel(const Sum* keys, const std::int64_t* begin, const std::int64_t* to, std::int64_t rows,
                Pair* out) {
  const std::int64_t v = warp_of();
  if (v >= rows) return;
  const std::int64_t items = to[v + 1] - to[v];
  for (std::int64_t i = lane_of(); i < items; i += kWarp) {
    const Sum key = keys[begin[v] + i];
    out[to[v] - to[0] + i] = {key_id(key), key_sim(key)};
  }
}

__global__ void __launch_bounds__(kThreads)
    top_kernel(const std::int32_t* sims, std::int64_t stride, std::int32_t candidates, std::int64_t rows,
               std::int32_t count, Sum* keys, std::int32_t* ids) {
  const std::int64_t v = thread_of();
  if (v >= rows) return;
  Sum* list = keys + v;  // of row v, an item every `rows`
  for (std::int32_t i = 0; i < count; ++i) list[i * rows] = 0;
  Sum last = 0;
  for (std::int32_t c = 0; c < candidates; ++c) {
    const Sum key = nearest_key(sims[c * stride + v], static_cast<std::uint32_t>(c));
    if (key <= last) continue;
    insert_key(list, rows, count, key);
    last = list[(count - 1) * rows];
  }
  for (std::int32_t i = 0; i < count; ++i) {
    ids[v * count + i] = static_cast<std::int32_t>(key_id(list[i * rows]));
  }
}

}  // namespace

void launch_candidates(const Arithmetic& how, const CandidateArguments& arguments, std::int64_t first,
                       std::int64_t count, cudaStream_t stream) {
  if (how.kernels == Kernels::kWgmma) {
    wgmma::launch_candidates(how.precision, arguments, first, count, stream);
  } else if (how.precision == Precision::kHalf) {
    launch_candidates_of<HalfTile>(arguments, first, count, stream);
  } else {
    launch_candidates_of<SplitTile>(arguments, first, count, stream);
  }
}

void launch_sort(const std::int64_t* begin, const std::uint32_t* counts, std::int64_t rows, Sum* keys,
                 cudaStream_t stream) {
  launch(sort_kernel, warps(rows), stream, begin, counts, rows, keys);
}

void launch_pack(const Sum* keys, const std::int64_t* begin, const std::int64_t* to, std::int64_t rows,
                 Pair* out, cudaStream_t stream) {
  launch(pack_kernel, warps(rows), stream, keys, begin, to, rows, out);
}

void launch_top(const std::int32_t* sims, std::int64_t stride, std::int32_t candidates, std::int64_t rows,
                std::int32_t count, Sum* keys, std::int32_t* ids, cudaStream_t stream) {
  launch(top_kernel, threads(rows), stream, sims, stride, candidates, rows, count, keys, ids);
}

}  // namespace qdit::cuda
