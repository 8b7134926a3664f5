#include "cuda/product.h"

#include <algorithm>
#include <numeric>

namespace qdit::cuda {
namespace {

// Tiles of one launch: some ten milliseconds on a large card, so that Ctrl-C and progress stay prompt.
constexpr std::int64_t kTilesPerLaunch = std::int64_t{512} * kSquare * kSquare;
constexpr std::int64_t kStripItems = 32 << 20;  // similarities held at a time: 128 MB

// Rows `first` .. + count of an operand that has no ids.
Operand part_of(const Operand& rows, Index first, Index count) {
  Operand part = rows;
  part.high += first * rows.stride;
  if (rows.low != nullptr) part.low += first * rows.stride;
  part.factors += first;
  part.count = static_cast<std::int32_t>(count);
  return part;
}

}  // namespace

Index Subset::size() const { return std::accumulate(counts.begin(), counts.end(), Index{0}); }

void Product::gains(const Batch& batch, const std::int32_t* max, const Subset* subset, Sum* out) {
  const Stream& stream = context_.stream;
  Pool& pool = context_.pool;
  stream.zero(out, batch.operand.count);
  for (Index chunk = 0; chunk < pool.chunks(); ++chunk) {
    context_.interrupt.poll();
    if (subset != nullptr && subset->counts[static_cast<std::size_t>(chunk)] == 0) continue;
    Operand rows = pool.chunk(chunk);
    if (subset != nullptr) {
      rows.ids = subset->ids.data() + pool.begin(chunk);
      rows.count = subset->counts[static_cast<std::size_t>(chunk)];
    }
    launch_gains(pool.arithmetic(), batch.operand, rows, max + pool.begin(chunk), out, stream.get());
    pool.started();
    pool.prefetch(chunk + 1);
  }
}

void Product::similarities(const Batch& batch, std::int32_t* sims, std::int64_t stride) {
  Pool& pool = context_.pool;
  for (Index chunk = 0; chunk < pool.chunks(); ++chunk) {
    context_.interrupt.poll();
    launch_similarities(pool.arithmetic(), batch.operand, pool.chunk(chunk), sims + pool.begin(chunk), stride,
                        context_.stream.get());
    pool.started();
    pool.prefetch(chunk + 1);
  }
}

void Product::strips(const Batch& batch, const Strip& use, const float* factors) {
  Pool& pool = context_.pool;
  const std::int64_t count = std::max<std::int64_t>(batch.operand.count, 1);
  const Index most = std::clamp<Index>(kStripItems / count, 1, context_.n);
  strip_.grow(context_.device, most * count);
  for (Index chunk = 0; chunk < pool.chunks(); ++chunk) {
    Operand rows = pool.chunk(chunk);
    if (factors != nullptr) rows.factors = factors + pool.begin(chunk);
    for (Index first = 0; first < rows.count; first += most) {
      context_.interrupt.poll();
      const Index part = std::min<Index>(most, rows.count - first);
      launch_similarities(pool.arithmetic(), batch.operand, part_of(rows, first, part), strip_.data(), most,
                          context_.stream.get());
      use(pool.begin(chunk) + first, part, strip_.data(), most);
    }
    pool.started();
    pool.prefetch(chunk + 1);
  }
}

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
