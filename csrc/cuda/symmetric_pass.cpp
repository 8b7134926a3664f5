#include "cuda/symmetric_pass.h"

#include <algorithm>

namespace qdit::cuda {
namespace {

// Tiles of one launch: some ten milliseconds on a large card, so that Ctrl-C and progress stay prompt.
constexpr std::int64_t kTilesPerLaunch = std::int64_t{512} * kSquare * kSquare;

std::int32_t tiles_of(const Context& context, Index rows) {
  return static_cast<std::int32_t>(divide_up(rows, tile_rows(context.pool.arithmetic())));
}

using FillIn = std::function<void(PassSide& side, Index begin)>;

PassSide side_of(const Context& context, Index chunk, const FillIn& fill_in) {
  PassSide side;
  side.rows = context.pool.chunk(chunk);
  side.begin = static_cast<std::int32_t>(context.pool.begin(chunk));
  fill_in(side, context.pool.begin(chunk));
  return side;
}

// All tiles of a pair of chunks, some at a time. tick: called with the share of them.
void launch_all(const Context& context, const PassArguments& arguments, const LaunchTiles& launch, Pace& pace,
                Index next, const std::function<void(double)>& tick) {
  Pool& pool = context.pool;
  const std::int64_t all = arguments.map.squares() * kSquare * kSquare;
  for (std::int64_t first = 0; first < all; first += kTilesPerLaunch) {
    const std::int64_t count = std::min(kTilesPerLaunch, all - first);
    launch(arguments, first, count);
    if (first + count == all) {
      pool.started();
      pool.prefetch(next);
    }
    pace.launched(context.stream.get());
    tick(static_cast<double>(first + count) / static_cast<double>(all));
  }
}

}  // namespace

void for_all_pairs(const Context& context, const FillIn& fill_in, const LaunchTiles& launch,
                   const std::function<void(double)>& tick) {
  Pool& pool = context.pool;
  Pace pace(context.device, context.interrupt);
  const auto rows = [&](Index chunk) { return pool.end(chunk) - pool.begin(chunk); };
  const auto n = static_cast<double>(context.n);
  double done = 0.0;
  for (Index down = 0; down < pool.chunks(); ++down) {
    for (Index across = down; across < pool.chunks(); ++across) {
      const TileMap map{tiles_of(context, rows(down)), tiles_of(context, rows(across)), down == across};
      const auto pairs =
          static_cast<double>(rows(down)) * static_cast<double>(rows(across)) * (down == across ? 0.5 : 1.0);
      const PassArguments arguments{side_of(context, down, fill_in), side_of(context, across, fill_in), map};
      launch_all(context, arguments, launch, pace, across + 1 < pool.chunks() ? across + 1 : down + 1,
                 [&](double share) { tick((done + pairs * share) / (0.5 * n * n)); });
      done += pairs;
    }
  }
  context.stream.wait();
}

void for_pairs_of(const Context& context, const Subset& rows, const FillIn& fill_in_rows,
                  const FillIn& fill_in_columns, const LaunchTiles& launch,
                  const std::function<void(double)>& tick) {
  const Pool& pool = context.pool;
  Pace pace(context.device, context.interrupt);
  const auto all = static_cast<double>(rows.size()) * static_cast<double>(context.n);
  double done = 0.0;
  for (Index down = 0; down < pool.chunks(); ++down) {
    const std::int32_t count = rows.counts[static_cast<std::size_t>(down)];
    if (count == 0) continue;
    for (Index across = 0; across < pool.chunks(); ++across) {
      const Index columns = pool.end(across) - pool.begin(across);
      PassArguments arguments{side_of(context, down, fill_in_rows),
                              side_of(context, across, fill_in_columns),
                              {tiles_of(context, count), tiles_of(context, columns), false}};
      arguments.rows.rows.ids = rows.ids.data() + pool.begin(down);
      arguments.rows.rows.count = count;
      const double pairs = static_cast<double>(count) * static_cast<double>(columns);
      launch_all(context, arguments, launch, pace, across + 1 < pool.chunks() ? across + 1 : 0,
                 [&](double share) { tick((done + pairs * share) / all); });
      done += pairs;
    }
  }
  context.stream.wait();
}

}  // namespace qdit::cuda
