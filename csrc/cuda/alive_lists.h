// Lists of the alive pairs of every row: which are kept, and where.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "cuda/product.h"
#include "engine/backend.h"

namespace qdit::cuda {

class AliveLists {
 public:
  AliveLists(const Context& context, Product& product, BackendStats& stats);

  // Finds all gains over these maxima, and lists as many alive pairs as `memory` bytes hold: a row of which
  // more pairs are alive than its share starts its list at a threshold. Two passes: count first, then fill,
  // where there is anything to list; each is timed by itself.
  void build(const std::int32_t* max, Sum* gains, std::size_t memory,
             const std::function<void(double)>& tick);
  // Lists all alive pairs of the incomplete rows, once they are few, by two passes over their pairs alone:
  // all rows are complete then. complete[c] += what they add to its gain. False, and nothing done, where they
  // do not fit.
  bool relist(const std::int32_t* max, Sum* complete);
  // The rows whose lists start above their maxima: known after the next wait().
  void find_incomplete(const std::int32_t* max);
  void know_incomplete();

  Lists view() const;
  const Subset& incomplete() const { return incomplete_; }
  std::int64_t listed();  // pairs in all lists just now
  // Memory for so many more pairs until the next build() or relist(), or null.
  Pair* room(std::int64_t pairs);

 private:
  void choose_thresholds(const std::int32_t* max, std::int64_t capacity);
  std::int64_t place(std::vector<std::uint32_t>& counts, std::int64_t capacity);
  void pass(const std::int32_t* max, Sum* gains, bool fill, const std::function<void(double)>& tick);
  void pass_of_incomplete(bool fill);
  void launch(const PassArguments& arguments, bool fill, std::int64_t first, std::int64_t count);
  void move_together();

  const Context& context_;
  Product& product_;
  BackendStats& stats_;
  Buffer<std::int32_t> threshold_;
  Buffer<std::uint32_t> count_;
  Buffer<std::int64_t> begin_;
  Buffer<Pair> pairs_;
  Buffer<std::int32_t> none_;  // maxima and thresholds that no similarity is above
  Buffer<Sum> sum_;
  Buffer<std::uint32_t> found_;  // by chunk
  Subset incomplete_;
  std::vector<std::uint32_t> incomplete_counts_;
  std::vector<std::int64_t> host_begin_;
  std::int64_t end_ = 0;  // of the lists among the pairs
  bool in_order_ = true;  // lists lie in the order of their rows
};

}  // namespace qdit::cuda
