// The narrow line between greedy loops and arithmetic. Only candidate ids and gains cross it; the running
// maximum m_v = max over chosen a of s(a, v) stays inside the backend.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "engine/rows.h"
#include "engine/shard.h"
#include "engine/similar_pairs.h"
#include "engine/types.h"

namespace qdit {

// Batches narrower than `min` cost as much as `min`; wider than `max` brings nothing more.
struct BatchWidth {
  Index min = 1;
  Index max = 1;
};

struct BackendStats {
  std::int64_t evaluations = 0;         // marginal gains computed
  std::int64_t cached_evaluations = 0;  // those served from stored similarities
  std::int64_t commits = 0;
  std::int64_t batches = 0;
  std::int64_t rows_read = 0;  // pool rows decoded, over all passes
  double products = 0.0;       // pairs of rows multiplied
  double seconds_check = 0.0;
  double seconds_gains = 0.0;
  double seconds_commit = 0.0;
  double seconds_pass = 0.0;    // of seconds_gains or seconds_commit: passes over all pairs (cuda)
  double seconds_count = 0.0;   // of seconds_pass: the pass that finds all gains
  double seconds_fill = 0.0;    // of seconds_pass: the one that lists alive pairs, where there are any
  double seconds_sparse = 0.0;  // in run_tracked()
  // Of gains that are kept exact from pick to pick (cuda).
  double products_evaluating = 0.0;  // of products: those of evaluations
  std::int64_t pairs_written = 0;    // to lists
  std::int64_t rebuilds = 0;         // of all lists; relists: of those of the rows that were left
  std::int64_t relists = 0;
  std::int64_t dense_picks = 0;  // those that went to the host and all rows
  std::int64_t pick_waits = 0;   // for the device, by the host
  std::int64_t pick_bytes_down = 0;
  std::int64_t peak_bytes = 0;  // memory of the backend, without the pool
};

class Backend {
 public:
  Backend() = default;
  Backend(const Backend&) = delete;
  Backend& operator=(const Backend&) = delete;
  virtual ~Backend() = default;

  virtual std::string name() const = 0;
  // Where and how precisely it multiplies, if there is a choice.
  virtual std::string device() const { return {}; }
  virtual Index size() const = 0;
  // The rows v that d is summed over: those of the pool, or others that candidates are to represent.
  virtual Index represented() const { return size(); }
  virtual double scale() const = 0;  // fixed-point units per unit of similarity
  // Fixed-point units per unit of gains and coverage: scale(), finer where represented rows have weights.
  virtual double sum_scale() const { return scale(); }
  virtual double range() const = 0;  // the largest similarity there can be
  virtual BatchWidth preferred_batch() const = 0;
  // Rows that take no part (all zeros under cosine with zero_rows="ignore"), ascending.
  virtual std::span<const Index> ignored() const = 0;

  // Empties the selection, then covers with the outside rows and with the given pool rows.
  virtual void reset(std::span<const Index> given) = 0;
  // True while nothing is chosen and there is no floor: "nothing yet". Gains then are sum_v s(c, v), and they
  // bound nothing: with negative similarities d is not submodular at the empty set.
  virtual bool empty() const = 0;
  // Marginal gains d(c | A): out[i] = sum_v w_v * max(0, s(c_i, v) - m_v).
  virtual void gains(std::span<const Index> candidates, std::span<Fixed> out) = 0;
  // True if the gain of this candidate can be had without a product just now.
  virtual bool cached(Index /*candidate*/) const { return false; }
  // How many candidates the coming calls of commit() will bring: a backend may prepare for many.
  virtual void expect(Index /*commits*/) {}
  // Adds the candidates in this order; increases[i] is what the i-th raised the coverage by.
  virtual void commit(std::span<const Index> candidates, std::span<Fixed> increases) = 0;

  // Exact gains from pick to pick. track() evaluates every candidate once; from then on gains[c] is an upper
  // bound on the gain of c, kept by commit(), and the gain itself while tight(c); gains() makes it so. Lasts
  // until reset(). The span must outlive it. memory: bytes that it may take. tick: called with the share that
  // is done while it evaluates; may throw. Not while empty(). Returns false where the backend cannot do this.
  virtual bool track(std::span<Fixed> /*gains*/, std::size_t /*memory*/,
                     const std::function<void(double)>& /*tick*/) {
    return false;
  }
  virtual bool tight(Index /*candidate*/) const { return false; }
  // While tracking: picks one candidate after the other by score (engine/score.h) and adds it, without coming
  // back in between. Returns how many it picked, at most picks.size(); 0 where the backend does not offer
  // this just now. increases is as in commit().
  struct Picking {
    double weight;
    std::span<const double> bonus;         // n, the same in every call until reset()
    std::span<const std::uint8_t> closed;  // n: rows that cannot be picked
  };
  virtual Index run_tracked(const Picking& /*picking*/, std::span<Index> /*picks*/,
                            std::span<Fixed> /*increases*/) {
    return 0;
  }

  // Similarities of candidates with other pool rows, in fixed point: out[i * rows.size() + j] = s(c_i, r_j).
  virtual void similarities(std::span<const Index> candidates, std::span<const Index> rows,
                            std::span<Fixed> out) = 0;
  // For every pool row the most similar of the centroids, the smaller number on ties, and that similarity.
  virtual void nearest(const RowView& centroids, std::span<Index> ids, std::span<double> sims) = 0;

  // Pairs of a row of the range with any row after it, at least so similar, by row and then by the other.
  virtual std::vector<SimilarPair> similar_pairs(const PairRange& range) {
    return similar_pairs_by_blocks(*this, range);
  }

  virtual Fixed coverage() const = 0;  // sum_v w_v * m_v; 0 while empty()
  // m_v of each represented row, as similarities; 0 while empty().
  virtual void row_coverage(std::span<double> out) const = 0;
  virtual BackendStats stats() const = 0;
  // The pool as a part of a larger one; null where the backend cannot be one. Lives as long as the backend.
  virtual Shard* shard() { return nullptr; }
};

}  // namespace qdit
