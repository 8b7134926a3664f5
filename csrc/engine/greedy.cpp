#include "engine/greedy.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "engine/indices.h"
#include "engine/lazy_queue.h"
#include "engine/sampler.h"
#include "engine/score.h"

namespace qdit {
namespace {

std::size_t at(Index i) { return static_cast<std::size_t>(i); }

// One greedy run: what is chosen so far and what is known about the rest.
class Run {
 public:
  Run(Backend& backend, const GreedyOptions& options, Observer& observer)
      : backend_(backend),
        options_(options),
        observer_(observer),
        scorer_(options.weight, options.bonus),
        n_(backend.size()),
        taken_(at(n_), 0) {
    exclude(backend.ignored());
    exclude(options.excluded);
    free_ = n_ - static_cast<Index>(std::count(taken_.begin(), taken_.end(), std::uint8_t{1}));
    if (options.k < 0 || options.k > free_) {
      throw std::invalid_argument("k: got " + std::to_string(options.k) + ", wanted at most the " +
                                  std::to_string(free_) + " rows that can be picked.");
    }
    width_ = backend.preferred_batch();
  }

  GreedyResult finish() {
    // Nothing bounds anything at the empty set (Backend::empty); bounds that come with earlier picks do.
    if (backend_.empty() && options_.picks.empty()) {
      std::fill(options_.bounds.begin(), options_.bounds.end(), kUnknownBound);
    }
    replay();
    if (step() < options_.k) {
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

 private:
  Index step() const { return static_cast<Index>(result_.picks.size()); }

  void exclude(std::span<const Index> rows) {
    for (const Index row : rows) taken_[at(row)] = 1;
  }

  void replay() {
    if (options_.picks.empty()) return;
    for (const Index row : options_.picks) {
      if (taken_[at(row)] != 0) {
        throw std::invalid_argument("picks: row " + std::to_string(row) +
                                    " cannot be picked: it is there twice, excluded or ignored.");
      }
      taken_[at(row)] = 1;
    }
    std::vector<Fixed> gains(options_.picks.size());
    backend_.commit(options_.picks, gains);
    result_.picks.assign(options_.picks.begin(), options_.picks.end());
    result_.gains = std::move(gains);
    free_ -= step();
    observer_.tick(result_, false);
  }

  void pick(Index candidate) {
    Fixed gain = 0;
    backend_.commit({&candidate, 1}, {&gain, 1});
    result_.picks.push_back(candidate);
    result_.gains.push_back(gain);
    taken_[at(candidate)] = 1;
    --free_;
    observer_.tick(result_, false);
  }

  // Evaluates candidates, keeps their gains as bounds.
  void evaluate(std::span<const Index> candidates) {
    gains_.resize(candidates.size());
    backend_.gains(candidates, gains_);
    if (!backend_.empty()) {
      for (std::size_t i = 0; i < candidates.size(); ++i) options_.bounds[at(candidates[i])] = gains_[i];
    }
    observer_.tick(result_, false);
  }

  Scored best_of_all(std::span<const Index> candidates) {
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

  std::vector<Index> remaining() const {
    std::vector<Index> rows;
    rows.reserve(at(free_));
    for (Index i = 0; i < n_; ++i) {
      if (taken_[at(i)] == 0) rows.push_back(i);
    }
    return rows;
  }

  void naive() {
    while (step() < options_.k) pick(best_of_all(remaining()).candidate);
  }

  void fill_queue(std::span<const Index> rows) {
    std::vector<LazyQueue::Entry> entries;
    entries.reserve(rows.size());
    for (const Index row : rows) {
      entries.push_back({{scorer_(row, options_.bounds[at(row)]), row}, -1});
    }
    queue_.assign(std::move(entries));
  }

  bool top_is_stale() const { return !queue_.empty() && queue_.top().step != step(); }

  // Takes stale candidates from the top of the queue. The best of them alone where that needs no product;
  // else as many as one product evaluates at the price of the first, twice as many in each further round.
  void take_batch(Index products, Index cached) {
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
    }
  }

  // Evaluates stale candidates until the best of the queue is fresh: then no other can beat it.
  Index best_of_queue() {
    Index products = width_.min;
    Index cached = 1;
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
    return queue_.top().bound.candidate;
  }

  void lazy() {
    if (backend_.empty()) pick(best_of_all(remaining()).candidate);
    fill_queue(remaining());
    while (step() < options_.k) {
      const Index best = best_of_queue();
      queue_.pop();
      pick(best);
    }
  }

  void exact() {
    if (backend_.empty()) pick(best_of_all(remaining()).candidate);
    if (step() == options_.k) return;
    if (!backend_.track(options_.bounds, options_.memory,
                        [this](double) { observer_.tick(result_, false); })) {
      throw std::invalid_argument("method: backend \"" + backend_.name() +
                                  "\" does not offer \"exact\"; use \"lazy\" for the same picks.");
    }
    fill_queue(remaining());
    while (step() < options_.k) {
      const Index best = best_tracked();
      queue_.pop();
      pick(best);
    }
  }

  // Commits lower the bounds behind the queue's back: entries catch up when they come to the top.
  bool top_is_current() {
    const Scored top = queue_.top().bound;
    const Scored now{scorer_(top.candidate, options_.bounds[at(top.candidate)]), top.candidate};
    if (now.score == top.score) return true;
    queue_.pop();
    queue_.push({now, -1});
    return false;
  }

  // The best candidate by exact gain. Bounds that are not tight are made so, in batches that grow.
  Index best_tracked() {
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
      if (batch_.empty()) return queue_.top().bound.candidate;
      evaluate(batch_);
      for (const Index candidate : batch_) {
        queue_.push({{scorer_(candidate, options_.bounds[at(candidate)]), candidate}, step()});
      }
      products = std::min(2 * products, width_.max);
    }
  }

  void stochastic() {
    const Index size = stochastic_sample_size(n_, options_.k, options_.epsilon);
    std::vector<std::uint8_t> marks(at(n_), 0);
    while (step() < options_.k) {
      const auto sample =
          sample_candidates(options_.seed, static_cast<std::uint64_t>(step()), taken_, free_, size, marks);
      if (backend_.empty()) {
        pick(best_of_all(sample).candidate);
        continue;
      }
      fill_queue(sample);
      pick(best_of_queue());
    }
  }

  Backend& backend_;
  const GreedyOptions& options_;
  Observer& observer_;
  Scorer scorer_;
  Index n_;
  std::vector<std::uint8_t> taken_;
  Index free_ = 0;
  BatchWidth width_;
  GreedyResult result_;
  LazyQueue queue_;
  std::vector<Index> batch_;
  std::vector<Fixed> gains_;
};

void check(const Backend& backend, const GreedyOptions& options) {
  const auto n = at(backend.size());
  if (options.bonus.size() != n || options.bounds.size() != n) {
    throw std::invalid_argument("bonus and bounds: wanted " + std::to_string(n) + " values, got " +
                                std::to_string(options.bonus.size()) + " and " +
                                std::to_string(options.bounds.size()) + ".");
  }
  if (!std::isfinite(options.weight) || options.weight < 0.0) {
    throw std::invalid_argument("weight: got " + std::to_string(options.weight) +
                                ", wanted a finite number >= 0.");
  }
  for (std::size_t i = 0; i < n; ++i) {
    if (!std::isfinite(options.bonus[i])) {
      throw std::invalid_argument("bonus: row " + std::to_string(i) + " is not finite.");
    }
  }
  if (options.method == Method::kStochastic && !(options.epsilon > 0.0 && options.epsilon < 1.0)) {
    throw std::invalid_argument("epsilon: got " + std::to_string(options.epsilon) +
                                ", wanted a number between 0 and 1, both excluded.");
  }
  check_indices(options.excluded, backend.size(), "excluded");
  check_indices(options.picks, backend.size(), "picks");
  if (static_cast<Index>(options.picks.size()) > options.k) {
    throw std::invalid_argument("picks: got " + std::to_string(options.picks.size()) +
                                " earlier picks, wanted at most k = " + std::to_string(options.k) + ".");
  }
}

}  // namespace

Method parse_method(const std::string& name) {
  if (name == "naive") return Method::kNaive;
  if (name == "lazy") return Method::kLazy;
  if (name == "exact") return Method::kExact;
  if (name == "stochastic") return Method::kStochastic;
  throw std::invalid_argument("method: got \"" + name +
                              "\", wanted \"naive\", \"lazy\", \"exact\" or \"stochastic\".");
}

GreedyResult run_greedy(Backend& backend, const GreedyOptions& options, Observer& observer) {
  check(backend, options);
  return Run(backend, options, observer).finish();
}

}  // namespace qdit
