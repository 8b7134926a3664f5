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
  RowStore& store = context_.rows;
  stream.zero(out, batch.operand.count);
  for (Index chunk = 0; chunk < store.chunks(); ++chunk) {
    context_.interrupt.poll();
    if (subset != nullptr && subset->counts[static_cast<std::size_t>(chunk)] == 0) continue;
    Operand rows = store.chunk(chunk);
    if (subset != nullptr) {
      rows.ids = subset->ids.data() + store.begin(chunk);
      rows.count = subset->counts[static_cast<std::size_t>(chunk)];
    }
    launch_gains(store.arithmetic(), batch.operand, rows, max + store.begin(chunk), out, stream.get());
    store.started();
    store.prefetch(chunk + 1);
  }
}

void Product::similarities(const Batch& batch, std::int32_t* sims, std::int64_t stride) {
  RowStore& store = context_.rows;
  for (Index chunk = 0; chunk < store.chunks(); ++chunk) {
    context_.interrupt.poll();
    launch_similarities(store.arithmetic(), batch.operand, store.chunk(chunk), sims + store.begin(chunk),
                        stride, context_.stream.get());
    store.started();
    store.prefetch(chunk + 1);
  }
}

void Product::strips(const Batch& batch, const Strip& use, const float* factors) {
  RowStore& store = context_.rows;
  const std::int64_t count = std::max<std::int64_t>(batch.operand.count, 1);
  const Index most = std::clamp<Index>(kStripItems / count, 1, context_.n);
  strip_.grow(context_.device, most * count);
  for (Index chunk = 0; chunk < store.chunks(); ++chunk) {
    Operand rows = store.chunk(chunk);
    if (factors != nullptr) rows.factors = factors + store.begin(chunk);
    for (Index first = 0; first < rows.count; first += most) {
      context_.interrupt.poll();
      const Index part = std::min<Index>(most, rows.count - first);
      launch_similarities(store.arithmetic(), batch.operand, part_of(rows, first, part), strip_.data(), most,
                          context_.stream.get());
      use(store.begin(chunk) + first, part, strip_.data(), most);
    }
    store.started();
    store.prefetch(chunk + 1);
  }
}

void for_all_pairs(const Context& context, const std::function<void(PassSide& side, Index begin)>& fill_in,
                   const LaunchTiles& launch, const std::function<void(double)>& tick) {
  RowStore& store = context.rows;
  Pace pace(context.device, context.interrupt);
  const auto side = [&](Index chunk) {
    PassSide out;
    out.rows = store.chunk(chunk);
    out.begin = static_cast<std::int32_t>(store.begin(chunk));
    fill_in(out, store.begin(chunk));
    return out;
  };
  const auto tiles = [&](Index chunk) {
    const Index rows = store.end(chunk) - store.begin(chunk);
    return static_cast<std::int32_t>(divide_up(rows, tile_rows(store.arithmetic())));
  };
  const auto n = static_cast<double>(context.n);
  double done = 0.0;
  for (Index down = 0; down < store.chunks(); ++down) {
    for (Index across = down; across < store.chunks(); ++across) {
      const TileMap map{tiles(down), tiles(across), down == across};
      const auto pairs = static_cast<double>(store.end(down) - store.begin(down)) *
                         static_cast<double>(store.end(across) - store.begin(across)) *
                         (down == across ? 0.5 : 1.0);
      const PassArguments arguments{side(down), side(across), map};
      const std::int64_t all = map.squares() * kSquare * kSquare;
      for (std::int64_t first = 0; first < all; first += kTilesPerLaunch) {
        const std::int64_t count = std::min(kTilesPerLaunch, all - first);
        launch(arguments, first, count);
        if (first + count == all) {
          store.started();
          store.prefetch(across + 1 < store.chunks() ? across + 1 : down + 1);
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
