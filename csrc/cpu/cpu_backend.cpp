#include "cpu/cpu_backend.h"

#include <algorithm>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <utility>

#include "cpu/bounds.h"
#include "cpu/cpu_shard.h"
#include "cpu/dispatch.h"
#include "cpu/exact_gains.h"
#include "cpu/first_gains.h"
#include "cpu/marginal_gains.h"
#include "cpu/nearest.h"
#include "cpu/pool.h"
#include "cpu/product.h"
#include "cpu/running_max.h"
#include "cpu/scaled_pool.h"
#include "cpu/similar_pairs.h"
#include "engine/indices.h"

namespace qdit {
namespace {

using cpu::BlockSims;
using cpu::kPaddingMax;
using cpu::ScaledRows;

constexpr Index kBatch = 512;            // candidates of a wide product
constexpr std::size_t kSimsWidth = 128;  // candidates of one product whose similarities are wanted

class CpuBackend final : public Backend {
 public:
  explicit CpuBackend(PoolOptions options)
      : options_(std::move(options)),
        kernels_(cpu::select_kernels(options_.simd)),
        pool_(options_.threads, options_.interrupt),
        n_(options_.rows.n),
        scaled_(check()),
        m_(scaled_.represented().view.n),
        product_(kernels_, pool_, scaled_.represented().view, options_.block_rows),
        bounds_(kernels_, pool_, scaled_),
        max_(kernels_, pool_, product_, scaled_, bounds_),
        gains_(kernels_, pool_, product_, scaled_, max_, options_.cache_bytes, stats_),
        shard_(
            {options_.rows, options_.zero_rows, kernels_, pool_, scaled_, product_, max_.values(), stats_},
            [this](const ScaledRows& rows, std::span<Fixed> increases) { commit_shard(rows, increases); },
            [this] { return max_.empty(); }) {
    stats_.rows_read = n_;
    restart();
    note_memory();
  }

  std::string name() const override { return "cpu"; }
  Index size() const override { return n_; }
  Index represented() const override { return m_; }
  double scale() const override { return scaled_.scale(); }
  double sum_scale() const override { return scaled_.sum_scale(); }
  double range() const override { return scaled_.range(); }
  // Parts of a pool represent their own rows, one each.
  Shard* shard() override { return scaled_.of_others() || scaled_.weights() != nullptr ? nullptr : &shard_; }
  std::span<const Index> ignored() const override { return scaled_.rows().ignored; }
  bool empty() const override { return max_.empty(); }
  bool cached(Index candidate) const override { return gains_.cached(candidate); }
  BackendStats stats() const override {
    BackendStats stats = stats_;
    if (exact_) stats.products += exact_->products();
    if (similar_) stats.products += similar_->products();
    stats.products += shard_.products() + max_.products();
    stats.peak_bytes += static_cast<std::int64_t>(shard_.bytes() + (similar_ ? similar_->bytes() : 0));
    return stats;
  }

  BatchWidth preferred_batch() const override {
    const Index max = options_.batch > 0 ? options_.batch : kBatch;
    return {std::min<Index>(kernels_.lanes, max), max};
  }

  void reset(std::span<const Index> given) override {
    check_indices(given, n_, "given");
    const Stopwatch watch(stats_.seconds_commit);
    restart();
    std::vector<Index> outside(static_cast<std::size_t>(options_.outside.n));
    std::iota(outside.begin(), outside.end(), 0);
    cover(scaled_.outside(), without(outside, scaled_.outside().ignored));
    cover(scaled_.rows(), without(given, scaled_.rows().ignored));
  }

  void gains(std::span<const Index> candidates, std::span<Fixed> out) override {
    const Stopwatch watch(stats_.seconds_gains);
    check_indices(candidates, n_, "candidates");
    max_.check();
    stats_.evaluations += static_cast<std::int64_t>(candidates.size());
    ++stats_.batches;
    if (max_.empty()) {
      first_gains(candidates, out);
      return;
    }
    if (exact_) {
      exact_->evaluate(candidates, out);
      return;
    }
    gains_.evaluate(candidates, static_cast<std::size_t>(preferred_batch().max), out);
    note_memory();
  }

  void expect(Index commits) override { max_.expect(commits); }

