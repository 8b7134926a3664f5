#include "cuda/exact_gains.h"

#include <algorithm>
#include <chrono>

namespace qdit::cuda {
namespace {

constexpr Index kMostPicks = 1024;                 // of one run()
constexpr Index kFirstStale = 512;                 // told at once
constexpr std::size_t kRowBytes = 256;             // what gains, maxima and choices need per row, at most
constexpr std::size_t kReserve = 384 << 20;        // for batches and similarities
constexpr double kCommitProducts = 192.0;          // a product of one row costs as much as so many together
constexpr double kPatience = 4.0;                  // a build() is two passes
constexpr Index kFewRows = 16;                     // one row of so many: incomplete ones are few
constexpr std::int64_t kCommitsBetweenChecks = 4;  // whether the pairs fit the memory when grouped
constexpr std::int64_t kCommitsUntold = 64;        // bounds of the caller may be as old as that
constexpr auto kLong = std::chrono::milliseconds(50);

std::size_t at(Index i) { return static_cast<std::size_t>(i); }

// What lists may take: no more than asked for, and than the device has beside the rest.
std::size_t usable(const Context& context, std::size_t memory) {
  const std::size_t free = context.device.free_bytes();
  const std::size_t rest = std::min(kReserve, free / 4) + kRowBytes * at(context.n);
  return std::min(memory, free > rest ? free - rest : 0);
}

// Adds what the host waited for and copied meanwhile; or takes it back, where it is no part of a pick.
class Waiting {
 public:
  Waiting(const Stream& stream, BackendStats& stats, int sign = 1)
      : stream_(stream), stats_(stats), sign_(sign), waits_(stream.waits()), bytes_(stream.bytes_down()) {}
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;
  ~Waiting() {
    stats_.pick_waits += sign_ * (stream_.waits() - waits_);
    stats_.pick_bytes_down += sign_ * (stream_.bytes_down() - bytes_);
  }

 private:
  const Stream& stream_;
  BackendStats& stats_;
  int sign_;
  std::int64_t waits_;
  std::int64_t bytes_;
};

}  // namespace

struct ExactGains::Report {
  Standing choice;
  Fixed rise = 0;
  Stale stale[kFirstStale];
};

ExactGains::ExactGains(const Context& context, Product& product, Buffer<std::int32_t>& max,
                       std::span<Fixed> gains, std::size_t memory, BackendStats& stats,
                       const std::function<void(double)>& tick)
    : context_(context),
      product_(product),
      max_(max),
      host_gains_(gains),
      stats_(stats),
      memory_(usable(context, memory)),
      candidates_(context),
      lists_(context, product, stats),
      gains_(context.device, context.n),
      complete_(context.device, context.n),
      reevaluation_({context, product, candidates_, max, lists_, gains_, complete_, stats}),
      sims_(context.device, context.n),
      closed_(context.device, context.n),
      bonus_(context.device, context.n),
      partial_best_(context.device, 2 * pick_blocks(context.n)),
      choice_(context.device, 1),
      stale_(context.device, context.n),
      picks_(context.device, kMostPicks),
      rises_(context.device, kMostPicks),
      report_(context.device, sizeof(Report)),
      evaluated_(at(context.n), 0),
      patience_(kPatience) {
  build(tick);
}

void ExactGains::build(const std::function<void(double)>& tick) {
  const Stopwatch watch(stats_.seconds_pass);
  lists_.build(max_.data(), gains_.data(), memory_, tick);
  dense_products_ = -stats_.products_evaluating;
  few_ = context_.n / kFewRows;
  partial_ = lists_.incomplete().size() > 0;
  if (partial_) {
    context_.stream.zero(complete_.data(), context_.n);
    launch_complete_sums(lists_.view(), max_.data(), nullptr, 0, context_.n, complete_.data(),
                         context_.stream.get());
  }
  reevaluation_.restart(commits_);
  checked_ = commits_;
  maybe_group();
  publish();
  published_ = commits_;
}

void ExactGains::publish() {
  static_assert(sizeof(Sum) == sizeof(Fixed));
  context_.stream.download(reinterpret_cast<const Fixed*>(gains_.data()), host_gains_);
  told_ = commits_;
  if (!partial_) published_ = commits_;
}

TrackedState ExactGains::state() {
  return {lists_.view(), max_.data(), gains_.data(), partial_ ? complete_.data() : nullptr};
}

void ExactGains::evaluate(std::span<const Index> candidates, std::span<Fixed> out) {
  const Waiting waiting(context_.stream, stats_);
  const std::vector<std::int32_t> ids(candidates.begin(), candidates.end());
  std::vector<Stale> stale = reevaluation_.look_up(ids, out);
  if (partial_) {
    std::erase_if(stale, [&](const Stale& candidate) { return candidate.exact_at == commits_; });
    if (!stale.empty()) {
      reevaluation_.run(std::move(stale), false);
      (void)reevaluation_.look_up(ids, out);
    }
  }
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    host_gains_[at(candidates[i])] = out[i];
    evaluated_[at(candidates[i])] = commits_;
  }
}

