#include "cpu/marginal_gains.h"

#include <algorithm>
#include <optional>
#include <vector>

namespace qdit::cpu {

MarginalGains::MarginalGains(const Kernels& kernels, ThreadPool& pool, Product& product,
                             const ScaledPool& scaled, RunningMax& max, std::size_t cache_bytes,
                             BackendStats& stats)
    : kernels_(kernels),
      pool_(pool),
      product_(product),
      scaled_(scaled),
      max_(max),
      stats_(stats),
      cache_(scaled.rows().view.n, cache_bytes, scaled.weights()) {}

void MarginalGains::evaluate(std::span<const Index> candidates, std::size_t width, std::span<Fixed> out) {
  std::vector<Index> fresh;
  std::vector<std::size_t> where;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    if (cache_.contains(candidates[i])) {
      out[i] = cache_.gain(candidates[i], max_.data());
      continue;
    }
    fresh.push_back(candidates[i]);
    where.push_back(i);
  }
  stats_.cached_evaluations += static_cast<std::int64_t>(candidates.size() - fresh.size());
  std::vector<Fixed> gains(fresh.size());
  for (std::size_t begin = 0; begin < fresh.size(); begin += width) {
    const auto batch = std::span(fresh).subspan(begin, std::min(width, fresh.size() - begin));
    std::optional<FoundPairs> found;
    if (const std::size_t room = cache_.room(max_.data(), stats_.commits); room > 0) {
      found.emplace(pool_.threads(), batch.size(), room);
    }
    multiply(batch, std::span(gains).subspan(begin, batch.size()), found ? &*found : nullptr);
    if (!found) continue;
    peak_ = std::max(peak_, cache_.bytes() + found->bytes());
    cache_.store(batch, *found);
    peak_ = std::max(peak_, cache_.bytes());
  }
  for (std::size_t i = 0; i < where.size(); ++i) out[where[i]] = gains[i];
}

void MarginalGains::multiply(std::span<const Index> candidates, std::span<Fixed> out, FoundPairs* found) {
  const Index n = scaled_.represented().view.n;
  stats_.rows_read += n;
  PrunedProducts& pruned = max_.pruned();
  if (const Index columns = pruned.choose_for_gains(candidates); columns > 0) {
    pruned.gains(candidates, columns, out, found);
    return;
  }
  panels_.pack(kernels_, scaled_.rows().view, scaled_.rows().factors, candidates);
  const auto block_rows = static_cast<std::size_t>(product_.block_rows());
  std::optional<BlockSims> sims;
  if (found != nullptr) sims.emplace(candidates.size(), product_.block_rows(), pool_.threads());
  std::vector<std::vector<std::uint32_t>> ids(static_cast<std::size_t>(pool_.threads()));
  std::vector<std::vector<std::int32_t>> above(ids.size());
  const auto keep = [&](const Product::Block& block) {
    const auto thread = static_cast<std::size_t>(block.thread);
    ids[thread].resize(block_rows + static_cast<std::size_t>(kernels_.lanes));
    above[thread].resize(ids[thread].size());
    for (std::size_t c = 0; c < candidates.size(); ++c) {
      const std::size_t count =
          kernels_.above(sims->column(c, block), max_.data() + block.begin,
                         static_cast<std::size_t>(block.count), {ids[thread].data(), above[thread].data()});
      for (std::size_t i = 0; i < count; ++i) {
        const auto row = ids[thread][i] + static_cast<std::uint32_t>(block.begin);
        found->add(block.thread, c, {row, above[thread][i]});
      }
    }
  };
  product_.run({panels_,
                scaled_.represented().factors,
                max_.data(),
                out,
                sims ? sims->target() : Product::Target(),
                sims ? Product::Done(keep) : Product::Done(),
                {},
                scaled_.weights()});
  pruned.evaluated(static_cast<Index>(candidates.size()));
  stats_.products += static_cast<double>(candidates.size()) * static_cast<double>(n);
}

Fixed MarginalGains::commit(Index candidate) {
  max_.whole().begin();
  const Fixed increase = cache_.raise(candidate, max_.values().data());
  max_.whole().end();
  max_.pruned().raised(1);
  cache_.erase(candidate);  // a chosen row is not evaluated again
  return increase;
}

}  // namespace qdit::cpu
