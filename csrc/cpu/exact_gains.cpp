#include "cpu/exact_gains.h"

#include <algorithm>
#include <utility>

#include "cpu/pruned_pass.h"
#include "engine/interrupt.h"
#include "engine/row_weights.h"

namespace qdit::cpu {
namespace {

constexpr Index kSample = 256;       // candidates that thresholds are estimated from
constexpr double kListShare = 0.08;  // of all pairs: more costs memory traffic, fewer cost products later
// Pairs offered to a list, of what it can hold: estimates err, and a full list keeps the most similar ones.
constexpr double kOffered = 1.5;
constexpr double kRegroupSeconds = 20e-9;  // to group one pair by candidate

std::size_t at(Index i) { return static_cast<std::size_t>(i); }

}  // namespace

ExactGains::ExactGains(const Input& input, std::span<Fixed> gains, std::size_t memory,
                       const std::function<void(double)>& tick)
    : input_(input), gains_(gains), memory_(memory), evaluated_(gains.size(), 0) {
  const Index n = input_.rows.n;
  // Pairs grouped by candidate come later: in a quarter, or in what dead pairs leave.
  const std::size_t for_lists = input.again ? memory / 4 * 3 : memory;
  const auto fit = static_cast<Index>(for_lists / sizeof(AlivePair) / at(n));
  const Index capacity = std::clamp<Index>(fit, 1, candidates());
  const double share =
      std::min(kListShare, kOffered * static_cast<double>(capacity) / static_cast<double>(candidates()));
  lists_ = std::make_unique<AliveLists>(n, capacity, choose_thresholds(share));
  changes_.resize(at(input_.pool.threads()));
  if (pruned_pass(tick)) {
    start();
    return;
  }
  pass_ = std::make_unique<SymmetricPass>(SymmetricPass::Input{input_.kernels, input_.pool, input_.rows,
                                                               input_.factors, input_.max.data(),
                                                               input_.first, input_.weights});
  if (input_.first != kNone) {
    pass_->run(gains_.subspan(at(input_.first), at(n)), *lists_, tick);
    products_ += static_cast<double>(pass_->pairs());
  }
  if (input_.first == 0 && candidates() == n) start();
}

// False, and nothing done, where bounds do not pay.
bool ExactGains::pruned_pass(const std::function<void(double)>& tick) {
  if (input_.bounds == nullptr) return false;
  PrunedPass pass(input_.kernels, input_.pool, *input_.scaled, *input_.bounds, input_.max.data());
  if (!pass.pays()) return false;
  pass.run(gains_, *lists_, tick);
  products_ += pass.products();
  pass_bytes_ = pass.bytes();
  return true;
}

void ExactGains::add(const RowView& rows, std::span<const float> factors, Index first,
                     const std::function<void(double)>& tick) {
  pass_->run({rows, factors, first}, gains_.subspan(at(first), at(rows.n)), *lists_, tick);
  products_ += static_cast<double>(rows.n) * static_cast<double>(input_.rows.n);
}

void ExactGains::start() {
  const Index n = input_.rows.n;
  list_bytes_ = lists_->bytes();
  pass_bytes_ += list_bytes_;
  if (pass_) pass_bytes_ += pass_->bytes();
  pass_.reset();
  start_max_.assign(input_.max.begin(), input_.max.begin() + n);
  start_gains_.assign(gains_.begin(), gains_.end());
  start_counts_.resize(at(n));
  for (Index v = 0; v < n; ++v) start_counts_[at(v)] = static_cast<std::uint32_t>(lists_->count(v));
  begin();
}

// Pairs that left a list are still there, behind its end: raise() moves them, it loses none.
bool ExactGains::restart(std::span<Fixed> gains, std::size_t memory) {
  if (start_max_.empty() || list_bytes_ > memory) return false;
  if (!std::equal(start_max_.begin(), start_max_.end(), input_.max.begin())) return false;
  memory_ = memory;
  gains_ = gains;
  std::copy(start_gains_.begin(), start_gains_.end(), gains_.begin());
  for (std::size_t v = 0; v < start_counts_.size(); ++v) {
    lists_->cut(static_cast<Index>(v), start_counts_[v]);
  }
  std::fill(evaluated_.begin(), evaluated_.end(), std::int64_t{0});
  commits_ = 0;
  all_dense_ = true;
  dense_.clear();
  listed_.clear();
  dense_seconds_ = 0.0;
  products_ = 0.0;
  begin();
  return true;
}

void ExactGains::begin() {
  find_incomplete();
  for (auto& changes : changes_) {
    changes.gains.assign(gains_.size(), 0);
    changes.complete.clear();
    changes.coverage = 0;
  }
  if (!incomplete_.empty()) sum_complete();
}

// Where the list of each row starts: at its maximum, or higher if more than `share` of the pairs are alive.
std::vector<std::int32_t> ExactGains::choose_thresholds(double share) {
  const Index n = input_.rows.n;
  std::vector<std::int32_t> thresholds(input_.max.begin(), input_.max.begin() + n);
  const Index count = candidate_rows().n;  // of a part of a pool its own
  if (count <= 4 * kSample) return thresholds;
  std::vector<Index> sample(at(kSample));
  for (Index i = 0; i < kSample; ++i) sample[at(i)] = i * count / kSample;
  panels_.pack(input_.kernels, candidate_rows(), candidate_factors(), sample);
  BlockSims sims(sample.size(), input_.product.block_rows(), input_.pool.threads());
  const auto rank = static_cast<std::ptrdiff_t>((1.0 - share) * static_cast<double>(kSample));
  const auto done = [&](const Product::Block& block) {
    std::vector<std::int32_t> of_row(sample.size());
    for (Index i = 0; i < block.count; ++i) {
      for (std::size_t c = 0; c < of_row.size(); ++c) of_row[c] = sims.column(c, block)[i];
      std::nth_element(of_row.begin(), of_row.begin() + rank, of_row.end());
      std::int32_t& threshold = thresholds[at(block.begin + i)];
      threshold = std::max(threshold, of_row[static_cast<std::size_t>(rank)]);
    }
  };
  std::vector<Fixed> unused(sample.size());
  input_.product.run({panels_, input_.factors, input_.max.data(), unused, sims.target(), done});
  products_ += static_cast<double>(n) * static_cast<double>(kSample);
  return thresholds;
}

void ExactGains::find_incomplete() {
  incomplete_.clear();
  for (Index v = 0; v < input_.rows.n; ++v) {
    if (lists_->threshold(v) > input_.max[at(v)]) incomplete_.push_back(v);
  }
  subset_max_.assign(incomplete_.size() + at(input_.kernels.tile_rows), kPaddingMax);
  subset_factor_.resize(incomplete_.size());
  subset_weight_.resize(input_.weights == nullptr ? 0 : incomplete_.size());
  for (std::size_t i = 0; i < incomplete_.size(); ++i) {
    subset_max_[i] = input_.max[at(incomplete_[i])];
    subset_factor_[i] = input_.factors[at(incomplete_[i])];
    if (input_.weights != nullptr) subset_weight_[i] = input_.weights[incomplete_[i]];
  }
}

// complete_[c] = sum over complete rows v of w_v * max(0, s(c, v) - m_v)
void ExactGains::sum_complete() {
  const Index n = input_.rows.n;
  complete_.assign(gains_.size(), 0);
  for (auto& changes : changes_) changes.complete.assign(gains_.size(), 0);
  constexpr Index kRows = 256;
  input_.pool.run((n + kRows - 1) / kRows, [&](std::int64_t task, int thread) {
    Fixed* sums = changes_[at(thread)].complete.data();
    for (Index v = task * kRows; v < std::min(n, (task + 1) * kRows); ++v) {
      const std::int32_t m = input_.max[at(v)];
      if (lists_->threshold(v) > m) continue;
      for (const AlivePair& pair : lists_->pairs(v)) {
        sums[pair.candidate] += weighted(input_.weights, at(v), pair.sim - m);
      }
    }
  });
  for (auto& changes : changes_) {
    for (std::size_t c = 0; c < complete_.size(); ++c) complete_[c] += std::exchange(changes.complete[c], 0);
  }
}

void ExactGains::evaluate(std::span<const Index> candidates, std::span<Fixed> out) {
  if (incomplete_.empty()) {
    for (std::size_t i = 0; i < candidates.size(); ++i) out[i] = gains_[at(candidates[i])];
    return;
  }
  panels_.pack(input_.kernels, candidate_rows(), candidate_factors(), candidates);
  input_.product.run({panels_,
                      subset_factor_,
                      subset_max_.data(),
                      out,
                      {},
                      {},
                      incomplete_,
                      subset_weight_.empty() ? nullptr : subset_weight_.data()});
  products_ += static_cast<double>(candidates.size()) * static_cast<double>(incomplete_.size());
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const auto c = at(candidates[i]);
    out[i] += complete_[c];
    gains_[c] = out[i];
    evaluated_[c] = commits_;
  }
}

