// Exact gains of all candidates on the device, from pick to pick: cpu/exact_gains.h for the idea.
//
// While some lists start above the maximum of their row, gains are upper bounds and candidates are evaluated
// by products with those rows alone. Once all lists are complete and their pairs, grouped by candidate, fit
// the memory, picks follow each other on the device without the host.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "cuda/alive_lists.h"
#include "cuda/product.h"
#include "engine/backend.h"

namespace qdit::cuda {

class ExactGains {
 public:
  // gains: the caller's, kept up to date. memory: bytes of the device for lists, at most what it has.
  ExactGains(const Context& context, Product& product, Buffer<std::int32_t>& max, std::span<Fixed> gains,
             std::size_t memory, BackendStats& stats, const std::function<void(double)>& tick);

  bool tight(Index c) const { return !partial_ || evaluated_[static_cast<std::size_t>(c)] == commits_; }
  bool partial() const { return partial_; }                        // evaluate() needs the batch
  bool grouped() const { return group_begin_.data() != nullptr; }  // commit() does not
  // batch: the candidates' rows.
  void evaluate(std::span<const Index> candidates, const Batch& batch, std::span<Fixed> out);
  Fixed commit(Index a, const Batch& batch);
  Index run(const Backend::Picking& picking, std::span<Index> picks, std::span<Fixed> rises);

 private:
  void build(const std::function<void(double)>& tick);
  void after_commit();
  void find_incomplete();
  void maybe_group();
  TrackedState state();
  PickArguments pick_arguments();
  void publish();

  const Context& context_;
  Product& product_;
  Buffer<std::int32_t>& max_;
  std::span<Fixed> host_gains_;
  BackendStats& stats_;
  AliveLists lists_;
  Buffer<Sum> gains_;
  Buffer<Sum> complete_;  // per candidate: the part of its gain that complete rows make up
  Buffer<Sum> sums_;      // of the candidates of one evaluation
  Buffer<std::int32_t> ids_;
  Buffer<std::int32_t> sims_;  // of one candidate with all rows
  Buffer<std::int64_t> group_begin_;
  Buffer<Pair> grouped_;
  Buffer<std::uint8_t> closed_;
  Buffer<double> bonus_;
  Buffer<Scored> partial_best_;
  Buffer<Index> picks_;
  Buffer<Sum> rises_;
  std::size_t memory_ = 0;
  bool partial_ = false;                 // some lists are incomplete
  std::vector<std::int64_t> evaluated_;  // per candidate: number of commits when it was last exact
  std::int64_t commits_ = 0;
  std::int64_t checked_ = 0;     // number of commits when grouping was last considered
  double dense_products_ = 0.0;  // since the last build()
  double patience_ = 1.0;        // how many times n x n of them are borne before the next; doubles each time
};

}  // namespace qdit::cuda
