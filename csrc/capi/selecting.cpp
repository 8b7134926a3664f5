#include "capi/selecting.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "capi/exact_sum.h"
#include "capi/options.h"
#include "engine/greedy.h"
#include "engine/indices.h"
#include "engine/objective.h"
#include "engine/row_check.h"
#include "engine/score.h"
#include "engine/system.h"

namespace qdit::capi {
namespace {

constexpr double kDefaultEpsilon = 0.01;
constexpr double kDefaultInterval = 0.25;
constexpr std::int64_t kDefaultPairBytes = 2'000'000'000;  // where the system does not say what is available
constexpr std::int64_t kLeastPairBytes = 256;              // for each row: less would save nothing
constexpr std::size_t kCommitRows = 512;

// Writes picks where they go and tells the caller of them.
class Reporter final : public Observer, public Watcher {
 public:
  Reporter(Backend& backend, const qdit_select_options& options, const Output& output)
      : backend_(backend),
        callback_(options.progress),
        user_(options.user),
        interval_(options.interval),
        k_(options.k),
        output_(output) {
    *output_.count = 0;
  }

  void tick(const GreedyResult& so_far, bool /*finished*/) override {
    auto picked = static_cast<std::size_t>(*output_.count);
    for (; picked < so_far.picks.size(); ++picked) put(picked, so_far.picks[picked], so_far.gains[picked]);
    evaluations_ = backend_.stats().evaluations;
    poll();
  }
  // Within an evaluation, where the backend's counters may be half way.
  void poll() override {
    if (callback_ == nullptr) return;
    const auto now = std::chrono::steady_clock::now();
    if (std::chrono::duration<double>(now - last_).count() < interval_) return;
    last_ = now;
    if (tell() != 0) throw Cancelled();
  }
  // All is there: too late to cancel.
  void finish() {
    if (callback_ != nullptr) tell();
  }

  // Forgets the picks; another run begins.
  void restart() { *output_.count = 0; }

 private:
  void put(std::size_t at, Index row, Fixed gain) {
    output_.indices[at] = row;
    if (output_.gains != nullptr) output_.gains[at] = static_cast<double>(gain) / backend_.scale();
    *output_.count = static_cast<Index>(at) + 1;
  }

  int32_t tell() const {
    const qdit_progress progress{sizeof progress, *output_.count, k_, evaluations_};
    return callback_(&progress, user_);
  }

  Backend& backend_;
  qdit_progress_callback callback_;
  void* user_;
  double interval_;
  Index k_;
  Output output_;
  std::int64_t evaluations_ = 0;
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

double number_between(const char* name, double got, double low, double high) {
  if (got >= low && got <= high) return got;
  throw std::invalid_argument(std::string(name) + ": got " + number(got) + ", wanted a number from " +
                              number(low) + " to " + number(high) + ".");
}

std::vector<double> bonuses(const qdit_select_options& options, Index n) {
  std::vector<double> bonus(static_cast<std::size_t>(n), 0.0);
  if (options.quality == nullptr) {
    if (options.alpha > 0.0) {
      throw std::invalid_argument("quality: got NULL with alpha " + number(options.alpha) +
                                  ", wanted one score per row; pass quality or alpha = 0.");
    }
    return bonus;
  }
  for (std::size_t i = 0; i < bonus.size(); ++i) {
    if (!std::isfinite(options.quality[i])) {
      throw std::invalid_argument("quality: row " + std::to_string(i) + " is " + number(options.quality[i]) +
                                  ", wanted a finite number.");
    }
    bonus[i] = quality_bonus(options.alpha, options.quality[i]);
  }
  return bonus;
}

Limits limits(const qdit_select_options& options, Index n) {
  Limits limits;
  if (options.costs != nullptr) {
    limits.costs = {options.costs, static_cast<std::size_t>(n)};
    limits.budget = options.budget;
    if (options.resume_count != 0) {
      throw std::invalid_argument("resume: with costs two runs are made, so neither can be resumed.");
    }
  } else if (options.budget != 0.0) {
    throw std::invalid_argument("costs: got NULL with a budget, wanted one cost per row.");
  }
  if ((options.groups == nullptr) != (options.quotas == nullptr)) {
    throw std::invalid_argument("groups and quotas: got one of them, wanted both or neither.");
  }
  if (options.groups != nullptr) {
    limits.groups = {options.groups, static_cast<std::size_t>(n)};
    limits.quotas = array("group", options.quotas, options.group_count);
  }
  return limits;
}

std::size_t pair_bytes(std::int64_t asked, Index n) {
  if (asked > 0) return static_cast<std::size_t>(asked);
  const auto available = available_memory();
  const std::int64_t half = available ? *available / 2 : kDefaultPairBytes;
  return static_cast<std::size_t>(std::max(kLeastPairBytes * n, half));
}

class Selecting {
 public:
  Selecting(qdit_pool& pool, const qdit_select_options& options, const Output& output)
      : pool_(pool),
        options_(options),
        output_(output),
        reporter_(pool.backend(), options, output),
        n_(pool.backend().size()),
        scale_(choice("gain_scale", options.gain_scale, {GainScale::kSum, GainScale::kPerK})),
        weight_(gain_weight(options.alpha, scale_, options.k, static_cast<double>(n_))),
        bonus_(bonuses(options, n_)) {
    greedy_.method = choice("method", options.method,
                            {Method::kExact, Method::kLazy, Method::kNaive, Method::kStochastic});
    greedy_.k = options.k;
    greedy_.weight = weight_ / pool.backend().scale();
    greedy_.bonus = bonus_;
    greedy_.excluded = array("given", options.given, options.given_count);
    greedy_.epsilon = options.epsilon;
    greedy_.seed = options.seed;
    greedy_.memory = pair_bytes(options.pair_bytes, n_);
    greedy_.picks = array("resume", options.resume, options.resume_count);
    check_indices(greedy_.picks, n_, "resume");
    greedy_.limits = limits(options, n_);
  }

