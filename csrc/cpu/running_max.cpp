#include "cpu/running_max.h"

#include <algorithm>
#include <vector>

#include "cpu/weighted_sums.h"

namespace qdit::cpu {

RunningMax::RunningMax(const Kernels& kernels, ThreadPool& pool, Product& product, const ScaledPool& scaled,
                       Bounds& bounds)
    : kernels_(kernels),
      pool_(pool),
      product_(product),
      scaled_(scaled),
      n_(scaled.represented().view.n),
      max_(static_cast<std::size_t>(n_ + kernels.tile_rows), kPaddingMax),
      pruned_(kernels, pool, scaled, bounds, max_) {}

void RunningMax::restart(bool empty) {
  empty_ = empty;
  whole_.end();
  pruned_.restart();
  std::fill_n(max_.begin(), n_, scaled_.floor());
}

Fixed RunningMax::coverage() const {
  check();
  Fixed sum = 0;
  for (std::size_t v = 0; v < static_cast<std::size_t>(n_); ++v) {
    sum += weighted(scaled_.weights(), v, max_[v]);
  }
  return sum;
}

void RunningMax::row_coverage(std::span<double> out) const {
  check();
  for (std::size_t v = 0; v < out.size(); ++v) out[v] = max_[v] / scaled_.scale();
}

void RunningMax::raise(const ScaledRows& source, std::span<const Index> ids, std::span<Fixed> increases) {
  const bool of_pool = source.view.data == scaled_.rows().view.data;
  for (std::size_t begin = 0; begin < ids.size();) {
    const auto some = [&](std::size_t width) {
      return ids.subspan(begin, std::min(width, ids.size() - begin));
    };
    auto part = some(static_cast<std::size_t>(pruned_.width()));
    if (const Index columns = of_pool && !empty_ ? pruned_.choose_for_raise(part) : 0; columns > 0) {
      whole_.begin();
      pruned_.raise(part, columns, increases.subspan(begin, part.size()));
      whole_.end();
    } else {
      part = some(kWidth);
      raise_block(source, part, increases.subspan(begin, part.size()));
      pruned_.raised(static_cast<Index>(part.size()));
    }
    begin += part.size();
  }
}

// One blocked product; then each thread raises the maxima of its own rows, candidate by candidate.
void RunningMax::raise_block(const ScaledRows& source, std::span<const Index> ids,
                             std::span<Fixed> increases) {
  panels_.pack(kernels_, source.view, source.factors, ids);
  BlockSims sims(ids.size(), product_.block_rows(), pool_.threads());
  std::vector<std::vector<Fixed>> sums(static_cast<std::size_t>(pool_.threads()),
                                       std::vector<Fixed>(ids.size(), 0));
  const auto done = [&](const Product::Block& block) {
    auto& sum = sums[static_cast<std::size_t>(block.thread)];
    for (std::size_t c = 0; c < ids.size(); ++c) {
      sum[c] += raise(sims.column(c, block), block, empty_ && c == 0);
    }
  };
  whole_.begin();
  std::vector<Fixed> unused(ids.size());
  product_.run({panels_, scaled_.represented().factors, max_.data(), unused, sims.target(), done});
  whole_.end();
  empty_ = false;
  products_ += static_cast<double>(ids.size()) * static_cast<double>(n_);
  for (std::size_t c = 0; c < ids.size(); ++c) {
    increases[c] = 0;
    for (const auto& sum : sums) increases[c] += sum[c];
  }
}

Fixed RunningMax::raise(const std::int32_t* sims, const Product::Block& block, bool first) {
  std::int32_t* max = max_.data() + block.begin;
  const auto count = static_cast<std::size_t>(block.count);
  const std::uint32_t* weights = scaled_.weights();
  if (weights != nullptr) weights += block.begin;
  if (!first && weights == nullptr) return kernels_.raise(sims, max, count);
  if (!first) return weighted_raise(sims, max, weights, count);
  Fixed sum = 0;
  for (std::size_t i = 0; i < count; ++i) {
    max[i] = sims[i];
    sum += weighted(weights, i, sims[i]);
  }
  return sum;
}

}  // namespace qdit::cpu