// m_v rises to `to`: every listed candidate loses what it could have added up to there; pairs that can add no
// more leave the list. gains and complete are added to; complete is null when all rows are complete.
void ExactGains::raise(Index v, std::int32_t to, Fixed* gains, Fixed* complete) {
  const std::int32_t from = input_.max[at(v)];
  const std::int32_t threshold = lists_->threshold(v);
  const bool was_complete = threshold <= from;
  const bool is_complete = threshold <= to;
  input_.max[at(v)] = to;
  const Fixed weight = weighted(input_.weights, at(v), 1);
  const auto list = lists_->pairs(v);
  std::size_t kept = 0;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const AlivePair pair = list[i];
    const Fixed lost = weight * (static_cast<Fixed>(std::min(pair.sim, to)) - from);
    gains[pair.candidate] -= lost;
    if (complete != nullptr && is_complete) {
      complete[pair.candidate] +=
          was_complete ? -lost : weight * (static_cast<Fixed>(pair.sim) - std::min(pair.sim, to));
    }
    list[i] = list[kept];
    list[kept] = pair;
    kept += pair.sim > to ? 1 : 0;
  }
  lists_->cut(v, kept);
}

Fixed ExactGains::commit(Index a) {
  const std::span<const Index> one(&a, 1);
  return commit({one, candidate_rows(), candidate_factors(), one});
}