  Watcher* watcher() { return &reporter_; }

  void run() {
    if (greedy_.limits.has_budget()) {
      by_budget();
    } else if (options_.alpha == 1.0 && !greedy_.limits.has_quotas()) {
      by_quality();
    } else {
      greedy();
    }
    reporter_.finish();
  }

 private:
  struct Run {
    GreedyResult result;
    double start = 0.0;  // the objective of no picks
    double objective = 0.0;
  };

  Run greedy() {
    auto& backend = pool_.backend();
    pool_.reset(greedy_.excluded);
    greedy_.bounds = pool_.fresh_bounds();
    reporter_.restart();
    const double start = weight_ * (static_cast<double>(backend.coverage()) / backend.scale());
    Run run{run_greedy(backend, greedy_, reporter_), start};
    ExactSum sum;
    sum.add(start);
    for (std::size_t i = 0; i < run.result.picks.size(); ++i) {
      const double gain = static_cast<double>(run.result.gains[i]) / backend.scale();
      const double gained = weight_ * gain;
      sum.add(gained + bonus_[static_cast<std::size_t>(run.result.picks[i])]);
    }
    run.objective = sum.value();
    return run;
  }

  // The better of greedy by score per cost and greedy by score (Leskovec et al., KDD 2007).
  void by_budget() {
    greedy_.limits.per_cost = true;
    const Run by_ratio = greedy();
    greedy_.limits.per_cost = false;
    const Run by_score = greedy();
    const bool ratio = by_ratio.objective >= by_score.objective;
    const Run& best = ratio ? by_ratio : by_score;
    if (best.result.picks.empty() || best.objective < best.start) {
      throw std::invalid_argument(
          "budget: nothing that it buys raises the objective; shift the quality, or raise the budget.");
    }
    if (ratio) take(by_ratio.result.picks);
  }

  // Where gains do not count the best scores are taken, the smaller row number on ties.
  void by_quality() {
    check_indices(greedy_.excluded, n_, "given");
    std::vector<std::uint8_t> closed(static_cast<std::size_t>(n_), 0);
    for (const Index row : pool_.backend().ignored()) closed[static_cast<std::size_t>(row)] = 1;
    for (const Index row : greedy_.excluded) closed[static_cast<std::size_t>(row)] = 1;
    std::vector<Scored> rows;
    for (Index i = 0; i < n_; ++i) {
      const auto at = static_cast<std::size_t>(i);
      if (closed[at] == 0) rows.push_back({bonus_[at], i});
    }
    if (options_.k > static_cast<Index>(rows.size())) {
      throw std::invalid_argument("k: got " + std::to_string(options_.k) + ", wanted at most the " +
                                  std::to_string(rows.size()) + " rows that can be picked.");
    }
    const auto end = rows.begin() + options_.k;
    std::partial_sort(rows.begin(), end, rows.end(), better);
    std::vector<Index> picks;
    for (auto row = rows.begin(); row != end; ++row) picks.push_back(row->candidate);
    const auto resumed = std::min(picks.size(), greedy_.picks.size());
    if (!std::equal(greedy_.picks.begin(), greedy_.picks.begin() + static_cast<std::ptrdiff_t>(resumed),
                    picks.begin())) {
      throw std::invalid_argument("resume: these are not the first picks of this selection.");
    }
    take(picks);
  }

  // Chooses these rows from the start, and reports them.
  void take(std::span<const Index> picks) {
    pool_.reset(greedy_.excluded);
    reporter_.restart();
    GreedyResult result;
    for (std::size_t begin = 0; begin < picks.size(); begin += kCommitRows) {
      const auto part = picks.subspan(begin, std::min(kCommitRows, picks.size() - begin));
      std::vector<Fixed> gains(part.size());
      pool_.backend().commit(part, gains);
      result.picks.insert(result.picks.end(), part.begin(), part.end());
      result.gains.insert(result.gains.end(), gains.begin(), gains.end());
      reporter_.tick(result, false);
    }
  }

  qdit_pool& pool_;
  const qdit_select_options& options_;
  Output output_;
  Reporter reporter_;
  Index n_;
  GainScale scale_;
  double weight_;
  std::vector<double> bonus_;
  GreedyOptions greedy_;
};

}  // namespace

void select(qdit_pool& pool, const qdit_select_options& given, const Output& output) {
  qdit_select_options options = given;
  at_least<Index>("k", options.k, 1);
  number_between("alpha", options.alpha, 0.0, 1.0);
  if (options.epsilon == 0.0) options.epsilon = kDefaultEpsilon;
  if (options.interval == 0.0) options.interval = kDefaultInterval;
  at_least<std::int64_t>("pair_bytes", options.pair_bytes, 0);
  if (!(options.interval > 0.0)) throw std::invalid_argument("interval: wanted seconds above 0.");
  Selecting selecting(pool, options, output);
  const qdit_pool::InUse in_use(pool, selecting.watcher());
  try {
    selecting.run();
  } catch (const Cancelled&) {
    if (options.costs != nullptr) *output.count = 0;
    throw;
  } catch (...) {
    *output.count = 0;
    throw;
  }
}

}  // namespace qdit::capi
