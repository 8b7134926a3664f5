#include "reference/reference_backend.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <utility>

#include "engine/fixed_point.h"
#include "engine/indices.h"
#include "engine/row_check.h"
#include "engine/row_weights.h"
#include "engine/wholeness.h"

namespace qdit {
namespace {

// Finer than the 26 bits of the fast backends; 2^37 a pair leaves room for 2^26 rows in 63 bits.
constexpr int kScaleBits = 36;
// 2^27 a pair, for the 2^35 that weights add up to.
constexpr int kWeightedBits = 26;

class ReferenceBackend final : public Backend, private Shard {
 public:
  explicit ReferenceBackend(PoolOptions options)
      : options_(std::move(options)),
        n_(options_.rows.n),
        d_(options_.rows.d),
        others_(options_.represented.n > 0),
        weights_(options_.weights),
        row_(static_cast<std::size_t>(d_)),
        other_(static_cast<std::size_t>(d_)),
        max_(static_cast<std::size_t>(represented_rows().n)) {
    const Stopwatch watch(stats_.seconds_check);
    double largest = options_.range;
    ignored_ = scan(options_.rows, inverse_norm_, largest);
    outside_ignored_ = scan(options_.outside, outside_inverse_norm_, largest);
    scan(options_.represented, represented_inverse_norm_, largest);
    range_ = similarity_range(options_.metric, largest);
    const int bits = weights_.data() == nullptr ? kScaleBits : kWeightedBits;
    scale_ = std::ldexp(1.0, scale_exponent(range_, bits));
    if (options_.floor) floor_ = fixed_floor(*options_.floor, range_, scale_);
    stats_.peak_bytes = static_cast<std::int64_t>((inverse_norm_.size() + outside_inverse_norm_.size() +
                                                   represented_inverse_norm_.size() + max_.size() +
                                                   row_.size() + other_.size()) *
                                                  sizeof(double));
    restart();
  }

  std::string name() const override { return "reference"; }
  Index size() const override { return n_; }
  Index represented() const override { return represented_rows().n; }
  double scale() const override { return scale_; }
  double sum_scale() const override { return scale_ * weights_.scale(); }
  double range() const override { return range_; }
  Shard* shard() override { return others_ || weights_.data() != nullptr ? nullptr : this; }
  BatchWidth preferred_batch() const override { return {1, 64}; }
  std::span<const Index> ignored() const override { return ignored_; }
  bool empty() const override { return empty_; }
  BackendStats stats() const override { return stats_; }

  void reset(std::span<const Index> given) override {
    check_indices(given, n_, "given");
    restart();
    for (Index i = 0; i < options_.outside.n; ++i) {
      if (std::binary_search(outside_ignored_.begin(), outside_ignored_.end(), i)) continue;
      read(options_.outside, i, row_);
      cover(outside_inverse_norm_[static_cast<std::size_t>(i)]);
    }
    const auto rows = without(given, ignored_);
    std::vector<Fixed> increases(rows.size());
    commit(rows, increases);
  }

  void gains(std::span<const Index> candidates, std::span<Fixed> out) override {
    const Stopwatch watch(stats_.seconds_gains);
    whole_.check();
    check_indices(candidates, n_, "candidates");
    std::vector<std::vector<double>> rows(candidates.size(), row_);
    for (std::size_t i = 0; i < rows.size(); ++i) read(options_.rows, candidates[i], rows[i]);
    std::fill(out.begin(), out.end(), 0);
    for (Index v = 0; v < represented(); ++v) {
      read(represented_rows(), v, other_);
      ++stats_.rows_read;
      for (std::size_t i = 0; i < rows.size(); ++i) {
        const double factor = inverse_norm_[static_cast<std::size_t>(candidates[i])];
        out[i] += rise(similarity(rows[i], factor * represented_norms()[static_cast<std::size_t>(v)]), v);
      }
    }
    for (std::size_t i = 0; i < candidates.size() && !tracked_.empty(); ++i) {
      tracked_[static_cast<std::size_t>(candidates[i])] = out[i];
      evaluated_[static_cast<std::size_t>(candidates[i])] = stats_.commits;
    }
    stats_.evaluations += static_cast<std::int64_t>(candidates.size());
    stats_.products += static_cast<double>(candidates.size()) * static_cast<double>(represented());
    ++stats_.batches;
  }

