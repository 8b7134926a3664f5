// Whether bounds from prefixes (prefix.h) pay for some work on a pool, with how many columns, and the
// prefixes where they do. Finding out costs little: it works on a sample.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "cpu/aligned.h"
#include "cpu/kernels.h"
#include "cpu/pool.h"
#include "cpu/prefix.h"
#include "cpu/rotation.h"
#include "cpu/scaled_pool.h"
#include "cpu/thread_pool.h"
#include "engine/rows.h"
#include "engine/types.h"

namespace qdit::cpu {

// Copies of some rows of the pool with their prefixes.
class PrefixedRows {
 public:
  PrefixedRows(const ScaledPool& pool, std::span<const Index> ids, const Rotation& rotation,
               const Kernels& kernels, ThreadPool& threads);

  Index size() const { return static_cast<Index>(squared_norms_.size()); }
  const RowView& view() const { return view_; }
  const Prefix& prefix() const { return *prefix_; }

 private:
  RowView view_;
  std::vector<std::byte> items_;
  std::vector<double> squared_norms_;
  std::unique_ptr<Prefix> prefix_;
};

class Bounds {
 public:
  // What pairs cost, in products of whole rows.
  struct Costs {
    double first;       // one that the leading columns do not rule out
    double last;        // one that the whole prefix does not rule out
    double more = 0.0;  // whatever is ruled out
  };
  // The share of pairs that bounds of so many columns do not rule out, on a sample.
  using Survivors = std::function<double(Index columns)>;

  Bounds(const Kernels& kernels, ThreadPool& pool, const ScaledPool& scaled);

  // What QDIT_PREFIX says: 0 turns bounds off, another number is their columns, whether that pays or not;
  // negative: nothing. Throws std::invalid_argument for any other text.
  static Index forced();
  // False if so many pairs are too few for a trial, or the pool has no directions along which its rows spread
  // more than along others.
  bool worth_a_trial(double pairs);
  // The cheapest number of columns for pairs of which each row of the pool has `each`; 0 where none pays.
  // Makes the prefixes if one does.
  Index choose(const Costs& costs, double each, const Survivors& survivors);

  const Rotation& rotation();
  const Prefix& prefix();  // of all rows
  PrefixedRows some(std::span<const Index> ids);
  std::size_t bytes() const { return prefix_ ? prefix_->bytes() : 0; }

  // How many of the pairs of rows with others have a bound of so many columns above max, one for each row, or
  // above other_max, one for each of the others.
  Index count(const PrefixedRows& rows, std::span<const std::int32_t> max, const PrefixedRows& others,
              std::span<const std::int32_t> other_max, Index columns) const;

 private:
  bool decays();

  const Kernels& kernels_;
  ThreadPool& pool_;
  const ScaledPool& scaled_;
  std::optional<bool> decays_;
  std::unique_ptr<Rotation> rotation_;
  std::unique_ptr<Prefix> prefix_;
};

}  // namespace qdit::cpu
