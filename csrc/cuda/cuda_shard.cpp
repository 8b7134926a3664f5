#include "cuda/cuda_shard.h"

#include <algorithm>
#include <stdexcept>

#include "cuda/first_gains.h"

namespace qdit::cuda {
namespace {

constexpr Index kGains = 8192;  // candidates of a batch

}  // namespace

void CudaShard::gains(const RowView& candidates, std::span<Fixed> out) {
  if (calls_.empty()) {
    throw std::logic_error("gains: nothing is chosen yet; use sum_rows() and first_gains().");
  }
  calls_.check();
  const KeepDevice before = parts_.context.device.enter();
  const Stopwatch watch(parts_.stats.seconds_gains);
  for (Index first = 0; first < candidates.n; first += kGains) {
    const Index count = std::min(kGains, candidates.n - first);
    parts_.context.pool.load_candidates(candidates, first, count, batch_);
    out_.grow(parts_.context.device, count);
    parts_.product.gains(batch_.operand, parts_.max.data(), nullptr, out_.data());
    parts_.context.stream.download(
        reinterpret_cast<const Fixed*>(out_.data()),
        out.subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(count)));
    parts_.stats.rows_read += parts_.context.n;
  }
  parts_.stats.evaluations += candidates.n;
  parts_.stats.products += static_cast<double>(candidates.n) * static_cast<double>(parts_.context.n);
}

void CudaShard::commit(const RowView& candidates, std::span<Fixed> increases) {
  calls_.check();
  const KeepDevice before = parts_.context.device.enter();
  const Stopwatch watch(parts_.stats.seconds_commit);
  calls_.commit(
      [&](Index first, Index count) -> const Batch& {
        parts_.context.pool.load_candidates(candidates, first, count, batch_);
        return batch_;
      },
      increases);
  parts_.stats.commits += candidates.n;
}

void CudaShard::sum_rows(Index first, std::span<double> total, std::span<double> open) {
  const KeepDevice before = parts_.context.device.enter();
  add_row_sum(parts_.context, first, total, open);
  parts_.stats.rows_read += parts_.context.n;
}

void CudaShard::first_gains(std::span<const double> total, std::span<Fixed> out) {
  const KeepDevice before = parts_.context.device.enter();
  Pool& pool = parts_.context.pool;
  const Buffer<double> sum = row_sum_on_device(parts_.context, total);
  out_.grow(parts_.context.device, parts_.context.n);
  for (Index chunk = 0; chunk < pool.chunks(); ++chunk) {
    parts_.context.interrupt.poll();
    launch_first_gains(pool.chunk(chunk), sum.data(), out_.data() + pool.begin(chunk),
                       parts_.context.stream.get());
    pool.started();
    pool.prefetch(chunk + 1);
  }
  parts_.context.stream.download(reinterpret_cast<const Fixed*>(out_.data()), out);
}

}  // namespace qdit::cuda
