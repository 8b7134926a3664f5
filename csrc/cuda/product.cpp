#include "cuda/product.h"

#include <algorithm>
#include <numeric>

namespace qdit::cuda {
namespace {

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

void Product::for_chunks(const Subset* subset, const Launch& launch) {
  Pool& pool = context_.pool;
  for (Index chunk = 0; chunk < pool.chunks(); ++chunk) {
    context_.interrupt.poll();
    if (subset != nullptr && subset->counts[static_cast<std::size_t>(chunk)] == 0) continue;
    Operand rows = pool.chunk(chunk);
    if (subset != nullptr) {
      rows.ids = subset->ids.data() + pool.begin(chunk);
      rows.count = subset->counts[static_cast<std::size_t>(chunk)];
    }
    launch(rows, pool.begin(chunk));
    pool.started();
    pool.prefetch(chunk + 1);
  }
}

void Product::gains(const Operand& candidates, const std::int32_t* max, const Subset* subset, Sum* out) {
  context_.stream.zero(out, candidates.count);
  for_chunks(subset, [&](const Operand& rows, Index begin) {
    launch_gains(context_.pool.arithmetic(), candidates, rows, max + begin, out, context_.stream.get());
  });
}

void Product::losses(const Operand& candidates, const PastRises& rises, const Subset& rows, Sum* out) {
  context_.stream.zero(out, candidates.count);
  for_chunks(&rows, [&](const Operand& part, Index begin) {
    launch_losses(context_.pool.arithmetic(), candidates, part,
                  {rises.from + begin, rises.to + begin, rises.threshold + begin}, out,
                  context_.stream.get());
  });
}

void Product::similarities(const Operand& candidates, std::int32_t* sims, std::int64_t stride) {
  for_chunks(nullptr, [&](const Operand& rows, Index begin) {
    launch_similarities(context_.pool.arithmetic(), candidates, rows, sims + begin, stride,
                        context_.stream.get());
  });
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

}  // namespace qdit::cuda
