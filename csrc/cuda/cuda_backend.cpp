#include "cuda/cuda_backend.h"

#include <algorithm>
#include <numeric>
#include <optional>
#include <stdexcept>
#include <utility>

#include "cuda/covering.h"
#include "cuda/cuda_shard.h"
#include "cuda/device.h"
#include "cuda/exact_gains.h"
#include "cuda/first_gains.h"
#include "cuda/kernel_choice.h"
#include "cuda/pool.h"
#include "cuda/product.h"
#include "cuda/similarities.h"
#include "engine/indices.h"
#include "engine/wholeness.h"

namespace qdit::cuda {
namespace {

constexpr Index kNarrow = 256;  // batches narrower than this read the rows for too little
constexpr Index kWide = 8192;

std::size_t at(Index i) { return static_cast<std::size_t>(i); }

class CudaBackend final : public Backend {
 public:
  explicit CudaBackend(PoolOptions options)
      : options_(std::move(options)),
        device_(options_.device),
        stream_(device_),
        n_(options_.rows.n),
        pool_(check()),
        context_{device_, stream_, *pool_, options_.interrupt, n_},
        product_(context_),
        similarities_(context_),
        max_(device_, n_),
        covering_(context_, product_, max_, stats_),
        sum_(device_, 1),
        shard_({context_, product_, max_, stats_},
               {[this](const CudaShard::Load& load, std::span<Fixed> increases) {
                  commit_shard(load, increases);
                },
                [this] { whole_.check(); }, [this] { return empty_; }}) {
    stats_.rows_read = n_;
    restart();
  }
  CudaBackend(const CudaBackend&) = delete;
  CudaBackend& operator=(const CudaBackend&) = delete;
  CudaBackend(CudaBackend&&) = delete;
  CudaBackend& operator=(CudaBackend&&) = delete;
  ~CudaBackend() override {
    if (!device_.in_own_process()) return;
    leaving_.emplace();
    (void)cudaSetDevice(device_.index());  // for what the members free
  }

  std::string name() const override { return "cuda"; }
  std::string device() const override { return choice_.text; }
  Index size() const override { return n_; }
  double scale() const override { return pool_->scale(); }
  double range() const override { return pool_->range(); }
  std::span<const Index> ignored() const override { return pool_->ignored(); }
  bool empty() const override { return empty_; }
  Shard* shard() override { return &shard_; }
  BackendStats stats() const override {
    BackendStats stats = stats_;
    stats.peak_bytes = static_cast<std::int64_t>(device_.peak());
    return stats;
  }

  BatchWidth preferred_batch() const override {
    const Index max = options_.batch > 0 ? options_.batch : kWide;
    return {std::min(kNarrow, max), max};
  }

  void reset(std::span<const Index> given) override {
    check_indices(given, n_, "given");
    const KeepDevice before = device_.enter();
    const Stopwatch watch(stats_.seconds_commit);
    restart();
    std::vector<Index> outside(at(options_.outside.n));
    std::iota(outside.begin(), outside.end(), 0);
    const auto cover = [&](const std::vector<Index>& ids, bool of_pool) {
      std::vector<Fixed> increases(ids.size());
      commit_products(ids, increases, of_pool);
    };
    cover(without(outside, pool_->outside_ignored()), false);
    cover(without(given, pool_->ignored()), true);
  }

  void gains(std::span<const Index> candidates, std::span<Fixed> out) override {
    const Stopwatch watch(stats_.seconds_gains);
    check_indices(candidates, n_, "candidates");
    whole_.check();
    const KeepDevice before = device_.enter();
    stats_.evaluations += static_cast<std::int64_t>(candidates.size());
    ++stats_.batches;
    const auto width = at(preferred_batch().max);
    for (std::size_t begin = 0; begin < candidates.size(); begin += width) {
      const auto count = std::min(width, candidates.size() - begin);
      gains_of_batch(candidates.subspan(begin, count), out.subspan(begin, count));
    }
  }

  void commit(std::span<const Index> candidates, std::span<Fixed> increases) override {
    const Stopwatch watch(stats_.seconds_commit);
    check_indices(candidates, n_, "candidates");
    whole_.check();
    const KeepDevice before = device_.enter();
    stats_.commits += static_cast<std::int64_t>(candidates.size());
    if (exact_ == nullptr) {
      commit_products(candidates, increases, true);
    } else {
      whole_.begin();
      for (std::size_t i = 0; i < candidates.size(); ++i) {
        increases[i] = exact_->commit(candidates[i]);
      }
      whole_.end();
    }
  }

  bool track(std::span<Fixed> gains, std::size_t memory, const std::function<void(double)>& tick) override {
    const Stopwatch watch(stats_.seconds_gains);
    whole_.check();
    const KeepDevice before = device_.enter();
    if (empty_) throw std::logic_error("track: nothing is chosen yet.");
    const auto evaluations = stats_.evaluations;
    exact_.reset();
    exact_ = std::make_unique<ExactGains>(context_, product_, max_, gains, memory, stats_, [&](double share) {
      stats_.evaluations = evaluations + static_cast<std::int64_t>(share * static_cast<double>(n_));
      tick(share);
    });
    stats_.evaluations = evaluations + n_;
    stats_.rows_read += n_;
    return true;
  }
  bool tight(Index candidate) const override { return exact_ != nullptr && exact_->tight(candidate); }

