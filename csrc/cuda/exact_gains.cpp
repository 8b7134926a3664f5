#include "cuda/exact_gains.h"

#include <algorithm>

#include "cuda/lists_on_host.h"

namespace qdit::cuda {
namespace {

constexpr Index kMostPicks = 1024;                 // of one run()
constexpr std::size_t kRowBytes = 64;              // what run() and group() need per row, at most
constexpr std::size_t kReserve = 384 << 20;        // for batches and similarities
constexpr double kCommitProducts = 256.0;          // a product of one row costs as much as so many together
constexpr std::int64_t kCommitsBetweenChecks = 4;  // whether the pairs fit the memory when grouped

std::size_t at(Index i) { return static_cast<std::size_t>(i); }

// What lists may take: no more than asked for, and than the device has beside the rest.
std::size_t usable(const Context& context, std::size_t memory) {
  const std::size_t free = context.device.free_bytes();
  const std::size_t rest = std::min(kReserve, free / 4) + kRowBytes * at(context.n);
  return std::min(memory, free > rest ? free - rest : 0);
}

}  // namespace

ExactGains::ExactGains(const Context& context, Product& product, Buffer<std::int32_t>& max,
                       std::span<Fixed> gains, std::size_t memory, BackendStats& stats,
                       const std::function<void(double)>& tick)
    : context_(context),
      product_(product),
      max_(max),
      host_gains_(gains),
      stats_(stats),
      lists_(context, product),
      gains_(context.device, context.n),
      complete_(context.device, context.n),
      sims_(context.device, context.n),
      memory_(usable(context, memory)),
      evaluated_(at(context.n), 0) {
  build(tick);
}

void ExactGains::build(const std::function<void(double)>& tick) {
  const Stopwatch watch(stats_.seconds_pass);
  const double before = lists_.products();
  // A quarter of the memory is for pairs grouped by candidate, later.
  lists_.build(max_.data(), gains_.data(), memory_ / 4 * 3, stats_, tick);
  stats_.products += lists_.products() - before;
  dense_products_ = 0.0;
  partial_ = lists_.incomplete().size() > 0;
  if (partial_) {
    context_.stream.zero(complete_.data(), context_.n);
    launch_complete_sums(lists_.view(), max_.data(), context_.n, complete_.data(), context_.stream.get());
  }
  std::fill(evaluated_.begin(), evaluated_.end(), commits_);
  checked_ = commits_;
  maybe_group();
  publish();
}

void ExactGains::publish() {
  static_assert(sizeof(Sum) == sizeof(Fixed));
  context_.stream.download(reinterpret_cast<const Fixed*>(gains_.data()), host_gains_);
}

TrackedState ExactGains::state() {
  return {lists_.view(), max_.data(), gains_.data(), partial_ ? complete_.data() : nullptr};
}

void ExactGains::evaluate(std::span<const Index> candidates, const Batch& batch, std::span<Fixed> out) {
  if (!partial_) {
    for (std::size_t i = 0; i < candidates.size(); ++i) out[i] = host_gains_[at(candidates[i])];
    return;
  }
  const auto count = static_cast<Index>(candidates.size());
  const std::vector<std::int32_t> ids(candidates.begin(), candidates.end());
  const Stream& stream = context_.stream;
  ids_.grow(context_.device, count);
  sums_.grow(context_.device, count);
  stream.upload(std::span<const std::int32_t>(ids), ids_.data());
  product_.gains(batch, max_.data(), &lists_.incomplete(), sums_.data());
  launch_store_gains(ids_.data(), static_cast<std::int32_t>(count), complete_.data(), gains_.data(),
                     sums_.data(), stream.get());
  stream.download(reinterpret_cast<const Fixed*>(sums_.data()), out);
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    host_gains_[at(candidates[i])] = out[i];
    evaluated_[at(candidates[i])] = commits_;
  }
  const Index tile = tile_rows(context_.pool.arithmetic());
  const auto rows = static_cast<double>(lists_.incomplete().size());
  dense_products_ += static_cast<double>(divide_up(count, tile) * tile) * rows;
  stats_.products += static_cast<double>(count) * rows;
}