  void commit(std::span<const Index> candidates, std::span<Fixed> increases) override {
    const Stopwatch watch(stats_.seconds_commit);
    check_indices(candidates, n_, "candidates");
    max_.check();
    stats_.commits += static_cast<std::int64_t>(candidates.size());
    if (exact_) {
      commit_exact(candidates, increases);
      return;
    }
    std::size_t i = 0;
    while (i < candidates.size()) {
      if (gains_.cached(candidates[i])) {
        increases[i] = gains_.commit(candidates[i]);
        ++i;
        continue;
      }
      std::size_t end = i + 1;
      while (end < candidates.size() && !gains_.cached(candidates[end])) ++end;
      commit_products(scaled_.rows(), candidates.subspan(i, end - i), increases.subspan(i, end - i));
      i = end;
    }
    note_memory();
  }

  bool track(std::span<Fixed> gains, std::size_t memory, const std::function<void(double)>& tick) override {
    const Stopwatch watch(stats_.seconds_gains);
    max_.check();
    if (max_.empty()) throw std::logic_error("track: nothing is chosen yet.");
    if (spent_ && spent_->restart(gains, memory)) {
      exact_ = std::move(spent_);
      return true;
    }
    spent_.reset();
    gains_.restart();  // from here on its pairs are in the lists of all
    const auto evaluations = stats_.evaluations;
    const bool again = std::exchange(tracked_, true);  // who comes a second time is not the last
    const auto report = [&](double share) {
      stats_.evaluations = evaluations + static_cast<std::int64_t>(share * static_cast<double>(n_));
      tick(share);
    };
    cpu::ExactGains::Input input{
        kernels_,      pool_, product_, scaled_.represented().view, scaled_.represented().factors,
        max_.values(), 0,     again};
    input.weights = scaled_.weights();
    if (scaled_.of_others()) {
      input.first = cpu::ExactGains::kNone;
      input.others = &scaled_.rows();
    } else {
      input.scaled = &scaled_;
      input.bounds = &bounds_;
    }
    exact_ = std::make_unique<cpu::ExactGains>(input, gains, memory, report);
    if (scaled_.of_others()) {
      exact_->add(scaled_.rows().view, factors(), 0, report);
      exact_->start();
    }
    stats_.evaluations = evaluations + n_;
    stats_.rows_read += m_;
    note_memory();
    return true;
  }
  bool tight(Index candidate) const override { return exact_ != nullptr && exact_->tight(candidate); }

  void similarities(std::span<const Index> candidates, std::span<const Index> rows,
                    std::span<Fixed> out) override {
    check_indices(candidates, n_, "candidates");
    check_indices(rows, n_, "rows");
    std::vector<float> row_factors;
    for (const Index row : rows) row_factors.push_back(factors()[static_cast<std::size_t>(row)]);
    cpu::Product& product = of_pool();
    const AlignedVector<std::int32_t> none(rows.size() + static_cast<std::size_t>(kernels_.tile_rows),
                                           kPaddingMax);
    for (std::size_t begin = 0; begin < candidates.size() && !rows.empty(); begin += kSimsWidth) {
      const auto ids = candidates.subspan(begin, std::min(kSimsWidth, candidates.size() - begin));
      panels_.pack(kernels_, options_.rows, factors(), ids);
      std::vector<Fixed> unused(ids.size());
      BlockSims sims(ids.size(), product.block_rows(), pool_.threads());
      const auto done = [&](const cpu::Product::Block& block) {
        for (std::size_t c = 0; c < ids.size(); ++c) {
          const auto to = out.begin() + static_cast<std::ptrdiff_t>((begin + c) * rows.size()) + block.begin;
          std::copy_n(sims.column(c, block), block.count, to);
        }
      };
      product.run({panels_, row_factors, none.data(), unused, sims.target(), done, rows});
      stats_.products += static_cast<double>(ids.size()) * static_cast<double>(rows.size());
    }
  }

  void nearest(const RowView& centroids, std::span<Index> ids, std::span<double> sims) override {
    const ScaledRows scaled = scaled_.add(centroids);
    std::vector<std::int32_t> best(ids.size());
    std::vector<std::int32_t> best_sims(ids.size());
    stats_.products += cpu::nearest_centroids(
        {kernels_, pool_, options_.rows, factors(), centroids, scaled.factors}, 1, best, best_sims);
    for (std::size_t i = 0; i < ids.size(); ++i) {
      ids[i] = best[i];
      sims[i] = best_sims[i] / scaled_.scale();
    }
    stats_.rows_read += n_;
  }

  std::vector<SimilarPair> similar_pairs(const PairRange& range) override {
    if (!similar_ || similar_->least() != range.least) {
      check_range(range, n_);
      if (similar_) stats_.products += similar_->products();
      similar_ = std::make_unique<cpu::SimilarPairs>(kernels_, pool_, scaled_, bounds_, range.least);
    }
    return similar_->find(range);
  }