Fixed ExactGains::commit(Index a) {
  const Stream& stream = context_.stream;
  ++commits_;
  stream.zero(rises_.data(), 1);
  if (grouped_.there()) {
    launch_pick_of(pick_arguments(), a, 0, stream.get());
  } else {
    const auto row = static_cast<std::int32_t>(a);
    product_.similarities(candidates_.load({&row, 1}).rows, sims_.data(), context_.n);
    launch_commit(state(), sims_.data(), context_.n, rises_.data(), stream.get());
    dense_products_ += kCommitProducts * static_cast<double>(context_.n);
    stats_.products += static_cast<double>(context_.n);
    ++stats_.dense_picks;
  }
  if (partial_) lists_.find_incomplete(max_.data());
  stream.fetch(reinterpret_cast<const Fixed*>(rises_.data()), std::span(&report().rise, 1));
  stream.wait();
  const Fixed rise = report().rise;
  after_commit();
  return rise;
}

void ExactGains::after_commit() {
  if (partial_) {
    lists_.know_incomplete();
    shrink_incomplete();
  }
  if (commits_ - checked_ >= kCommitsBetweenChecks) maybe_group();
}

void ExactGains::shrink_incomplete() {
  const Index rows = lists_.incomplete().size();
  if (rows == 0) {
    all_complete();
    return;
  }
  const Waiting no_part_of_the_pick(context_.stream, stats_, -1);
  // What products with incomplete rows have cost since then would have paid for new lists.
  const auto n = static_cast<double>(context_.n);
  const bool costly = dense_products_ + stats_.products_evaluating > patience_ * n * n;
  if (costly || rows <= few_) {
    few_ = rows / 2;
    if (lists_.relist(max_.data(), complete_.data())) {
      ++stats_.relists;
      all_complete();
      return;
    }
  }
  if (costly) {
    patience_ *= 2.0;
    ++stats_.rebuilds;
    build([](double /*share*/) {});
    return;
  }
  reevaluation_.committed(commits_);
}

// Bounds that were not evaluated for a while give way to what is now known exactly.
void ExactGains::all_complete() {
  context_.stream.copy(complete_.data(), gains_.data(), context_.n);
  partial_ = false;
  reevaluation_.restart(commits_);
  checked_ = commits_ - kCommitsBetweenChecks;
}

// Groups all pairs by candidate, if all lists are complete and the memory lets them.
void ExactGains::maybe_group() {
  checked_ = commits_;
  if (partial_ || grouped_.there()) return;
  const Waiting no_part_of_the_pick(context_.stream, stats_, -1);
  grouped_.group(context_, lists_);
}

PickArguments ExactGains::pick_arguments() {
  PickArguments arguments;
  arguments.state = state();
  arguments.grouped = grouped_.pairs();
  arguments.group_begin = grouped_.begin();
  arguments.n = context_.n;
  arguments.bonus = bonus_.data();
  arguments.closed = closed_.data();
  arguments.partial = partial_best_.data();
  arguments.picks = picks_.data();
  arguments.rises = rises_.data();
  return arguments;
}