  void commit(std::span<const Index> candidates, std::span<Fixed> increases) override {
    const Stopwatch watch(stats_.seconds_commit);
    whole_.check();
    check_indices(candidates, n_, "candidates");
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      read(options_.rows, candidates[i], row_);
      increases[i] = cover(inverse_norm_[static_cast<std::size_t>(candidates[i])]);
    }
    stats_.commits += static_cast<std::int64_t>(candidates.size());
  }

  // Plainly: gains stay as they were until somebody asks for them.
  bool track(std::span<Fixed> gains, std::size_t /*memory*/,
             const std::function<void(double)>& tick) override {
    if (empty_) throw std::logic_error("track: nothing is chosen yet.");
    tracked_ = gains;
    evaluated_.assign(gains.size(), -1);
    for (Index c = 0; c < n_; ++c) {
      Fixed gain = 0;
      this->gains({&c, 1}, {&gain, 1});
      tick(static_cast<double>(c + 1) / static_cast<double>(n_));
    }
    return true;
  }
  bool tight(Index candidate) const override {
    return !tracked_.empty() && evaluated_[static_cast<std::size_t>(candidate)] == stats_.commits;
  }

  void similarities(std::span<const Index> candidates, std::span<const Index> rows,
                    std::span<Fixed> out) override {
    check_indices(candidates, n_, "candidates");
    check_indices(rows, n_, "rows");
    std::size_t at = 0;
    for (const Index c : candidates) {
      read(options_.rows, c, row_);
      for (const Index row : rows) {
        read(options_.rows, row, other_);
        out[at++] = similarity(
            row_, inverse_norm_[static_cast<std::size_t>(c)] * inverse_norm_[static_cast<std::size_t>(row)]);
      }
    }
  }

  void nearest(const RowView& centroids, std::span<Index> ids, std::span<double> sims) override {
    std::vector<double> inverse;
    double largest = 0.0;
    scan(centroids, inverse, largest);
    std::fill(ids.begin(), ids.end(), -1);
    for (Index c = 0; c < centroids.n; ++c) {
      read(centroids, c, row_);
      for (Index v = 0; v < n_; ++v) {
        read(options_.rows, v, other_);
        const auto at = static_cast<std::size_t>(v);
        const double s =
            static_cast<double>(similarity(row_, inverse[static_cast<std::size_t>(c)] * inverse_norm_[at])) /
            scale_;
        if (ids[at] >= 0 && s <= sims[at]) continue;
        ids[at] = c;
        sims[at] = s;
      }
    }
  }

  Fixed coverage() const override {
    whole_.check();
    Fixed sum = 0;
    for (std::size_t v = 0; v < max_.size(); ++v) sum += weighted(weights_.data(), v, max_[v]);
    return sum;
  }

  void row_coverage(std::span<double> out) const override {
    whole_.check();
    for (std::size_t v = 0; v < max_.size(); ++v) out[v] = static_cast<double>(max_[v]) / scale_;
  }

 private:
  void restart() {
    whole_.end();
    empty_ = !options_.floor.has_value();
    tracked_ = {};
    std::fill(max_.begin(), max_.end(), floor_);
  }

  // As a part of a larger pool.
  void gains(const RowView& candidates, std::span<Fixed> out) override {
    const Stopwatch watch(stats_.seconds_gains);
    whole_.check();
    std::vector<double> inverse;
    double largest = 0.0;
    scan(candidates, inverse, largest);
    std::fill(out.begin(), out.end(), 0);
    for (Index c = 0; c < candidates.n; ++c) {
      read(candidates, c, row_);
      const auto at = static_cast<std::size_t>(c);
      for (Index v = 0; v < n_; ++v) {
        read(options_.rows, v, other_);
        out[at] += rise(similarity(row_, inverse[at] * inverse_norm_[static_cast<std::size_t>(v)]), v);
      }
    }
    stats_.evaluations += candidates.n;
    stats_.products += static_cast<double>(candidates.n) * static_cast<double>(n_);
  }