  Fixed coverage() const override { return max_.coverage(); }
  void row_coverage(std::span<double> out) const override { max_.row_coverage(out); }

 private:
  cpu::ScaledPool check() {
    const Stopwatch watch(stats_.seconds_check);
    return {options_, kernels_, pool_};
  }

  std::span<const float> factors() const { return scaled_.rows().factors; }

  // Products with rows of the pool, where those with represented rows are not.
  cpu::Product& of_pool() {
    if (!scaled_.of_others()) return product_;
    if (!of_pool_) {
      of_pool_ = std::make_unique<cpu::Product>(kernels_, pool_, options_.rows, options_.block_rows);
    }
    return *of_pool_;
  }

  void cover(const ScaledRows& source, const std::vector<Index>& ids) {
    std::vector<Fixed> increases(ids.size());
    commit_products(source, ids, increases);
  }

  void commit_exact(std::span<const Index> candidates, std::span<Fixed> increases) {
    max_.whole().begin();
    for (std::size_t i = 0; i < candidates.size(); ++i) increases[i] = exact_->commit(candidates[i]);
    max_.whole().end();
    if (stats_.commits % 256 == 0) note_memory();
  }

  void restart() {
    if (exact_) {
      stats_.products += exact_->products();
      spent_ = std::move(exact_);
    }
    shard_.reset();
    max_.restart(!options_.floor.has_value());
    gains_.restart();
  }

  void first_gains(std::span<const Index> candidates, std::span<Fixed> out) {
    if (row_sum_.empty()) {
      const ScaledRows& represented = scaled_.represented();
      row_sum_ =
          cpu::weighted_row_sum(represented.view, represented.factors, scaled_.weights(), kernels_, pool_);
      stats_.rows_read += m_;
    }
    cpu::first_gains(options_.rows, factors(), row_sum_, candidates, kernels_, pool_, out);
  }

  void commit_products(const ScaledRows& source, std::span<const Index> ids, std::span<Fixed> increases) {
    max_.raise(source, ids, increases);
    stats_.rows_read +=
        m_ * static_cast<Index>((ids.size() + cpu::RunningMax::kWidth - 1) / cpu::RunningMax::kWidth);
  }

  // Rows from other parts of a larger pool, added to the selection of this one.
  void commit_shard(const ScaledRows& rows, std::span<Fixed> increases) {
    const Stopwatch watch(stats_.seconds_commit);
    max_.check();
    if (exact_) throw std::logic_error("commit: the gains of this pool are tracked; reset() first.");
    std::vector<Index> ids(static_cast<std::size_t>(rows.view.n));
    std::iota(ids.begin(), ids.end(), 0);
    commit_products(rows, ids, increases);
    stats_.commits += rows.view.n;
  }

  void note_memory() {
    const auto bytes = scaled_.bytes() + max_.bytes() + bounds_.bytes() + row_sum_.size() * sizeof(double) +
                       product_.bytes() + (of_pool_ ? of_pool_->bytes() : 0) + panels_.bytes() +
                       gains_.bytes() + (exact_ ? exact_->bytes() : 0);
    stats_.peak_bytes = std::max(stats_.peak_bytes, static_cast<std::int64_t>(bytes));
  }

  BackendStats stats_;
  PoolOptions options_;
  const cpu::Kernels& kernels_;
  cpu::ThreadPool pool_;
  Index n_;
  cpu::ScaledPool scaled_;
  Index m_;               // represented rows
  cpu::Product product_;  // with them
  std::unique_ptr<cpu::Product> of_pool_;
  cpu::Panels panels_;
  cpu::Bounds bounds_;
  cpu::RunningMax max_;
  cpu::MarginalGains gains_;
  cpu::CpuShard shard_;
  std::vector<double> row_sum_;             // sum over v of weight(v) * factor(v) * row(v), when first needed
  std::unique_ptr<cpu::ExactGains> exact_;  // while tracking
  std::unique_ptr<cpu::ExactGains> spent_;  // of the run before: the next may start from the same maxima
  std::unique_ptr<cpu::SimilarPairs> similar_;
  bool tracked_ = false;  // a run did track
};

}  // namespace

std::unique_ptr<Backend> make_cpu_backend(PoolOptions options) {
  return std::make_unique<CpuBackend>(std::move(options));
}

}  // namespace qdit
