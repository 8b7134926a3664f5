#include "cuda/alive_lists.h"

#include <algorithm>
#include <numeric>

#include "cuda/lists_on_host.h"
#include "cuda/symmetric_pass.h"

namespace qdit::cuda {
namespace {

constexpr Index kSamples = 2048;  // candidates that thresholds are estimated from
constexpr double kSlack = 0.7;    // of the capacity: estimates err

std::size_t at(Index i) { return static_cast<std::size_t>(i); }

}  // namespace

AliveLists::AliveLists(const Context& context, Product& product)
    : context_(context),
      product_(product),
      threshold_(context.device, context.n),
      count_(context.device, context.n),
      begin_(context.device, context.n),
      sum_(context.device, 1),
      found_(context.device, 1) {
  incomplete_.ids = Buffer<std::int32_t>(context.device, context.n);
  incomplete_.counts.assign(at(context.pool.chunks()), 0);
}

Lists AliveLists::view() const { return {pairs_.data(), begin_.data(), count_.data(), threshold_.data()}; }

void AliveLists::build(const std::int32_t* max, Sum* gains, std::size_t memory, BackendStats& stats,
                       const std::function<void(double)>& tick) {
  const Stream& stream = context_.stream;
  const auto capacity = static_cast<std::int64_t>(memory / sizeof(Pair));
  pairs_.free();
  choose_thresholds(max, capacity);
  stream.zero(gains, context_.n);
  stream.zero(count_.data(), context_.n);
  const auto timed = [&](double& seconds, bool fill, double from) {
    stream.wait();  // what is still under way is no part of the pass
    const Stopwatch watch(seconds);
    pass(max, gains, fill, [&](double share) { tick(from + 0.5 * share); });
    stream.wait();
  };
  timed(stats.seconds_count, false, 0.0);
  const std::int64_t total = fit(capacity);
  pairs_ = Buffer<Pair>(context_.device, total);
  stream.zero(count_.data(), context_.n);
  if (total > 0) timed(stats.seconds_fill, true, 0.5);
  find_incomplete(max);
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
  const Arithmetic& how = context_.pool.arithmetic();
  const auto launch = [&](const PassArguments& arguments, std::int64_t first, std::int64_t count) {
    if (fill) {
      launch_fill(how, arguments, pairs_.data(), first, count, context_.stream.get());
    } else {
      launch_pass(how, arguments, first, count, context_.stream.get());
    }
  };
  for_all_pairs(context_, fill_in, launch, tick);
  const auto n = static_cast<double>(context_.n);
  products_made_ += 0.5 * n * (n + 1.0);
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
  products_made_ += static_cast<double>(n) * static_cast<double>(samples);
  std::vector<std::uint32_t> alive(at(n));
  context_.stream.download(count_.data(), std::span(alive));
  const std::uint32_t rank = rank_that_fits(alive, static_cast<double>(n) / static_cast<double>(samples),
                                            kSlack * static_cast<double>(capacity));
  if (rank >= *std::max_element(alive.begin(), alive.end())) return;  // all of them fit
  product_.strips(batch, [&](Index begin, Index rows, const std::int32_t* sims, std::int64_t stride) {
    launch_thresholds(sims, stride, count, rows, max + begin, rank, threshold_.data() + begin, stream);
  });
  products_made_ += static_cast<double>(n) * static_cast<double>(samples);
  context_.stream.wait();
}

// Gives each list its place; the longest are not kept where the pairs counted do not fit. Returns their
// number.
std::int64_t AliveLists::fit(std::int64_t capacity) {
  const Stream& stream = context_.stream;
  std::vector<std::uint32_t> counts(at(context_.n));
  stream.download(count_.data(), std::span(counts));
  const std::vector<Index> dropped = drop_longest(counts, capacity);
  if (!dropped.empty()) {
    std::vector<std::int32_t> thresholds(at(context_.n));
    stream.download(threshold_.data(), std::span(thresholds));
    for (const Index v : dropped) thresholds[at(v)] = kNoList;
    stream.upload(std::span<const std::int32_t>(thresholds), threshold_.data());
  }
  const std::vector<std::int64_t> begin = running_sums(counts);
  stream.upload(std::span<const std::int64_t>(begin).first(at(context_.n)), begin_.data());
  return begin.back();
}

void AliveLists::find_incomplete(const std::int32_t* max) {
  const Stream& stream = context_.stream;
  const Pool& pool = context_.pool;
  for (Index chunk = 0; chunk < pool.chunks(); ++chunk) {
    stream.zero(found_.data(), 1);
    launch_incomplete(threshold_.data(), max, pool.begin(chunk), pool.end(chunk),
                      incomplete_.ids.data() + pool.begin(chunk), found_.data(), stream.get());
    std::uint32_t count = 0;
    stream.download(found_.data(), std::span(&count, 1));
    incomplete_.counts[at(chunk)] = static_cast<std::int32_t>(count);
  }
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
