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
  AliveLists(const Context& context, Product& product);

  // Finds all gains over these maxima, and lists as many alive pairs as `memory` bytes hold: a row of which
  // more pairs are alive than its share starts its list at a threshold. Two passes: count first, then fill,
  // where there is anything to list; each is timed by itself.
  void build(const std::int32_t* max, Sum* gains, std::size_t memory, BackendStats& stats,
             const std::function<void(double)>& tick);
  // The rows whose lists start above their maxima.
  void find_incomplete(const std::int32_t* max);

  Lists view() const;
  const Subset& incomplete() const { return incomplete_; }
  std::int64_t listed();  // pairs in all lists just now
  double products() const { return products_made_; }

 private:
  void choose_thresholds(const std::int32_t* max, std::int64_t capacity);
  std::int64_t fit(std::int64_t capacity);
  void pass(const std::int32_t* max, Sum* gains, bool fill, const std::function<void(double)>& tick);

  const Context& context_;
  Product& product_;
  Buffer<std::int32_t> threshold_;
  Buffer<std::uint32_t> count_;
  Buffer<std::int64_t> begin_;
  Buffer<Pair> pairs_;
  Buffer<Sum> sum_;
  Buffer<std::uint32_t> found_;
  Subset incomplete_;
  double products_made_ = 0.0;  // of two rows
};

}  // namespace qdit::cuda
