#include "cuda/covering.h"

#include <algorithm>

namespace qdit::cuda {
namespace {

constexpr Index kRows = 128;        // at a time, or fewer: ...
constexpr Index kItems = 16 << 20;  // ... 64 MB of similarities

}  // namespace

void Covering::add(const Load& load, bool empty, std::span<Fixed> increases) {
  const auto width = static_cast<std::size_t>(std::clamp<Index>(kItems / context_.n, 1, kRows));
  for (std::size_t begin = 0; begin < increases.size(); begin += width) {
    const auto count = std::min(width, increases.size() - begin);
    add_batch(load(static_cast<Index>(begin), static_cast<Index>(count)), empty && begin == 0,
              increases.subspan(begin, count));
  }
}

void Covering::add_batch(const Batch& batch, bool empty, std::span<Fixed> increases) {
  const std::int32_t count = batch.operand.count;
  const Stream& stream = context_.stream;
  sims_.grow(context_.device, context_.n * count);
  out_.grow(context_.device, count);
  stream.zero(out_.data(), count);
  product_.similarities(batch.operand, sims_.data(), context_.n);
  launch_cover(sims_.data(), context_.n, count, context_.n, max_.data(), empty, out_.data(), stream.get());
  stream.download(reinterpret_cast<const Fixed*>(out_.data()), increases);
  stats_.rows_read += context_.n;
  stats_.products += static_cast<double>(count) * static_cast<double>(context_.n);
}

}  // namespace qdit::cuda