Fixed ExactGains::commit(const Candidates& a) {
  ++commits_;
  const bool partial = !incomplete_.empty();
  const Fixed rise = commit_dense(a) + commit_listed(a.numbers.front());
  if (partial) {
    find_incomplete();
    // Bounds that were not evaluated for a while give way to what is now known exactly.
    if (incomplete_.empty()) {
      std::copy(complete_.begin(), complete_.end(), gains_.begin());
      for (auto& changes : changes_) changes.complete.clear();
    }
  }
  maybe_regroup();
  return rise;
}

// Rows that are reached by their similarity with a, each by the thread that computed it.
Fixed ExactGains::commit_dense(const Candidates& a) {
  if (dense() == 0) return 0;
  BlockSims sims(1, input_.product.block_rows(), input_.pool.threads());
  const bool partial = !incomplete_.empty();
  const auto done = [&](const Product::Block& block) {
    Changes& changes = changes_[at(block.thread)];
    for (Index i = 0; i < block.count; ++i) {
      const Index v = all_dense_ ? block.begin + i : dense_[at(block.begin + i)];
      const std::int32_t sim = sims.column(0, block)[i];
      const std::int32_t old = input_.max[at(v)];
      if (sim <= old) continue;
      changes.coverage += weighted(input_.weights, at(v), sim - old);
      raise(v, sim, changes.gains.data(), partial ? changes.complete.data() : nullptr);
    }
  };
  multiply_dense(a, sims, done);
  Fixed rise = 0;
  for (auto& changes : changes_) {
    rise += std::exchange(changes.coverage, 0);
    apply(changes);
  }
  return rise;
}

// Similarities with the rows that are reached by a product.
void ExactGains::multiply_dense(const Candidates& candidates, BlockSims& sims, const Product::Done& done) {
  const Stopwatch watch(dense_seconds_);
  panels_.pack(input_.kernels, candidates.rows, candidates.factors, candidates.which);
  std::vector<Fixed> unused(candidates.which.size());
  // The maxima may change while the product reads them, so it reads others, for sums that nobody uses.
  const AlignedVector<std::int32_t> none(at(dense() + input_.kernels.tile_rows), kPaddingMax);
  if (all_dense_) {
    input_.product.run({panels_, input_.factors, none.data(), unused, sims.target(), done});
  } else {
    std::vector<float> factors(dense_.size());
    for (std::size_t i = 0; i < factors.size(); ++i) factors[i] = input_.factors[at(dense_[i])];
    input_.product.run({panels_, factors, none.data(), unused, sims.target(), done, dense_});
  }
  products_ += static_cast<double>(candidates.which.size()) * static_cast<double>(dense());
}

