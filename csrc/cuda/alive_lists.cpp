#include "cuda/alive_lists.h"

#include <algorithm>
#include <numeric>

#include "cuda/lists_on_host.h"
#include "cuda/symmetric_pass.h"

namespace qdit::cuda {
namespace {

constexpr Index kSamples = 2048;               // candidates that thresholds are estimated from
constexpr double kSlack = 0.9;                 // of the capacity: estimates err
constexpr std::int64_t kMovedPairs = 4 << 20;  // at a time

std::size_t at(Index i) { return static_cast<std::size_t>(i); }

}  // namespace

AliveLists::AliveLists(const Context& context, Product& product, BackendStats& stats)
    : context_(context),
      product_(product),
      stats_(stats),
      threshold_(context.device, context.n),
      count_(context.device, context.n),
      begin_(context.device, context.n),
      sum_(context.device, 1),
      found_(context.device, context.pool.chunks()) {
  incomplete_.ids = Buffer<std::int32_t>(context.device, context.n);
  incomplete_.counts.assign(at(context.pool.chunks()), 0);
  incomplete_counts_.resize(incomplete_.counts.size());
}

Lists AliveLists::view() const { return {pairs_.data(), begin_.data(), count_.data(), threshold_.data()}; }

void AliveLists::build(const std::int32_t* max, Sum* gains, std::size_t memory,
                       const std::function<void(double)>& tick) {
  const Stream& stream = context_.stream;
  const auto capacity = static_cast<std::int64_t>(memory / sizeof(Pair));
  pairs_.free();
  end_ = 0;
  in_order_ = true;
  choose_thresholds(max, capacity);
  stream.zero(gains, context_.n);
  stream.zero(count_.data(), context_.n);
  const auto timed = [&](double& seconds, bool fill, double from) {
    stream.wait();  // what is still under way is no part of the pass
    const Stopwatch watch(seconds);
    pass(max, gains, fill, [&](double share) { tick(from + 0.5 * share); });
    stream.wait();
  };
  timed(stats_.seconds_count, false, 0.0);
  std::vector<std::uint32_t> counts(at(context_.n));
  stream.download(count_.data(), std::span(counts));
  const std::int64_t total = place(counts, capacity);
  pairs_ = Buffer<Pair>(context_.device, std::min(capacity, 2 * total));  // grouped ones come behind them
  stream.zero(count_.data(), context_.n);
  if (total > 0) timed(stats_.seconds_fill, true, 0.5);
  find_incomplete(max);
  stream.wait();
  know_incomplete();
}

bool AliveLists::relist(const std::int32_t* max, Sum* complete) {
  const Stream& stream = context_.stream;
  const Index n = context_.n;
  const Stopwatch watch(stats_.seconds_pass);
  const Buffer<std::int32_t> old_threshold(context_.device, n);
  const Buffer<std::uint32_t> old_count(context_.device, n);
  stream.copy(threshold_.data(), old_threshold.data(), n);
  stream.copy(count_.data(), old_count.data(), n);
  launch_empty_incomplete(max, n, threshold_.data(), count_.data(), stream.get());
  std::vector<std::uint32_t> others(at(n));
  stream.download(count_.data(), std::span(others));
  pass_of_incomplete(false);
  std::vector<std::uint32_t> counts(at(n));
  stream.download(count_.data(), std::span(counts));
  if (std::accumulate(counts.begin(), counts.end(), std::int64_t{0}) > pairs_.size()) {
    stream.copy(old_threshold.data(), threshold_.data(), n);
    stream.copy(old_count.data(), count_.data(), n);
    stream.wait();
    return false;
  }
  stream.upload(std::span<const std::uint32_t>(others), count_.data());
  move_together();
  for (std::size_t v = 0; v < counts.size(); ++v) counts[v] -= others[v];
  if (place(counts, pairs_.size()) > 0) pass_of_incomplete(true);
  const Pool& pool = context_.pool;
  for (Index chunk = 0; chunk < pool.chunks(); ++chunk) {
    launch_complete_sums(view(), max, incomplete_.ids.data() + pool.begin(chunk), pool.begin(chunk),
                         incomplete_.counts[at(chunk)], complete, stream.get());
  }
  find_incomplete(max);
  stream.wait();
  know_incomplete();
  return true;
}

void AliveLists::launch(const PassArguments& arguments, bool fill, std::int64_t first, std::int64_t count) {
  const Arithmetic& how = context_.pool.arithmetic();
  if (fill) {
    launch_fill(how, arguments, pairs_.data(), first, count, context_.stream.get());
  } else {
    launch_pass(how, arguments, first, count, context_.stream.get());
  }
}

void AliveLists::pass(const std::int32_t* max, Sum* gains, bool fill,
                      const std::function<void(double)>& tick) {
  const auto fill_in = [&](PassSide& side, Index begin) {
    side.max = max + begin;
    side.threshold = threshold_.data() + begin;
    side.gains = gains + begin;
    side.counts = count_.data() + begin;
    side.list_begin = begin_.data() + begin;
  };
  for_all_pairs(
      context_, fill_in,
      [&](const PassArguments& arguments, std::int64_t first, std::int64_t count) {
        launch(arguments, fill, first, count);
      },
      tick);
  const auto n = static_cast<double>(context_.n);
  stats_.products += (0.5 * n * (n + 1.0));
}

// Columns have no lists here, and neither side gains anything.
void AliveLists::pass_of_incomplete(bool fill) {
  if (none_.size() == 0) {
    none_ = Buffer<std::int32_t>(context_.device, context_.n);
    launch_set(none_.data(), context_.n, kNoRowMax, context_.stream.get());
  }
  const auto rows = [&](PassSide& side, Index begin) {
    side.max = none_.data();
    side.threshold = threshold_.data() + begin;
    side.counts = count_.data() + begin;
    side.list_begin = begin_.data() + begin;
  };
  const auto columns = [&](PassSide& side, Index begin) {
    side.max = side.threshold = none_.data();
    side.counts = count_.data() + begin;
  };
  for_pairs_of(
      context_, incomplete_, rows, columns,
      [&](const PassArguments& arguments, std::int64_t first, std::int64_t count) {
        launch(arguments, fill, first, count);
      },
      [](double /*share*/) {});
  stats_.products += (static_cast<double>(incomplete_.size()) * static_cast<double>(context_.n));
}

// Where the list of each row starts: at its maximum, or higher where more pairs are alive than its share.
void AliveLists::choose_thresholds(const std::int32_t* max, std::int64_t capacity) {
  const Index n = context_.n;
  context_.stream.copy(max, threshold_.data(), n);
  if (n <= kSamples / 2 || capacity / n >= n) return;
  const Index samples = std::min(kSamples, n);
  std::vector<Index> sample(at(samples));
  for (Index i = 0; i < samples; ++i) sample[at(i)] = i * n / samples;
  Batch batch;
  context_.pool.gather(sample, batch);
  const cudaStream_t stream = context_.stream.get();
  const auto count = static_cast<std::int32_t>(samples);
  product_.strips(batch, [&](Index begin, Index rows, const std::int32_t* sims, std::int64_t stride) {
    launch_alive(sims, stride, count, rows, max + begin, count_.data() + begin, stream);
  });
  stats_.products += (static_cast<double>(n) * static_cast<double>(samples));
  std::vector<std::uint32_t> alive(at(n));
  context_.stream.download(count_.data(), std::span(alive));
  const std::uint32_t rank = rank_that_fits(alive, static_cast<double>(n) / static_cast<double>(samples),
                                            kSlack * static_cast<double>(capacity));
  if (rank >= *std::max_element(alive.begin(), alive.end())) return;  // all of them fit
  product_.strips(batch, [&](Index begin, Index rows, const std::int32_t* sims, std::int64_t stride) {
    launch_thresholds(sims, stride, count, rows, max + begin, rank, threshold_.data() + begin, stream);
  });
  stats_.products += (static_cast<double>(n) * static_cast<double>(samples));
  context_.stream.wait();
}

// Gives lists with pairs to come their places behind those there are; the longest are not kept where all do
// not fit the capacity. Returns how many pairs they have.
std::int64_t AliveLists::place(std::vector<std::uint32_t>& counts, std::int64_t capacity) {
  const Stream& stream = context_.stream;
  const std::vector<Index> dropped = drop_longest(counts, capacity - end_);
  if (!dropped.empty()) {
    std::vector<std::int32_t> thresholds(at(context_.n));
    stream.download(threshold_.data(), std::span(thresholds));
    for (const Index v : dropped) thresholds[at(v)] = kNoList;
    stream.upload(std::span<const std::int32_t>(thresholds), threshold_.data());
  }
  const std::vector<std::int64_t> begin = running_sums(counts);
  if (end_ == 0) {
    host_begin_.assign(begin.begin(), begin.end() - 1);
  } else {
    in_order_ = false;
    for (std::size_t v = 0; v < counts.size(); ++v) {
      if (counts[v] > 0) host_begin_[v] = end_ + begin[v];
    }
  }
  stream.upload(std::span<const std::int64_t>(host_begin_), begin_.data());
  end_ += begin.back();
  stats_.pairs_written += begin.back();
  return begin.back();
}

// Closes the gaps that dead pairs have left: some lists at a time, by way of other memory.
void AliveLists::move_together() {
  const Stream& stream = context_.stream;
  std::vector<std::uint32_t> counts(at(context_.n));
  stream.download(count_.data(), std::span(counts));
  std::vector<std::int32_t> order(at(context_.n));
  std::iota(order.begin(), order.end(), 0);
  if (!in_order_) {
    std::sort(order.begin(), order.end(), [&](std::int32_t a, std::int32_t b) {
      return host_begin_[at(a)] != host_begin_[at(b)] ? host_begin_[at(a)] < host_begin_[at(b)] : a < b;
    });
  }
  std::int64_t end = 0;
  for (const std::int32_t v : order) {
    host_begin_[at(v)] = end;
    end += counts[at(v)];
  }
  const Buffer<std::int32_t> device_order(context_.device, context_.n);
  Buffer<std::int64_t> begin(context_.device, context_.n);
  const std::uint32_t longest = *std::max_element(counts.begin(), counts.end());
  const Buffer<Pair> moved(
      context_.device, std::clamp<std::int64_t>(end, longest, std::max<std::int64_t>(longest, kMovedPairs)));
  stream.send(std::span<const std::int32_t>(order), device_order.data());
  stream.send(std::span<const std::int64_t>(host_begin_), begin.data());
  for (std::size_t first = 0; first < order.size();) {
    const std::int64_t base = host_begin_[at(order[first])];
    std::int64_t pairs = 0;
    std::size_t next = first;
    while (next < order.size() && pairs + counts[at(order[next])] <= moved.size()) {
      pairs += counts[at(order[next++])];
    }
    launch_move_lists(view(), device_order.data() + first, static_cast<std::int64_t>(next - first),
                      begin.data(), base, moved.data(), stream.get());
    stream.copy(moved.data(), pairs_.data() + base, pairs);
    first = next;
  }
  stream.wait();
  begin_ = std::move(begin);
  end_ = end;
}

Pair* AliveLists::room(std::int64_t pairs) {
  if (end_ + pairs > pairs_.size()) {
    if (listed() + pairs > pairs_.size()) return nullptr;
    move_together();
  }
  return pairs_.data() + end_;
}

void AliveLists::find_incomplete(const std::int32_t* max) {
  const Stream& stream = context_.stream;
  const Pool& pool = context_.pool;
  stream.zero(found_.data(), pool.chunks());
  for (Index chunk = 0; chunk < pool.chunks(); ++chunk) {
    launch_incomplete(threshold_.data(), max, pool.begin(chunk), pool.end(chunk),
                      incomplete_.ids.data() + pool.begin(chunk), found_.data() + chunk, stream.get());
  }
  stream.fetch(found_.data(), std::span(incomplete_counts_));
}

void AliveLists::know_incomplete() {
  incomplete_.counts.assign(incomplete_counts_.begin(), incomplete_counts_.end());
}

std::int64_t AliveLists::listed() {
  const Stream& stream = context_.stream;
  stream.zero(sum_.data(), 1);
  launch_count_sum(count_.data(), context_.n, sum_.data(), stream.get());
  Sum sum = 0;
  stream.download(sum_.data(), std::span(&sum, 1));
  return static_cast<std::int64_t>(sum);
}

}  // namespace qdit::cuda
