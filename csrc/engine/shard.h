// A pool that is a part of a larger one. Candidates may lie in other parts, so they come as rows; gains and
// increases are those over the rows of this part, and integers: their sum over all parts is what one pool of
// all rows would have said, to the last bit.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "engine/rows.h"
#include "engine/types.h"

namespace qdit {

// Of each of some candidates the rows of the part whose maximum it would raise.
struct PairTable {
  std::vector<std::int64_t> offsets;  // candidates + 1
  std::vector<std::uint32_t> rows;    // of the part
  std::vector<std::int32_t> rises;    // by how much, in fixed point
};

// Some candidates by their numbers among all candidates, with their rows where the part asks for them.
struct Numbered {
  std::span<const Index> numbers;
  const RowView* rows = nullptr;  // one for each number; null: none
};

class Shard {
 public:
  Shard() = default;
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;
  virtual ~Shard() = default;

  using Tick = std::function<void(double)>;  // called with the share that is done; may throw

  // out[i] = sum over the rows v of this part of max(0, s(c_i, v) - m_v), or of s(c_i, v) while nothing is
  // chosen. Rows of zeros under cosine get 0.
  virtual void gains(const RowView& candidates, std::span<Fixed> out) = 0;
  // Adds the candidates in this order; increases[i] is what the i-th raised the coverage of this part by.
  virtual void commit(const RowView& candidates, std::span<Fixed> increases) = 0;

  // The first gains of one pool are products with the sum of all rows, a floating-point sum whose bits depend
  // on its order. sum_rows() goes on with the sum where the part before this one ended: `total` of whole
  // blocks and `open` of the block that row number `first` of the whole pool falls into, both d items.
  virtual bool sums_rows() const { return false; }
  virtual void sum_rows(Index first, std::span<double> total, std::span<double> open);
  // First gains of the rows of this part, with the sum of all rows of all parts.
  virtual void first_gains(std::span<const double> total, std::span<Fixed> out);

  // Gains kept exact from pick to pick, as Backend::track() does: open(), list() for every candidate,
  // start(). Then gains[c] is an upper bound on the gain of candidate c over this part. Lasts until the next
  // reset() or open(). first: number of the first row of this part among the candidates; -1: they are none,
  // or are listed like the others. memory: bytes for pairs.
  virtual bool lists_pairs() const { return false; }
  virtual void open(std::span<Fixed> gains, Index first, std::size_t memory, const Tick& tick);
  // The next candidates, whose numbers begin with `first`.
  virtual void list(const RowView& candidates, Index first, const Tick& tick);
  virtual void start();
  // Rows that must come with candidates: those whose pairs are not all listed, or not by candidate. 0: none.
  virtual Index unlisted() const { return 0; }
  // Makes gains[c] exact and tells what it is made of.
  virtual PairTable pairs(const Numbered& candidates);
  virtual void commit(const Numbered& candidates, std::span<Fixed> increases);
};

}  // namespace qdit
