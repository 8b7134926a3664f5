// The candidate pairs of the similarity graph, by tiles of any shape.
//
// A block computes one tile, as in pass.cuh, and stores it in shared memory; a warp then takes a row at a
// time, its lanes the columns, each with the column's floor. Expected for 192 x 192 by wgmma, not measured:
// 13,824 clocks of products of 768 items, 2,300 to store the tile, and 36,864 pairs of some eight
// instructions, 64 lanes a clock: 4,600. Tiles are ragged here (a cell's rows), so that far less of them
// counts.
#pragma once

#include "cuda/kernels/graph_kernels.h"
#include "cuda/kernels/launch.h"
#include "cuda/kernels/sums.cuh"
#include "cuda/kernels/tile.cuh"

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
__global__ void __launch_bounds__(Tile<Shape>::kThreads, Shape::kBlocks)
    candidates_kernel(const CandidateArguments arguments, std::int64_t first) {
  using T = Tile<Shape>;
  const std::int64_t index = first + blockIdx.x;
  const Comparison comparison =
      arguments.comparisons[comparison_of(arguments.comparisons, arguments.count, index)];
  const ComparedTile place = tile_of(comparison, index, Shape::kTile);
  TileSides<Shape>& sides = sides_of_stored_tile<Shape>();
  load_sides<Shape>(arguments, comparison, place, sides);
  TileSims<Shape> sims;
  compute_similarities<Shape>(
      shared_memory(), sides, side_of(arguments, comparison.rows, comparison.row_place, comparison.row_count),
      place.first_row,
      side_of(arguments, comparison.columns, comparison.column_place, comparison.column_count),
      place.first_column, sims);
  const std::int32_t* tile = stored_similarities<Shape>(sims);
  const int lane = lane_of();
  // A warp takes a row, its lanes the columns: few atomic operations, and places next to each other.
  for (int row = static_cast<int>(threadIdx.x) / kWarp; row < T::kRows; row += T::kThreads / kWarp) {
    const std::int32_t number = sides.row_max[row];
    const std::int32_t floor = sides.row_threshold[row];
    const std::int32_t* seen = arguments.seen + static_cast<std::int64_t>(number) * arguments.probes;
    std::uint32_t found = 0;
    for (int column = lane; column < T::kRows; column += kWarp) {
      const std::int32_t sim = tile[row * kSimStride<Shape> + column];
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

template <class Shape>
void launch_candidates_of(const CandidateArguments& arguments, std::int64_t first, std::int64_t count,
                          cudaStream_t stream) {
  const LaunchShape shape{count, Tile<Shape>::kThreads, kStoredTileBytes<Shape>};
  if (arguments.keys == nullptr) {
    launch(candidates_kernel<Shape, false>, shape, stream, arguments, first);
  } else {
    launch(candidates_kernel<Shape, true>, shape, stream, arguments, first);
  }
}

}  // namespace
}  // namespace qdit::cuda