  using Shard::commit;
  void commit(const RowView& candidates, std::span<Fixed> increases) override {
    const Stopwatch watch(stats_.seconds_commit);
    whole_.check();
    std::vector<double> inverse;
    double largest = 0.0;
    scan(candidates, inverse, largest);
    for (Index c = 0; c < candidates.n; ++c) {
      read(candidates, c, row_);
      increases[static_cast<std::size_t>(c)] = cover(inverse[static_cast<std::size_t>(c)]);
    }
    stats_.commits += candidates.n;
  }

  static void read(const RowView& rows, Index i, std::vector<double>& out) {
    for (Index k = 0; k < rows.d; ++k) out[static_cast<std::size_t>(k)] = item_value(rows, i, k);
  }

  std::vector<Index> scan(const RowView& rows, std::vector<double>& inverse_norm, double& largest) {
    // Checked as the other backends see the rows, rounded to float32: every backend accepts the same pools.
    std::vector<double> squared(static_cast<std::size_t>(rows.n), 0.0);
    std::vector<double> exact(squared.size(), 0.0);
    for (Index i = 0; i < rows.n; ++i) {
      options_.interrupt.poll();
      read(rows, i, row_);
      const auto at = static_cast<std::size_t>(i);
      for (const double x : row_) {
        const double rounded = static_cast<double>(static_cast<float>(x));
        squared[at] += rounded * rounded;
        exact[at] += x * x;
      }
      if (exact[at] > largest) largest = exact[at];
    }
    auto ignored = check_rows(rows, squared, options_.metric, options_.zero_rows);
    inverse_norm.resize(squared.size());
    for (std::size_t i = 0; i < squared.size(); ++i) {
      const bool scaled = options_.metric == Metric::kCosine && exact[i] > 0.0;
      inverse_norm[i] = scaled ? 1.0 / std::sqrt(exact[i]) : 1.0;
    }
    return ignored;
  }

  const RowView& represented_rows() const { return others_ ? options_.represented : options_.rows; }
  std::span<const double> represented_norms() const {
    return others_ ? represented_inverse_norm_ : inverse_norm_;
  }

  // What a similarity adds to the sum of maxima, by represented row v.
  Fixed rise(Fixed s, Index v) const {
    const auto at = static_cast<std::size_t>(v);
    return weighted(weights_.data(), at, empty_ ? s : std::max<Fixed>(0, s - max_[at]));
  }

  // Between a row and the one that lies in other_; factor: of their inverse norms.
  Fixed similarity(const std::vector<double>& row, double factor) {
    options_.interrupt.poll();
    double dot = 0.0;
    for (std::size_t k = 0; k < row.size(); ++k) dot += row[k] * other_[k];
    return std::llrint(dot * factor * scale_);
  }

  Fixed cover(double factor) {
    Fixed increase = 0;
    whole_.begin();
    for (Index v = 0; v < represented(); ++v) {
      read(represented_rows(), v, other_);
      ++stats_.rows_read;
      const auto at = static_cast<std::size_t>(v);
      const Fixed s = similarity(row_, factor * represented_norms()[at]);
      increase += rise(s, v);
      max_[at] = empty_ ? s : std::max(max_[at], s);
    }
    empty_ = false;
    whole_.end();
    return increase;
  }

  PoolOptions options_;
  Index n_;
  Index d_;
  bool others_;         // maxima are of rows that are not the pool's
  RowWeights weights_;  // of them
  double range_ = 1.0;
  double scale_ = 1.0;
  Fixed floor_ = 0;
  bool empty_ = true;
  std::vector<double> row_;
  std::vector<double> other_;
  std::vector<double> inverse_norm_;
  std::vector<double> outside_inverse_norm_;
  std::vector<double> represented_inverse_norm_;
  std::vector<Fixed> max_;
  std::vector<Index> ignored_;
  std::vector<Index> outside_ignored_;
  std::span<Fixed> tracked_;             // while tracking: the gains ...
  std::vector<std::int64_t> evaluated_;  // ... and the number of commits when each was evaluated
  Wholeness whole_;
  BackendStats stats_;
};

}  // namespace

std::unique_ptr<Backend> make_reference_backend(PoolOptions options) {
  return std::make_unique<ReferenceBackend>(std::move(options));
}

}  // namespace qdit
