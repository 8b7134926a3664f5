#include "cpu/cpu_shard.h"

#include <algorithm>
#include <numeric>
#include <stdexcept>
#include <string>
#include <utility>

#include "cpu/first_gains.h"
#include "engine/indices.h"

namespace qdit::cpu {
namespace {

constexpr std::size_t kBatch = 512;  // candidates of one product

std::vector<Index> count_to(Index n) {
  std::vector<Index> numbers(static_cast<std::size_t>(n));
  std::iota(numbers.begin(), numbers.end(), 0);
  return numbers;
}

}  // namespace

void CpuShard::gains(const RowView& candidates, std::span<Fixed> out) {
  if (empty_()) throw std::logic_error("gains: nothing is chosen yet; use sum_rows() and first_gains().");
  const Stopwatch watch(parts_.stats.seconds_gains);
  const ScaledRows rows = scaled(candidates);
  const auto ids = count_to(candidates.n);
  for (std::size_t begin = 0; begin < ids.size(); begin += kBatch) {
    const auto count = std::min(kBatch, ids.size() - begin);
    panels_.pack(parts_.kernels, rows.view, rows.factors, std::span(ids).subspan(begin, count));
    parts_.product.run(
        {panels_, parts_.scaled.rows().factors, parts_.max.data(), out.subspan(begin, count), {}, {}});
  }
  parts_.stats.evaluations += candidates.n;
  parts_.stats.rows_read += parts_.rows.n;
  parts_.stats.products += static_cast<double>(candidates.n) * static_cast<double>(parts_.rows.n);
}

void CpuShard::commit(const RowView& candidates, std::span<Fixed> increases) {
  if (exact_) throw std::logic_error("commit: pairs are listed; candidates need numbers.");
  commit_(scaled(candidates), increases);
}

void CpuShard::sum_rows(Index first, std::span<double> total, std::span<double> open) {
  add_row_sum(parts_.rows, parts_.scaled.rows().factors, nullptr, parts_.kernels, parts_.pool, first, total,
              open);
  parts_.stats.rows_read += parts_.rows.n;
}

void CpuShard::first_gains(std::span<const double> total, std::span<Fixed> out) {
  const auto ids = count_to(parts_.rows.n);
  cpu::first_gains(parts_.rows, parts_.scaled.rows().factors, total, ids, parts_.kernels, parts_.pool, out);
}

void CpuShard::open(std::span<Fixed> gains, Index first, std::size_t memory, const Tick& tick) {
  const Stopwatch watch(parts_.stats.seconds_gains);
  if (empty_()) throw std::logic_error("open: nothing is chosen yet.");
  started_ = false;
  exact_.reset();
  exact_ = std::make_unique<ExactGains>(
      ExactGains::Input{parts_.kernels, parts_.pool, parts_.product, parts_.rows,
                        parts_.scaled.rows().factors, parts_.max, first < 0 ? ExactGains::kNone : first},
      gains, memory, tick);
  started_ = first == 0 && static_cast<Index>(gains.size()) == parts_.rows.n;
  if (first >= 0) parts_.stats.evaluations += parts_.rows.n;
}

ExactGains& CpuShard::lists(bool ready) const {
  if (!exact_) throw std::logic_error("no pairs are listed; open() first.");
  if (ready != started_) throw std::logic_error("list() comes before start(), all else after it.");
  return *exact_;
}

void CpuShard::list(const RowView& candidates, Index first, const Tick& tick) {
  const Stopwatch watch(parts_.stats.seconds_gains);
  const ScaledRows rows = scaled(candidates);
  lists(false).add(candidates, rows.factors, first, tick);
  parts_.stats.evaluations += candidates.n;
  parts_.stats.rows_read += parts_.rows.n;
}

void CpuShard::start() {
  if (started_) return;
  lists(false).start();
  started_ = true;
}

template <class Use>
void CpuShard::with_rows(const Numbered& candidates, const Use& use) {
  const ExactGains& exact = lists(true);
  check_indices(candidates.numbers, exact.candidates(), "candidates");
  if (candidates.rows == nullptr) {
    if (exact.dense() > 0)
      throw std::invalid_argument("candidates: wanted their rows, not all pairs are listed.");
    use(ExactGains::Candidates{candidates.numbers, parts_.rows, {}, {}}, std::vector<Index>());
    return;
  }
  const ScaledRows rows = scaled(*candidates.rows);
  const auto which = count_to(candidates.rows->n);
  use(ExactGains::Candidates{candidates.numbers, *candidates.rows, rows.factors, which}, which);
}

PairTable CpuShard::pairs(const Numbered& candidates) {
  const Stopwatch watch(parts_.stats.seconds_gains);
  PairTable table;
  with_rows(candidates, [&](const ExactGains::Candidates& all, const std::vector<Index>& /*which*/) {
    table = lists(true).pairs(all);
  });
  return table;
}

void CpuShard::commit(const Numbered& candidates, std::span<Fixed> increases) {
  const Stopwatch watch(parts_.stats.seconds_commit);
  with_rows(candidates, [&](const ExactGains::Candidates& all, const std::vector<Index>& which) {
    for (std::size_t i = 0; i < increases.size(); ++i) {
      ExactGains::Candidates one = all;
      one.numbers = all.numbers.subspan(i, 1);
      one.which = which.empty() ? std::span<const Index>() : std::span(which).subspan(i, 1);
      increases[i] = lists(true).commit(one);
    }
  });
  parts_.stats.commits += static_cast<std::int64_t>(increases.size());
}

}  // namespace qdit::cpu
