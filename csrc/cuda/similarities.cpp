#include "cuda/similarities.h"

#include <algorithm>
#include <vector>

namespace qdit::cuda {
namespace {

constexpr std::size_t kItems = 16 << 20;  // similarities at a time: 64 MB
constexpr std::size_t kRows = 8192;       // rows at a time
constexpr Index kCentroids = 4096;        // loaded at a time

}  // namespace

void Similarities::of(std::span<const Index> candidates, std::span<const Index> rows, std::span<Fixed> out) {
  if (candidates.empty() || rows.empty()) return;
  Batch others;
  for (std::size_t left = 0; left < rows.size(); left += kRows) {
    const auto part = rows.subspan(left, std::min(kRows, rows.size() - left));
    context_.pool.gather(part, others);
    const std::size_t most = std::min(candidates.size(), std::max<std::size_t>(1, kItems / part.size()));
    for (std::size_t begin = 0; begin < candidates.size(); begin += most) {
      const auto batch = candidates.subspan(begin, std::min(most, candidates.size() - begin));
      of_part(batch, part, others, out.subspan(begin * rows.size() + left), rows.size());
    }
  }
}

void Similarities::of_part(std::span<const Index> candidates, std::span<const Index> rows,
                           const Batch& others, std::span<Fixed> out, std::size_t stride) {
  context_.interrupt.poll();
  context_.pool.gather(candidates, batch_);
  const std::size_t items = candidates.size() * rows.size();
  sims_.grow(context_.device, static_cast<Index>(items));
  launch_similarities(context_.pool.arithmetic(), batch_.operand, others.operand, sims_.data(),
                      static_cast<Index>(rows.size()), context_.stream.get());
  std::vector<std::int32_t> sims(items);
  context_.stream.download(sims_.data(), std::span(sims));
  for (std::size_t c = 0; c < candidates.size(); ++c) {
    const auto from = sims.begin() + static_cast<std::ptrdiff_t>(c * rows.size());
    std::copy_n(from, rows.size(), out.begin() + static_cast<std::ptrdiff_t>(c * stride));
  }
}

void Similarities::nearest(const RowView& centroids, std::span<Index> ids, std::span<double> sims) {
  const Stream& stream = context_.stream;
  Pool& pool = context_.pool;
  const Buffer<Sum> best(context_.device, context_.n);
  stream.zero(best.data(), context_.n);
  for (Index first = 0; first < centroids.n; first += kCentroids) {
    pool.load(centroids, first, std::min(kCentroids, centroids.n - first), batch_);
    for (Index chunk = 0; chunk < pool.chunks(); ++chunk) {
      context_.interrupt.poll();
      launch_nearest(pool.arithmetic(), pool.chunk(chunk), batch_.operand, static_cast<std::uint32_t>(first),
                     best.data() + pool.begin(chunk), stream.get());
      pool.started();
      pool.prefetch(chunk + 1);
    }
  }
  std::vector<Sum> keys(static_cast<std::size_t>(context_.n));
  stream.download(best.data(), std::span(keys));
  for (std::size_t i = 0; i < keys.size(); ++i) {
    ids[i] = key_id(keys[i]);
    sims[i] = key_sim(keys[i]) / pool.scale();
  }
}

}  // namespace qdit::cuda