// The best open candidate, or -1: bounds that are better than the best exact gain are made exact, first the
// best of each block's share, then all that still are better.
Index ExactGains::choose(double weight) {
  const Stream& stream = context_.stream;
  ChoiceArguments arguments;
  arguments.weight = weight;
  arguments.bonus = bonus_.data();
  arguments.closed = closed_.data();
  arguments.best_exact = partial_best_.data();
  arguments.best_stale = partial_best_.data() + pick_blocks(context_.n);
  arguments.choice = choice_.data();
  arguments.stale = stale_.data();
  for (bool all = false;; all = !all) {
    arguments.gains = reevaluation_.gains();
    if (!partial_) arguments.gains.exact_at = nullptr;
    (all ? launch_all_better : launch_best_of_blocks)(arguments, stream.get());
    stream.fetch(choice_.data(), std::span(&report().choice, 1));
    const Index told = partial_ ? std::min(kFirstStale, context_.n) : 0;
    stream.fetch(stale_.data(), std::span(report().stale).first(at(told)));
    stream.wait();
    const Standing choice = report().choice;
    if (choice.stale == 0) return choice.best.candidate;
    stats_.evaluations += choice.stale;
    ++stats_.batches;
    reevaluation_.run(listed_stale(choice.stale), all);
  }
}

std::vector<Stale> ExactGains::listed_stale(std::uint32_t count) {
  std::vector<Stale> stale(count);
  const std::size_t told = std::min<std::size_t>(count, kFirstStale);
  std::copy_n(report().stale, told, stale.begin());
  if (told < count) context_.stream.download(stale_.data() + told, std::span(stale).subspan(told));
  return stale;
}

Index ExactGains::run(const Backend::Picking& picking, std::span<Index> picks, std::span<Fixed> rises) {
  const Waiting waiting(context_.stream, stats_);
  const Stream& stream = context_.stream;
  if (!has_bonus_) stream.upload(picking.bonus, bonus_.data());
  has_bonus_ = true;
  stream.upload(picking.closed, closed_.data());
  const Index most = std::min(kMostPicks, static_cast<Index>(picks.size()));
  picks = picks.first(at(most));
  const Index count =
      grouped_.there() ? run_grouped(picking.weight, picks, rises) : run_dense(picking.weight, picks, rises);
  if (!partial_ || commits_ >= told_ + kCommitsUntold) publish();
  return count;
}

Index ExactGains::run_grouped(double weight, std::span<Index> picks, std::span<Fixed> rises) {
  const Stopwatch watch(stats_.seconds_sparse);
  const Stream& stream = context_.stream;
  const auto most = static_cast<std::int32_t>(picks.size());
  PickArguments arguments = pick_arguments();
  arguments.weight = weight;
  stream.zero(rises_.data(), most);
  for (std::int32_t pick = 0; pick < most; ++pick) launch_pick(arguments, pick, stream.get());
  stream.fetch(picks_.data(), picks);
  stream.fetch(reinterpret_cast<const Fixed*>(rises_.data()), rises.first(picks.size()));
  stream.wait();
  const Index count = std::find(picks.begin(), picks.end(), Index{-1}) - picks.begin();
  commits_ += count;
  return count;
}

// Comes back to the caller when it has picked for a while, and when picks can be grouped.
Index ExactGains::run_dense(double weight, std::span<Index> picks, std::span<Fixed> rises) {
  const auto start = std::chrono::steady_clock::now();
  std::size_t count = 0;
  while (count < picks.size() && !grouped_.there()) {
    const Index row = choose(weight);
    if (row < 0) break;
    context_.stream.set(closed_.data() + row, 1, 1);
    picks[count] = row;
    rises[count++] = commit(row);
    if (std::chrono::steady_clock::now() - start > kLong) break;
  }
  return static_cast<Index>(count);
}

}  // namespace qdit::cuda
