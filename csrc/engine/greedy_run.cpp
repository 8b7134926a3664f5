#include "engine/greedy_run.h"

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <string>

#include "engine/sampler.h"

namespace qdit {
namespace {

std::size_t at(Index i) { return static_cast<std::size_t>(i); }

}  // namespace

GreedyRun::GreedyRun(Backend& backend, const GreedyOptions& options, Observer& observer)
    : backend_(backend),
      options_(options),
      observer_(observer),
      scorer_(options.weight, options.bonus,
              options.limits.per_cost ? options.limits.costs : std::span<const double>()),
      constraints_(options.limits, backend.size()),
      n_(backend.size()),
      closed_(at(n_), 0),
      k_(options.k),
      width_(backend.preferred_batch()) {
  close(backend.ignored());
  close(options.excluded);
  open_ = n_ - static_cast<Index>(std::count(closed_.begin(), closed_.end(), std::uint8_t{1}));
  check_k();
  open_ -= constraints_.start(closed_);
}

void GreedyRun::check_k() const {
  if (options_.limits.has_budget() && k_ >= 0) return;  // an upper limit only
  const Index most = options_.limits.has_quotas() ? constraints_.most(closed_) : open_;
  if (k_ < 0 || k_ > most) {
    throw std::invalid_argument("k: got " + std::to_string(k_) + ", wanted at most the " +
                                std::to_string(most) + " rows that can be picked.");
  }
}

GreedyResult GreedyRun::finish() {
  // Nothing bounds anything at the empty set (Backend::empty); bounds that come with earlier picks do.
  if (backend_.empty() && options_.picks.empty()) {
    std::fill(options_.bounds.begin(), options_.bounds.end(), kUnknownBound);
  }
  replay();
  if (step() < k_ && open_ > 0) {
    switch (options_.method) {
      case Method::kNaive:
        naive();
        break;
      case Method::kLazy:
        lazy();
        break;
      case Method::kExact:
        exact();
        break;
      case Method::kStochastic:
        stochastic();
        break;
    }
  }
  observer_.tick(result_, true);
  return std::move(result_);
}

void GreedyRun::close(std::span<const Index> rows) {
  for (const Index row : rows) closed_[at(row)] = 1;
}

void GreedyRun::take(Index row) {
  closed_[at(row)] = 1;
  open_ -= 1 + constraints_.take(row, closed_);
}

void GreedyRun::replay() {
  if (options_.picks.empty()) return;
  for (const Index row : options_.picks) {
    if (closed(row)) {
      throw std::invalid_argument("picks: row " + std::to_string(row) +
                                  " cannot be picked: it is there twice, excluded, ignored or not allowed.");
    }
    take(row);
  }
  std::vector<Fixed> gains(options_.picks.size());
  backend_.commit(options_.picks, gains);
  result_.picks.assign(options_.picks.begin(), options_.picks.end());
  result_.gains = std::move(gains);
  observer_.tick(result_, false);
}

// False, and nothing picked, where the run ends: no row is left, or none is worth its cost. While nothing is
// chosen a score says little of the next ones, if gains count: similarities that cancel out add up to
// nothing.
bool GreedyRun::pick(const Scored& best) {
  const Index row = best.candidate;
  const bool first = backend_.empty() && options_.weight > 0.0;
  if (row < 0 || (options_.limits.has_budget() && !(best.score > 0.0) && !first)) return false;
  Fixed gain = 0;
  backend_.commit({&row, 1}, {&gain, 1});
  result_.picks.push_back(row);
  result_.gains.push_back(gain);
  take(row);
  observer_.tick(result_, false);
  return true;
}

// Where nothing is chosen yet no method knows better than to look at every row.
bool GreedyRun::first_pick() { return !backend_.empty() || pick(best_of_all(open_rows())); }

void GreedyRun::pick_until_done(const std::function<Scored()>& best) {
  while (step() < k_ && pick(best())) {
  }
}

// Evaluates candidates, keeps their gains as bounds.
void GreedyRun::evaluate(std::span<const Index> candidates) {
  gains_.resize(candidates.size());
  backend_.gains(candidates, gains_);
  if (!backend_.empty()) {
    for (std::size_t i = 0; i < candidates.size(); ++i) options_.bounds[at(candidates[i])] = gains_[i];
  }
  observer_.tick(result_, false);
}

Scored GreedyRun::best_of_all(std::span<const Index> candidates) {
  Scored best;
  const auto width = at(width_.max);
  for (std::size_t begin = 0; begin < candidates.size(); begin += width) {
    const auto batch = candidates.subspan(begin, std::min(width, candidates.size() - begin));
    evaluate(batch);
    for (std::size_t i = 0; i < batch.size(); ++i) {
      const Scored scored{scorer_(batch[i], gains_[i]), batch[i]};
      if (best.candidate < 0 || better(scored, best)) best = scored;
    }
  }
  return best;
}

std::vector<Index> GreedyRun::open_rows() const {
  std::vector<Index> rows;
  rows.reserve(at(open_));
  for (Index i = 0; i < n_; ++i) {
    if (!closed(i)) rows.push_back(i);
  }
  return rows;
}

// True if the gain of every open row is known to be below something.
bool GreedyRun::bounded() const {
  for (Index i = 0; i < n_; ++i) {
    if (!closed(i) && options_.bounds[at(i)] == kUnknownBound) return false;
  }
  return true;
}

void GreedyRun::fill_queue(std::span<const Index> rows) {
  std::vector<LazyQueue::Entry> entries;
  entries.reserve(rows.size());
  for (const Index row : rows) {
    entries.push_back({{scorer_(row, options_.bounds[at(row)]), row}, -1});
  }
  queue_.assign(std::move(entries));
}

// Rows are closed behind the queue's back; they leave it when they come to the top.
void GreedyRun::drop_closed() {
  while (!queue_.empty() && closed(queue_.top().bound.candidate)) queue_.pop();
}

// Takes stale candidates from the top of the queue. The best of them alone where that needs no product;
// else as many as one product evaluates at the price of the first, twice as many in each further round.
void GreedyRun::take_batch(Index products, Index cached) {
  batch_.clear();
  const bool cheap = backend_.cached(queue_.top().bound.candidate);
  Index costly = 0;
  while (top_is_stale()) {
    const Index candidate = queue_.top().bound.candidate;
    const bool needs_product = !backend_.cached(candidate);
    if (cheap && (needs_product || static_cast<Index>(batch_.size()) == cached)) break;
    if (needs_product && costly == products) break;
    costly += needs_product ? 1 : 0;
    batch_.push_back(candidate);
    queue_.pop();
    drop_closed();
  }
}

// Evaluates stale candidates until the best of the queue is fresh: then no other can beat it.
Scored GreedyRun::best_of_queue() {
  Index products = width_.min;
  Index cached = 1;
  drop_closed();
  while (top_is_stale()) {
    const bool cheap = backend_.cached(queue_.top().bound.candidate);
    take_batch(products, cached);
    evaluate(batch_);
    for (std::size_t i = 0; i < batch_.size(); ++i) {
      queue_.push({{scorer_(batch_[i], gains_[i]), batch_[i]}, step()});
    }
    Index& grown = cheap ? cached : products;
    grown = std::min(2 * grown, width_.max);
  }
  return queue_.empty() ? Scored() : queue_.top().bound;
}

// Commits lower the bounds behind the queue's back: entries catch up when they come to the top.
bool GreedyRun::top_is_current() {
  const Scored top = queue_.top().bound;
  if (closed(top.candidate)) {
    queue_.pop();
    return false;
  }
  const Scored now{scorer_(top.candidate, options_.bounds[at(top.candidate)]), top.candidate};
  if (now.score == top.score) return true;
  queue_.pop();
  queue_.push({now, -1});
  return false;
}

// The best candidate by exact gain. Bounds that are not tight are made so, in batches that grow.
Scored GreedyRun::best_tracked() {
  Index products = width_.min;
  for (;;) {
    batch_.clear();
    while (!queue_.empty() && static_cast<Index>(batch_.size()) < products) {
      if (!top_is_current()) continue;
      const Index candidate = queue_.top().bound.candidate;
      if (backend_.tight(candidate)) break;
      batch_.push_back(candidate);
      queue_.pop();
    }
    if (batch_.empty()) return queue_.empty() ? Scored() : queue_.top().bound;
    evaluate(batch_);
    for (const Index candidate : batch_) {
      queue_.push({{scorer_(candidate, options_.bounds[at(candidate)]), candidate}, step()});
    }
    products = std::min(2 * products, width_.max);
  }
}

// Many picks at a time, where the backend makes them itself. False if it does not, just now.
bool GreedyRun::pick_tracked() {
  if (options_.limits.has_budget() || options_.limits.has_quotas()) return false;
  constexpr Index kMost = 1024;
  constexpr auto kLong = std::chrono::milliseconds(50);
  const auto start = std::chrono::steady_clock::now();
  const Index most = std::min(tracked_width_, k_ - step());
  batch_.resize(at(most));
  gains_.resize(at(most));
  const Index count =
      backend_.run_tracked({options_.weight, options_.bonus, closed_}, batch_, std::span(gains_));
  for (Index i = 0; i < count; ++i) {
    result_.picks.push_back(batch_[at(i)]);
    result_.gains.push_back(gains_[at(i)]);
    take(batch_[at(i)]);
  }
  if (count > 0) observer_.tick(result_, false);
  if (std::chrono::steady_clock::now() - start < kLong) tracked_width_ = std::min(kMost, 2 * tracked_width_);
  return count > 0;
}

void GreedyRun::naive() {
  pick_until_done([this] { return best_of_all(open_rows()); });
}

void GreedyRun::lazy() {
  if (!first_pick()) return;
  fill_queue(open_rows());
  pick_until_done([this] { return best_of_queue(); });
}

void GreedyRun::exact() {
  if (!first_pick() || step() == k_ || open_ == 0) return;
  if (step() == 0 && bounded()) {
    // Maxima that start at a floor rise so far at the first pick that gains from before it are worth little.
    fill_queue(open_rows());
    if (!pick(best_of_queue()) || step() == k_ || open_ == 0) return;
  }
  if (!backend_.track(options_.bounds, options_.memory, [this](double) { observer_.tick(result_, false); })) {
    throw std::invalid_argument("method: backend \"" + backend_.name() +
                                "\" does not offer \"exact\"; use \"lazy\" for the same picks.");
  }
  fill_queue(open_rows());
  while (step() < k_ && (pick_tracked() || pick(best_tracked()))) {
  }
}

void GreedyRun::stochastic() {
  const Index size = stochastic_sample_size(n_, k_, options_.epsilon);
  std::vector<std::uint8_t> marks(at(n_), 0);
  pick_until_done([&] {
    const auto sample =
        sample_candidates(options_.seed, static_cast<std::uint64_t>(step()), closed_, open_, size, marks);
    if (backend_.empty()) return best_of_all(sample);
    fill_queue(sample);
    return best_of_queue();
  });
}

}  // namespace qdit
