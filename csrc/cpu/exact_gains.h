// Gains of all candidates, kept up to date from pick to pick.
//
// One symmetric pass yields every gain and the alive pairs. From then on a pick a lowers, for each row v
// whose maximum rises from `old` to `new`, the gain of every candidate c in the list of v by min(s(c, v),
// new) - old: integer arithmetic, so a lowered gain equals a recomputed one to the last bit, and nothing is
// evaluated again.
//
// Where not all alive pairs fit the memory, the list of a row starts at a threshold above its maximum. The
// row is incomplete until its maximum gets there; meanwhile gains are upper bounds, and the exact one is had
// by a product with the incomplete rows alone.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "cpu/aligned.h"
#include "cpu/alive_lists.h"
#include "cpu/bounds.h"
#include "cpu/kernels.h"
#include "cpu/pairs_by_candidate.h"
#include "cpu/pool.h"
#include "cpu/product.h"
#include "cpu/scaled_pool.h"
#include "cpu/symmetric_pass.h"
#include "cpu/thread_pool.h"
#include "engine/rows.h"
#include "engine/shard.h"
#include "engine/types.h"

namespace qdit::cpu {

class ExactGains {
 public:
  struct Input {
    const Kernels& kernels;
    ThreadPool& pool;
    Product& product;
    const RowView& rows;
    std::span<const float> factors;
    AlignedVector<std::int32_t>& max;  // the running maximum, padded; commit() raises it
    // Number of the first row among the candidates, where these rows are a part of a larger pool; kNone: they
    // are added like the others.
    Index first = 0;
    bool again = false;  // others will start from the same pass: what restart() needs stays
    // Of all these rows, where bounds may make less of the pass; or null.
    const ScaledPool* scaled = nullptr;
    Bounds* bounds = nullptr;
    const std::uint32_t* weights = nullptr;  // of the rows, as in RowWeights
    // All candidates, where they are not these rows but others that add() brings; or null.
    const ScaledRows* others = nullptr;
  };
  static constexpr Index kNone = -1;
  // Some candidates: their numbers, and where their rows are: row which[i] of `rows` is number numbers[i].
  struct Candidates {
    std::span<const Index> numbers;
    const RowView& rows;
    std::span<const float> factors;
    std::span<const Index> which;
  };

  // Makes the pass. gains: one per candidate, valid as long as this object; from now on an upper bound for
  // each. memory: bytes for lists. tick: called often by the calling thread with the share of the pass that
  // is done. Where there are more candidates than rows, add() brings the others, and start() follows.
  ExactGains(const Input& input, std::span<Fixed> gains, std::size_t memory,
             const std::function<void(double)>& tick);

  // Candidates that are not among the rows, the first with number `first`.
  void add(const RowView& rows, std::span<const float> factors, Index first,
           const std::function<void(double)>& tick);
  void start();

  // As if made anew, but without a pass: false, and nothing done, unless the maxima are those that it was
  // made with and the memory is enough for its lists. gains replaces the former ones.
  bool restart(std::span<Fixed> gains, std::size_t memory);

  Index candidates() const { return static_cast<Index>(gains_.size()); }
  // True if gains[c] is the exact gain of c just now.
  bool tight(Index c) const {
    return incomplete_.empty() || evaluated_[static_cast<std::size_t>(c)] == commits_;
  }
  // Makes them exact; out gets them.
  void evaluate(std::span<const Index> candidates, std::span<Fixed> out);
  // Raises the maxima by the similarities with row a, lowers all gains; returns the rise of the coverage.
  Fixed commit(Index a);
  // The same with one candidate from anywhere.
  Fixed commit(const Candidates& a);
  // What the gains of candidates are made of; makes them exact.
  PairTable pairs(const Candidates& candidates);
  // Rows that commit() and pairs() reach by products with the candidates; without any, those need no rows.
  Index dense() const { return all_dense_ ? input_.rows.n : static_cast<Index>(dense_.size()); }

  double products() const { return products_; }  // of two rows, computed so far
  std::size_t bytes() const;

 private:
  // Changes that one thread makes while others make theirs: to gains, and to their part in complete rows.
  struct Changes {
    std::vector<Fixed> gains;
    std::vector<Fixed> complete;
    Fixed coverage = 0;
  };

  const RowView& candidate_rows() const { return input_.others ? input_.others->view : input_.rows; }
  std::span<const float> candidate_factors() const {
    return input_.others ? std::span<const float>(input_.others->factors) : input_.factors;
  }
  void begin();
  std::vector<std::int32_t> choose_thresholds(double share);
  bool pruned_pass(const std::function<void(double)>& tick);
  void sum_complete();
  void find_incomplete();
  void raise(Index v, std::int32_t to, Fixed* gains, Fixed* complete);
  Fixed commit_dense(const Candidates& a);
  Fixed commit_listed(Index a);
  void multiply_dense(const Candidates& candidates, BlockSims& sims, const Product::Done& done);
  void apply(Changes& changes);
  void maybe_regroup();
  bool make_room(std::size_t bytes);

  Input input_;
  std::span<Fixed> gains_;
  std::size_t memory_;
  std::unique_ptr<AliveLists> lists_;
  std::unique_ptr<SymmetricPass> pass_;  // until start()
  std::vector<Fixed> complete_;          // per candidate: the part of its gain that complete rows make up
  std::vector<Index> incomplete_;        // rows whose list starts above their maximum
  std::vector<std::int64_t> evaluated_;  // per candidate: number of commits when it was last exact
  std::vector<Index> dense_;             // rows that a commit reaches by a product
  bool all_dense_ = true;                // all rows are
  PairsByCandidate listed_;              // the pairs of the other rows
  std::vector<Changes> changes_;         // per thread
  Panels panels_;
  AlignedVector<std::int32_t> subset_max_;
  std::vector<float> subset_factor_;
  std::vector<std::uint32_t> subset_weight_;  // empty where rows have none
  std::int64_t commits_ = 0;
  double dense_seconds_ = 0.0;  // spent on products of commits since the last regroup()
  double products_ = 0.0;
  // As the pass left them, for restart(); empty once that is not possible.
  std::vector<std::int32_t> start_max_;
  std::vector<Fixed> start_gains_;
  std::vector<std::uint32_t> start_counts_;
  std::size_t list_bytes_ = 0;
  std::size_t pass_bytes_ = 0;  // at the end of the pass, when lists are longest
};

}  // namespace qdit::cpu