PairTable ExactGains::pairs(const Candidates& candidates) {
  const std::size_t count = candidates.numbers.size();
  const auto threads = at(input_.pool.threads());
  // Of each thread, of each candidate.
  std::vector<std::vector<CandidatePair>> found(threads * count);
  const auto keep = [&](std::vector<CandidatePair>& to, Index v, std::int32_t sim) {
    if (sim > input_.max[at(v)]) to.push_back({static_cast<std::uint32_t>(v), sim});
  };
  if (dense() > 0 && count > 0) {
    BlockSims sims(count, input_.product.block_rows(), input_.pool.threads());
    multiply_dense(candidates, sims, [&](const Product::Block& block) {
      for (std::size_t c = 0; c < count; ++c) {
        auto& to = found[at(block.thread) * count + c];
        const std::int32_t* column = sims.column(c, block);
        for (Index i = 0; i < block.count; ++i) {
          keep(to, all_dense_ ? block.begin + i : dense_[at(block.begin + i)], column[i]);
        }
      }
    });
  }
  PairTable table;
  table.offsets.push_back(0);
  for (std::size_t c = 0; c < count; ++c) {
    const auto number = at(candidates.numbers[c]);
    if (!all_dense_) {
      for (const auto& [row, sim] : listed_.of(candidates.numbers[c])) {
        keep(found[c], static_cast<Index>(row), sim);
      }
    }
    Fixed gain = 0;
    for (std::size_t thread = 0; thread < threads; ++thread) {
      for (const auto& [row, sim] : found[thread * count + c]) {
        table.rows.push_back(row);
        table.rises.push_back(sim - input_.max[row]);
        gain += table.rises.back();
      }
    }
    gains_[number] = gain;
    evaluated_[number] = commits_;
    table.offsets.push_back(static_cast<std::int64_t>(table.rows.size()));
  }
  return table;
}

void ExactGains::apply(Changes& changes) {
  for (std::size_t c = 0; c < gains_.size(); ++c) gains_[c] += std::exchange(changes.gains[c], 0);
  for (std::size_t c = 0; c < changes.complete.size(); ++c) {
    complete_[c] += std::exchange(changes.complete[c], 0);
  }
}

// Rows that are reached by the pairs of a.
Fixed ExactGains::commit_listed(Index a) {
  if (all_dense_) return 0;
  Fixed* complete = incomplete_.empty() ? nullptr : complete_.data();
  Fixed rise = 0;
  for (const auto& [row, sim] : listed_.of(a)) {
    const auto v = static_cast<Index>(row);
    const std::int32_t old = input_.max[at(v)];
    if (sim <= old) continue;
    rise += weighted(input_.weights, at(v), sim - old);
    raise(v, sim, gains_.data(), complete);
  }
  return rise;
}

// Grouping pairs by candidate pays once the products of commits have cost as much as it does.
void ExactGains::maybe_regroup() {
  if (dense() == 0) return;
  const Index n = input_.rows.n;
  if (2 * static_cast<Index>(incomplete_.size()) > dense()) return;
  if (dense_seconds_ < kRegroupSeconds * static_cast<double>(n)) return;
  const std::span<const std::int32_t> max(input_.max.data(), at(n));
  const std::int64_t pairs = PairsByCandidate::count(*lists_, max);
  if (dense_seconds_ < kRegroupSeconds * static_cast<double>(pairs)) return;
  if (!make_room(static_cast<std::size_t>(pairs) * sizeof(CandidatePair))) return;
  listed_.group(*lists_, max, pairs, candidates(), input_.pool);
  all_dense_ = false;
  dense_ = incomplete_;
  dense_seconds_ = 0.0;
}

// Whether there is memory for so much beside the lists, made compact if need be: then they cannot start
// again.
bool ExactGains::make_room(std::size_t bytes) {
  if (bytes + list_bytes_ <= memory_) return true;
  if (input_.again || bytes + lists_->pair_bytes() > memory_) return false;
  lists_->compact();
  list_bytes_ = pass_bytes_ = lists_->bytes();
  start_max_ = {};
  start_gains_ = {};
  start_counts_ = {};
  return true;
}

std::size_t ExactGains::bytes() const {
  std::size_t sum = pass_bytes_ + listed_.bytes() + (complete_.size() + evaluated_.size()) * sizeof(Fixed) +
                    panels_.bytes() + (incomplete_.size() + dense_.size()) * sizeof(Index) +
                    start_gains_.size() * (sizeof(Fixed) + sizeof(std::int32_t) + sizeof(std::uint32_t));
  for (const auto& changes : changes_)
    sum += (changes.gains.size() + changes.complete.size()) * sizeof(Fixed);
  return sum;
}

}  // namespace qdit::cpu
