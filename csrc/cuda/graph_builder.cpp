#include "cuda/graph_builder.h"

#include <algorithm>
#include <new>
#include <utility>

#include "cuda/kernels/graph_kernels.h"
#include "cuda/lists_on_host.h"

namespace qdit::cuda {
namespace {

constexpr std::size_t kReserve = 256 << 20;  // left free beside the lists
constexpr std::int64_t kPacked = 4 << 20;    // pairs that come back at a time: 32 MB
constexpr double kCounting = 0.4;            // of the time, about; the rest is storing

std::size_t at(Index i) { return static_cast<std::size_t>(i); }

static_assert(sizeof(Pair) == sizeof(Neighbor) && offsetof(Pair, sim) == offsetof(Neighbor, sim));

// Offsets of lists of which `keep` pairs are kept, and room for them.
NeighborTable room_for(std::span<const std::uint32_t> counts, Index keep) {
  NeighborTable table;
  table.offsets.assign(counts.size() + 1, 0);
  for (std::size_t v = 0; v < counts.size(); ++v) {
    table.offsets[v + 1] = table.offsets[v] + std::min<Index>(counts[v], keep);
  }
  const std::size_t bytes = std::max<std::size_t>(1, at(table.offsets.back())) * sizeof(Neighbor);
  table.pairs.reset(static_cast<Neighbor*>(std::malloc(bytes)));
  if (!table.pairs) throw std::bad_alloc();
  return table;
}

}  // namespace

GraphBuilder::GraphBuilder(PoolOptions options)
    : options_(std::move(options)),
      device_(options_.device),
      stream_(device_),
      choice_(choose_arithmetic(device_, options_)),
      pool_(std::make_unique<Pool>(device_, stream_, options_, choice_.how, options_.interrupt)),
      context_{device_, stream_, *pool_, options_.interrupt, options_.rows.n},
      product_(context_) {}

GraphBuilder::~GraphBuilder() {
  if (!device_.in_own_process()) return;
  leaving_.emplace();
  (void)cudaSetDevice(device_.index());  // for what the members free
}

double GraphBuilder::nearest(const RowView& centroids, Index count, std::span<std::int32_t> ids,
                             const Tick& tick) {
  const KeepDevice before = device_.enter();
  const Index n = size();
  const auto width = static_cast<std::int32_t>(count);
  Batch batch;
  pool_->load_directions(centroids, 0, centroids.n, batch);
  const Buffer<float> factors(device_, n);
  stream_.upload(pool_->cosine_factors(), factors.data());
  Buffer<Sum> keys;
  Buffer<std::int32_t> found;
  const auto use = [&](Index begin, Index rows, const std::int32_t* sims, std::int64_t stride) {
    keys.grow(device_, rows * count);
    found.grow(device_, rows * count);
    launch_top(sims, stride, batch.operand.count, rows, width, keys.data(), found.data(), stream_.get());
    stream_.download(found.data(), ids.subspan(at(begin * count), at(rows * count)));
    tick(static_cast<double>(begin + rows) / static_cast<double>(n));
  };
  product_.strips(batch, use, factors.data());
  return static_cast<double>(n) * static_cast<double>(centroids.n);
}

// Pairs that lists may have at a time: no more than asked for, and than the device has beside the rest.
std::int64_t GraphBuilder::capacity(std::int64_t memory) const {
  const std::size_t free = device_.free_bytes();
  const std::size_t room = free - std::min(kReserve, free / 2);
  const auto bytes = std::min(static_cast<std::size_t>(std::max<std::int64_t>(memory, 0)), room);
  return static_cast<std::int64_t>(bytes / sizeof(Sum));
}

GraphBuilder::Result GraphBuilder::pairs(const Pairs& request, const Tick& tick) {
  const KeepDevice before = device_.enter();
  const Index n = size();
  const CellLayout layout =
      lay_out_cells(request.nearest, request.probes, request.cells, request.largest, request.seed);
  PairPass pass(context_, layout, request.floors);
  std::vector<std::uint32_t> counts(at(n));
  {
    const Buffer<std::uint32_t> found(device_, n);
    stream_.zero(found.data(), n);
    pass.run({0, n, found.data()}, [&](double share) { tick(kCounting * share); });
    stream_.download(found.data(), std::span(counts));
  }
  Result result;
  result.parts = layout.parts();
  result.cut_lists =
      std::count_if(counts.begin(), counts.end(), [&](std::uint32_t count) { return count > request.keep; });
  result.table = room_for(counts, request.keep);
  const std::vector<Index> rounds = rounds_that_fit(counts, capacity(request.memory));
  result.rounds = static_cast<Index>(rounds.size()) - 1;
  for (std::size_t i = 0; i + 1 < rounds.size(); ++i) {
    const auto of_round = std::span(counts).subspan(at(rounds[i]), at(rounds[i + 1] - rounds[i]));
    round(pass, rounds[i], rounds[i + 1], of_round, result.table, [&](double share) {
      const double done = (static_cast<double>(i) + share) / static_cast<double>(result.rounds);
      tick(kCounting + (1.0 - kCounting) * done);
    });
  }
  result.products = pass.products();
  return result;
}

// The lists of rows first .. end: stored, sorted, and their best pairs brought to the host.
void GraphBuilder::round(PairPass& pass, Index first, Index end, std::span<const std::uint32_t> counts,
                         NeighborTable& table, const Tick& tick) {
  const std::vector<std::int64_t> begin = running_sums(counts);
  const Index rows = end - first;
  const Buffer<std::int64_t> list_begin(device_, rows + 1);
  const Buffer<std::uint32_t> stored(device_, rows);
  const Buffer<Sum> keys(device_, begin.back());
  stream_.upload(std::span<const std::int64_t>(begin), list_begin.data());
  stream_.zero(stored.data(), rows);
  pass.run({first, end, stored.data(), list_begin.data(), keys.data()}, tick);
  launch_sort(list_begin.data(), stored.data(), rows, keys.data(), stream_.get());
  download(first, end, keys.data(), list_begin.data(), table);
}

void GraphBuilder::download(Index first, Index end, const Sum* keys, const std::int64_t* list_begin,
                            NeighborTable& table) {
  const std::span<const std::int64_t> offsets =
      std::span(table.offsets).subspan(at(first), at(end - first) + 1);
  const Buffer<std::int64_t> to(device_, static_cast<std::int64_t>(offsets.size()));
  stream_.upload(offsets, to.data());
  Buffer<Pair> packed;
  for (Index begin = 0; begin < end - first;) {
    options_.interrupt.poll();
    // As many whole lists as fit, at least one.
    const std::int64_t limit = offsets[at(begin)] + kPacked;
    const auto past = std::upper_bound(offsets.begin() + begin + 1, offsets.end(), limit) - offsets.begin();
    const Index stop = std::max<Index>(begin + 1, past - 1);
    const std::int64_t pairs = offsets[at(stop)] - offsets[at(begin)];
    packed.grow(device_, pairs);
    launch_pack(keys, list_begin + begin, to.data() + begin, stop - begin, packed.data(), stream_.get());
    stream_.download(packed.data(),
                     std::span(reinterpret_cast<Pair*>(table.pairs.get() + offsets[at(begin)]), at(pairs)));
    begin = stop;
  }
}

std::unique_ptr<GraphBackend> make_graph_builder(PoolOptions options) {
  const KeepDevice before;
  return std::make_unique<GraphBuilder>(std::move(options));
}

}  // namespace qdit::cuda