  Index run_tracked(const Picking& picking, std::span<Index> picks, std::span<Fixed> increases) override {
    if (exact_ == nullptr) return 0;
    whole_.check();
    const KeepDevice before = device_.enter();
    whole_.begin();
    const Index count = exact_->run(picking, picks, increases);
    whole_.end();
    stats_.commits += count;
    return count;
  }

  void similarities(std::span<const Index> candidates, std::span<const Index> rows,
                    std::span<Fixed> out) override {
    check_indices(candidates, n_, "candidates");
    check_indices(rows, n_, "rows");
    const KeepDevice before = device_.enter();
    similarities_.of(candidates, rows, out);
    stats_.products += static_cast<double>(candidates.size()) * static_cast<double>(rows.size());
  }

  void nearest(const RowView& centroids, std::span<Index> ids, std::span<double> sims) override {
    const KeepDevice before = device_.enter();
    similarities_.nearest(centroids, ids, sims);
    stats_.products += static_cast<double>(n_) * static_cast<double>(centroids.n);
    stats_.rows_read += n_;
  }

  Fixed coverage() const override {
    whole_.check();
    const KeepDevice before = device_.enter();
    stream_.zero(sum_.data(), 1);
    launch_sum(max_.data(), n_, sum_.data(), stream_.get());
    Fixed sum = 0;
    stream_.download(reinterpret_cast<const Fixed*>(sum_.data()), std::span(&sum, 1));
    return sum;
  }

  void row_coverage(std::span<double> out) const override {
    whole_.check();
    const KeepDevice before = device_.enter();
    std::vector<std::int32_t> max(at(n_));
    stream_.download(max_.data(), std::span(max));
    for (std::size_t v = 0; v < out.size(); ++v) out[v] = max[v] / scale();
  }

 private:
  std::unique_ptr<Pool> check() {
    const Stopwatch watch(stats_.seconds_check);
    choice_ = choose_arithmetic(device_, options_);
    return std::make_unique<Pool>(device_, stream_, options_, choice_.how, options_.interrupt);
  }

  void restart() {
    exact_.reset();
    empty_ = !options_.floor.has_value();
    whole_.end();
    launch_set(max_.data(), n_, pool_->floor(), stream_.get());
    stream_.wait();
  }

  void gains_of_batch(std::span<const Index> candidates, std::span<Fixed> out) {
    if (exact_ != nullptr) {
      exact_->evaluate(candidates, out);
      return;
    }
    const auto count = static_cast<Index>(candidates.size());
    pool_->gather(candidates, batch_);
    out_.grow(device_, count);
    if (empty_) {
      sum_rows();
      launch_first_gains(batch_.operand, row_sum_.data(), out_.data(), stream_.get());
    } else {
      product_.gains(batch_.operand, max_.data(), nullptr, out_.data());
      count_products(candidates.size());
    }
    stream_.download(reinterpret_cast<const Fixed*>(out_.data()), out);
  }

  void sum_rows() {
    if (row_sum_.size() > 0) return;
    std::vector<double> total(at(options_.rows.d), 0.0);
    std::vector<double> open(total.size(), 0.0);
    add_row_sum(context_, 0, total, open);
    for (std::size_t k = 0; k < total.size(); ++k) total[k] += open[k];
    row_sum_ = row_sum_on_device(context_, total);
    stats_.rows_read += n_;
  }

  void commit_products(std::span<const Index> ids, std::span<Fixed> increases, bool of_pool) {
    commit_all(
        [&](Index first, Index count) -> const Batch& {
          const auto part = ids.subspan(at(first), at(count));
          if (of_pool) {
            pool_->gather(part, batch_);
          } else {
            pool_->gather_outside(part, batch_);
          }
          return batch_;
        },
        increases);
  }

  // Rows from other parts of a larger pool, added to the selection of this one.
  void commit_shard(const CudaShard::Load& load, std::span<Fixed> increases) {
    if (exact_ != nullptr) {
      throw std::logic_error("commit: the gains of this pool are tracked; reset() first.");
    }
    commit_all(load, increases);
  }

  void commit_all(const CudaShard::Load& load, std::span<Fixed> increases) {
    whole_.begin();
    covering_.add(load, empty_, increases);
    empty_ = empty_ && increases.empty();
    whole_.end();
  }

  void count_products(std::size_t candidates) {
    stats_.rows_read += n_;
    stats_.products += static_cast<double>(candidates) * static_cast<double>(n_);
  }

  std::optional<KeepDevice> leaving_;  // first, so that it is the last to end
  BackendStats stats_;
  PoolOptions options_;
  Device device_;
  Stream stream_;
  Index n_;
  Choice choice_;
  std::unique_ptr<Pool> pool_;
  Context context_;
  Product product_;
  Similarities similarities_;
  Buffer<std::int32_t> max_;  // running maximum
  Covering covering_;
  Buffer<Sum> sum_;
  Buffer<Sum> out_;
  Buffer<double> row_sum_;  // sum over v of factor(v) * row(v), when first needed
  Batch batch_;
  bool empty_ = true;
  Wholeness whole_;
  std::unique_ptr<ExactGains> exact_;  // while tracking
  CudaShard shard_;
};

}  // namespace

std::unique_ptr<Backend> make_backend(PoolOptions options) {
  const KeepDevice before;
  return std::make_unique<CudaBackend>(std::move(options));
}

}  // namespace qdit::cuda
