#include "cuda/symmetric_pass.h"

#include <algorithm>

namespace qdit::cuda {
namespace {

// Tiles of one launch: some ten milliseconds on a large card, so that Ctrl-C and progress stay prompt.
constexpr std::int64_t kTilesPerLaunch = std::int64_t{512} * kSquare * kSquare;

}  // namespace

void for_all_pairs(const Context& context, const std::function<void(PassSide& side, Index begin)>& fill_in,
                   const LaunchTiles& launch, const std::function<void(double)>& tick) {
  Pool& pool = context.pool;
  Pace pace(context.device, context.interrupt);
  const auto side = [&](Index chunk) {
    PassSide out;
    out.rows = pool.chunk(chunk);
    out.begin = static_cast<std::int32_t>(pool.begin(chunk));
    fill_in(out, pool.begin(chunk));
    return out;
  };
  const auto tiles = [&](Index chunk) {
    const Index rows = pool.end(chunk) - pool.begin(chunk);
    return static_cast<std::int32_t>(divide_up(rows, tile_rows(pool.arithmetic())));
  };
  const auto n = static_cast<double>(context.n);
  double done = 0.0;
  for (Index down = 0; down < pool.chunks(); ++down) {
    for (Index across = down; across < pool.chunks(); ++across) {
      const TileMap map{tiles(down), tiles(across), down == across};
      const auto pairs = static_cast<double>(pool.end(down) - pool.begin(down)) *
                         static_cast<double>(pool.end(across) - pool.begin(across)) *
                         (down == across ? 0.5 : 1.0);
      const PassArguments arguments{side(down), side(across), map};
      const std::int64_t all = map.squares() * kSquare * kSquare;
      for (std::int64_t first = 0; first < all; first += kTilesPerLaunch) {
        const std::int64_t count = std::min(kTilesPerLaunch, all - first);
        launch(arguments, first, count);
        if (first + count == all) {
          pool.started();
          pool.prefetch(across + 1 < pool.chunks() ? across + 1 : down + 1);
        }
        pace.launched(context.stream.get());
        tick((done + pairs * static_cast<double>(first + count) / static_cast<double>(all)) / (0.5 * n * n));
      }
      done += pairs;
    }
  }
  context.stream.wait();
}

}  // namespace qdit::cuda