Fixed ExactGains::commit(Index a, const Batch& batch) {
  const Stream& stream = context_.stream;
  ++commits_;
  rises_.grow(context_.device, kMostPicks);
  stream.zero(rises_.data(), 1);
  if (grouped()) {
    launch_pick_of(pick_arguments(), a, 0, stream.get());
  } else {
    product_.similarities(batch, sims_.data(), context_.n);
    launch_commit(state(), sims_.data(), context_.n, rises_.data(), stream.get());
    dense_products_ += kCommitProducts * static_cast<double>(context_.n);
    stats_.products += static_cast<double>(context_.n);
  }
  Fixed rise = 0;
  stream.download(reinterpret_cast<const Fixed*>(rises_.data()), std::span(&rise, 1));
  after_commit();
  return rise;
}

void ExactGains::after_commit() {
  if (partial_) {
    lists_.find_incomplete(max_.data());
    if (lists_.incomplete().size() == 0) {
      // Bounds that were not evaluated for a while give way to what is now known exactly.
      context_.stream.copy(complete_.data(), gains_.data(), context_.n);
      partial_ = false;
      checked_ = commits_ - kCommitsBetweenChecks;
    }
  }
  // What products with incomplete rows have cost since then would have paid for new lists.
  const auto n = static_cast<double>(context_.n);
  if (partial_ && dense_products_ > patience_ * n * n) {
    patience_ *= 2.0;
    build([](double /*share*/) {});
    return;
  }
  if (commits_ - checked_ >= kCommitsBetweenChecks) maybe_group();
  publish();
}

// Groups all pairs by candidate, if all lists are complete and the memory lets them.
void ExactGains::maybe_group() {
  checked_ = commits_;
  if (partial_ || grouped()) return;
  const Stream& stream = context_.stream;
  const Index n = context_.n;
  const std::int64_t pairs = lists_.listed();
  if (at(pairs) * sizeof(Pair) > memory_ / 4) return;
  const Buffer<std::uint32_t> counts(context_.device, n);
  stream.zero(counts.data(), n);
  launch_group_counts(lists_.view(), n, counts.data(), stream.get());
  std::vector<std::uint32_t> host(at(n));
  stream.download(counts.data(), std::span(host));
  const std::vector<std::int64_t> begin = running_sums(host);
  grouped_ = Buffer<Pair>(context_.device, pairs);
  Buffer<std::int64_t> device_begin(context_.device, n + 1);
  stream.upload(std::span<const std::int64_t>(begin), device_begin.data());
  stream.zero(counts.data(), n);
  launch_group_fill(lists_.view(), n, device_begin.data(), counts.data(), grouped_.data(), stream.get());
  stream.wait();
  group_begin_ = std::move(device_begin);  // from now on grouped()
}

PickArguments ExactGains::pick_arguments() {
  closed_.grow(context_.device, context_.n);
  bonus_.grow(context_.device, context_.n);
  partial_best_.grow(context_.device, pick_blocks(context_.n));
  picks_.grow(context_.device, kMostPicks);
  rises_.grow(context_.device, kMostPicks);
  PickArguments arguments;
  arguments.state = state();
  arguments.grouped = grouped_.data();
  arguments.group_begin = group_begin_.data();
  arguments.n = context_.n;
  arguments.bonus = bonus_.data();
  arguments.closed = closed_.data();
  arguments.partial = partial_best_.data();
  arguments.picks = picks_.data();
  arguments.rises = rises_.data();
  return arguments;
}

Index ExactGains::run(const Backend::Picking& picking, std::span<Index> picks, std::span<Fixed> rises) {
  if (!grouped() || picks.empty()) return 0;
  const Stopwatch watch(stats_.seconds_sparse);
  const Stream& stream = context_.stream;
  const Index most = std::min(kMostPicks, static_cast<Index>(picks.size()));
  PickArguments arguments = pick_arguments();
  arguments.weight = picking.weight;
  stream.upload(picking.bonus, bonus_.data());
  stream.upload(picking.closed, closed_.data());
  stream.zero(rises_.data(), most);
  for (std::int32_t pick = 0; pick < most; ++pick) launch_pick(arguments, pick, stream.get());
  stream.download(picks_.data(), picks.first(at(most)));
  stream.download(reinterpret_cast<const Fixed*>(rises_.data()), rises.first(at(most)));
  const auto end = std::find(picks.begin(), picks.begin() + most, Index{-1});
  const Index count = end - picks.begin();
  commits_ += count;
  publish();
  return count;
}

}  // namespace qdit::cuda
