#include "cuda/grouped_pairs.h"

#include <vector>

#include "cuda/lists_on_host.h"

namespace qdit::cuda {

void GroupedPairs::group(const Context& context, AliveLists& lists) {
  const Stream& stream = context.stream;
  const Index n = context.n;
  Pair* const pairs = lists.room(lists.listed());
  if (pairs == nullptr) return;
  const Buffer<std::uint32_t> counts(context.device, n);
  stream.zero(counts.data(), n);
  launch_group_counts(lists.view(), n, counts.data(), stream.get());
  std::vector<std::uint32_t> host(static_cast<std::size_t>(n));
  stream.download(counts.data(), std::span(host));
  const std::vector<std::int64_t> sums = running_sums(host);
  Buffer<std::int64_t> begin(context.device, n + 1);
  stream.upload(std::span<const std::int64_t>(sums), begin.data());
  stream.zero(counts.data(), n);
  launch_group_fill(lists.view(), n, begin.data(), counts.data(), pairs, stream.get());
  stream.wait();
  pairs_ = pairs;
  begin_ = std::move(begin);
}

}  // namespace qdit::cuda
