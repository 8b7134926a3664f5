#include "cuda/past_maxima.h"

namespace qdit::cuda {
namespace {

constexpr std::int64_t kKept = 32;

}  // namespace

PastMaxima::PastMaxima(const Context& context)
    : context_(context),
      kept_(context.device, kKept * context.n),
      found_(context.device, context.pool.chunks()),
      host_found_(static_cast<std::size_t>(context.pool.chunks())) {
  rows_.ids = Buffer<std::int32_t>(context.device, context.n);
  rows_.counts.resize(host_found_.size());
}

void PastMaxima::restart(const std::int32_t* max, std::int64_t commits) {
  first_ = commits;
  keep(max, commits);
}

void PastMaxima::keep(const std::int32_t* max, std::int64_t commits) {
  last_ = commits;
  context_.stream.copy(max, kept_.data() + commits % kKept * context_.n, context_.n);
}

bool PastMaxima::knows(std::int64_t commits) const {
  return commits >= first_ && commits <= last_ && commits > last_ - kKept;
}

const std::int32_t* PastMaxima::after(std::int64_t commits) const {
  return kept_.data() + commits % kKept * context_.n;
}

PastMaxima::Raised PastMaxima::raised(std::int64_t commits, const std::int32_t* max,
                                      const std::int32_t* threshold, std::int32_t above, std::int32_t most) {
  const Stream& stream = context_.stream;
  const Pool& pool = context_.pool;
  const PastRises rises{after(commits), max, threshold};
  stream.zero(found_.data(), pool.chunks());
  for (Index chunk = 0; chunk < pool.chunks(); ++chunk) {
    launch_raised({rises.from, max, threshold, above, most}, pool.begin(chunk), pool.end(chunk),
                  rows_.ids.data() + pool.begin(chunk), found_.data() + chunk, stream.get());
  }
  stream.download(found_.data(), std::span(host_found_));
  double sum = 0.0;
  for (std::size_t chunk = 0; chunk < host_found_.size(); ++chunk) {
    rows_.counts[chunk] = static_cast<std::int32_t>(host_found_[chunk].rows);
    sum += static_cast<double>(host_found_[chunk].rises);
  }
  const auto count = static_cast<double>(rows_.size());
  return {rises, rows_, count > 0.0 ? sum / count : 0.0};
}

}  // namespace qdit::cuda
