// Exact gains of all candidates on the device, from pick to pick: cpu/exact_gains.h for the idea.
//
// While some lists start above the maximum of their row, gains are upper bounds, and those that could be the
// best are made exact by products (reevaluation.h). Once few rows are left so, their alive pairs are listed
// anew, and no gain needs a product any more. Once all pairs, grouped by candidate, fit the memory too, picks
// follow each other on the device without the host.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "cuda/alive_lists.h"
#include "cuda/candidates.h"
#include "cuda/grouped_pairs.h"
#include "cuda/product.h"
#include "cuda/reevaluation.h"
#include "engine/backend.h"

namespace qdit::cuda {

class ExactGains {
 public:
  // gains: the caller's, upper bounds from now on. memory: bytes of the device for lists, at most what it
  // has.
  ExactGains(const Context& context, Product& product, Buffer<std::int32_t>& max, std::span<Fixed> gains,
             std::size_t memory, BackendStats& stats, const std::function<void(double)>& tick);
  ExactGains(const ExactGains&) = delete;
  ExactGains& operator=(const ExactGains&) = delete;
  ~ExactGains() = default;

  bool tight(Index c) const {
    return evaluated_[static_cast<std::size_t>(c)] == commits_ || published_ == commits_;
  }
  void evaluate(std::span<const Index> candidates, std::span<Fixed> out);
  Fixed commit(Index a);
  Index run(const Backend::Picking& picking, std::span<Index> picks, std::span<Fixed> rises);

 private:
  struct Report;

  void build(const std::function<void(double)>& tick);
  void after_commit();
  void shrink_incomplete();
  void all_complete();
  void maybe_group();
  TrackedState state();
  PickArguments pick_arguments();
  Index choose(double weight);
  std::vector<Stale> listed_stale(std::uint32_t count);
  Index run_grouped(double weight, std::span<Index> picks, std::span<Fixed> rises);
  Index run_dense(double weight, std::span<Index> picks, std::span<Fixed> rises);
  void publish();
  Report& report() const { return *reinterpret_cast<Report*>(report_.data()); }

  const Context& context_;
  Product& product_;
  Buffer<std::int32_t>& max_;
  std::span<Fixed> host_gains_;
  BackendStats& stats_;
  std::size_t memory_;
  Candidates candidates_;
  AliveLists lists_;
  Buffer<Sum> gains_;
  Buffer<Sum> complete_;  // per candidate: the part of its gain that complete rows make up
  Reevaluation reevaluation_;
  Buffer<std::int32_t> sims_;  // of one candidate with all rows
  GroupedPairs grouped_;
  Buffer<std::uint8_t> closed_;
  Buffer<double> bonus_;
  Buffer<Scored> partial_best_;
  Buffer<Standing> choice_;
  Buffer<Stale> stale_;
  Buffer<Index> picks_;
  Buffer<Sum> rises_;
  Pinned report_;  // what the host is told of a pick
  bool has_bonus_ = false;
  bool partial_ = false;  // some lists are incomplete
  std::vector<std::int64_t>
      evaluated_;                // per candidate: number of commits when the host last knew it exactly
  std::int64_t published_ = -1;  // and when it knew them all
  std::int64_t told_ = 0;        // and when it was told all bounds
  std::int64_t commits_ = 0;
  std::int64_t checked_ = 0;     // number of commits when grouping was last considered
  Index few_ = 0;                // incomplete rows that are worth to be listed anew
  double dense_products_ = 0.0;  // evaluations' before the last build(), and those of commits since
  double patience_;              // how many times n x n of them are borne before the next; doubles each time
};

}  // namespace qdit::cuda
