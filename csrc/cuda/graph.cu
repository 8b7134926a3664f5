// The similarity graph: candidate pairs by tiles, their lists in order, the nearest centroids of rows.
#include "cuda/graph_kernels.h"
#include "cuda/launch.h"
#include "cuda/product.cuh"
#include "cuda/sums.cuh"

namespace qdit::cuda {
namespace {

__device__ __forceinline__ Operand side_of(const CandidateArguments& arguments, std::int64_t numbers,
                                           std::int32_t place, std::int32_t count) {
  Operand side = arguments.pool;
  side.count = count;
  if (!arguments.gathered) {
    side.ids = arguments.numbers + numbers;
    return side;
  }
  const std::int64_t items = static_cast<std::int64_t>(place) * side.stride;
  side.high += items;
  if (side.low != nullptr) side.low += items;
  side.factors += place;
  return side;
}

// Numbers and floors of the tile's rows and columns; they take the places of maxima and thresholds.
template <class Shape>
__device__ __forceinline__ void load_sides(const CandidateArguments& arguments, const Comparison& comparison,
                                           const ComparedTile& tile, TileSides<Shape>& sides) {
  const int thread = static_cast<int>(threadIdx.x);
  const bool is_row = thread < Shape::kTile;
  const int i = is_row ? thread : thread - Shape::kTile;
  const std::int32_t at = (is_row ? tile.first_row : tile.first_column) + i;
  const bool there = at < (is_row ? comparison.row_count : comparison.column_count);
  const std::int64_t numbers = is_row ? comparison.rows : comparison.columns;
  const std::int32_t number = there ? arguments.numbers[numbers + at] : 0;
  (is_row ? sides.row_max : sides.column_max)[i] = number;
  (is_row ? sides.row_threshold : sides.column_threshold)[i] = there ? arguments.floors[number] : kNoList;
}

template <class Shape, bool kFill>
__global__ void __launch_bounds__(Tile<Shape>::kThreads, 2)
    candidates_kernel(const CandidateArguments arguments, std::int64_t first) {
  using T = Tile<Shape>;
  const std::int64_t index = first + blockIdx.x;
  const Comparison comparison =
      arguments.comparisons[comparison_of(arguments.comparisons, arguments.count, index)];
  const ComparedTile place = tile_of(comparison, index, Shape::kTile);
  TileSides<Shape>& sides = tile_sides<Shape>();
  load_sides<Shape>(arguments, comparison, place, sides);
  {
    TileSims<Shape> sims;
    compute_similarities<Shape>(
        shared_memory(), sides,
        side_of(arguments, comparison.rows, comparison.row_place, comparison.row_count), place.first_row,
        side_of(arguments, comparison.columns, comparison.column_place, comparison.column_count),
        place.first_column, sims);
    auto* tile = reinterpret_cast<std::int32_t*>(shared_memory());
#pragma unroll
    for (int i = 0; i < T::kDown; ++i) {
#pragma unroll
      for (int j = 0; j < T::kAcross; ++j) {
#pragma unroll
        for (int e = 0; e < 4; ++e) {
          tile[sims.row(i, e) * (T::kRows + 8) + sims.column(j, e)] = sims.at[i][j][e];
        }
      }
    }
  }
  static_assert(T::kRows * (T::kRows + 8) * sizeof(std::int32_t) <= T::kPipelineBytes);
  sync_block();
  const auto* tile = reinterpret_cast<const std::int32_t*>(shared_memory());
  const int lane = lane_of();
  // A warp takes a row, its lanes the columns: few atomic operations, and places next to each other.
  for (int row = static_cast<int>(threadIdx.x) / kWarp; row < T::kRows; row += T::kThreads / kWarp) {
    const std::int32_t number = sides.row_max[row];
    const std::int32_t floor = sides.row_threshold[row];
    const std::int32_t* seen = arguments.seen + static_cast<std::int64_t>(number) * arguments.probes;
    std::uint32_t found = 0;
    for (int column = lane; column < T::kRows; column += kWarp) {
      const std::int32_t sim = tile[row * (T::kRows + 8) + column];
      const std::int32_t other = sides.column_max[column];
      const std::int32_t other_floor = sides.column_threshold[column];
      bool take = sim > (floor < other_floor ? floor : other_floor);  // kNoPair never is
      if (take && comparison.unseen) {
        const std::int32_t own = arguments.seen[static_cast<std::int64_t>(other) * arguments.probes];
        take = !sees(seen, arguments.probes, own);
      }
      const unsigned all = ballot(take);
      if (kFill && all != 0) {
        std::uint32_t at = 0;
        if (lane == 0) {
          at = atomicAdd(arguments.counts + (number - arguments.first),
                         static_cast<std::uint32_t>(__popc(all)));
        }
        at = shuffle(at, 0) + static_cast<std::uint32_t>(__popc(all & ((1u << lane) - 1u)));
        if (take) {
          arguments.keys[arguments.list_begin[number - arguments.first] + at] =
              nearest_key(sim, static_cast<std::uint32_t>(other));
        }
      }
      found += static_cast<std::uint32_t>(__popc(all));
    }
    if (!kFill && lane == 0 && found != 0) {
      atomicAdd(arguments.counts + (number - arguments.first), found);
    }
  }
}

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

template <class Shape>
void launch_candidates_of(const CandidateArguments& arguments, std::int64_t first, std::int64_t count,
                          cudaStream_t stream) {
  const LaunchShape shape{count, Tile<Shape>::kThreads,
                          Tile<Shape>::kPipelineBytes + sizeof(TileSides<Shape>)};
  if (arguments.keys == nullptr) {
    launch(candidates_kernel<Shape, false>, shape, stream, arguments, first);
  } else {
    launch(candidates_kernel<Shape, true>, shape, stream, arguments, first);
  }
}

}  // namespace

void launch_candidates(Precision precision, const CandidateArguments& arguments, std::int64_t first,
                       std::int64_t count, cudaStream_t stream) {
  if (precision == Precision::kHalf) {
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
