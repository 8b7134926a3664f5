#include "cuda/first_gains.h"

#include <algorithm>
#include <vector>

namespace qdit::cuda {

void add_row_sum(const Context& context, Index first, std::span<double> total, std::span<double> open) {
  Pool& pool = context.pool;
  const std::size_t d = total.size();
  for (Index chunk = 0; chunk < pool.chunks(); ++chunk) {
    context.interrupt.poll();
    const Operand rows = pool.chunk(chunk);
    const auto depth = static_cast<std::size_t>(rows.depth);
    const Index before = (first + pool.begin(chunk)) % kSumRows;
    const Index blocks = divide_up(before + rows.count, kSumRows);
    std::vector<double> partial(static_cast<std::size_t>(blocks) * depth, 0.0);
    std::copy(open.begin(), open.end(), partial.begin());
    const Buffer<double> sums(context.device, blocks * rows.depth);
    context.stream.upload(std::span<const double>(partial).first(depth), sums.data());
    launch_row_sums(rows, before, sums.data(), context.stream.get());
    pool.started();
    context.stream.download(sums.data(), std::span(partial));
    const Index whole = (before + rows.count) / kSumRows;
    for (Index block = 0; block < whole; ++block) {
      const double* sum = partial.data() + static_cast<std::size_t>(block) * depth;
      for (std::size_t k = 0; k < d; ++k) total[k] += sum[k];
    }
    if (whole == blocks) {
      std::fill(open.begin(), open.end(), 0.0);
    } else {
      std::copy_n(partial.end() - static_cast<std::ptrdiff_t>(depth), d, open.begin());
    }
  }
}

Buffer<double> row_sum_on_device(const Context& context, std::span<const double> sum) {
  std::vector<double> padded(static_cast<std::size_t>(divide_up(std::ssize(sum), kRowItems) * kRowItems));
  std::copy(sum.begin(), sum.end(), padded.begin());
  Buffer<double> there(context.device, std::ssize(padded));
  context.stream.upload(std::span<const double>(padded), there.data());
  return there;
}

}  // namespace qdit::cuda
