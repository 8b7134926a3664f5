// Blocked products of a batch of candidates with the whole pool. Two loops over blocks, one kernel; what is
// done with a finished tile is the caller's. Nothing of size n x n, nothing of size n x batch.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "cpu/aligned.h"
#include "cpu/kernels.h"
#include "cpu/pool.h"
#include "cpu/thread_pool.h"
#include "engine/rows.h"

namespace qdit::cpu {

class Product {
 public:
  // block_rows: pool rows per block, 0 for what fits the second-level cache.
  Product(const Kernels& kernels, ThreadPool& pool, const RowView& rows, Index block_rows);

  struct Block {
    Index begin;  // pool rows begin .. begin + count
    Index count;
    int thread;
  };
  // Where the similarities of a candidate with the rows of a block go; null: nowhere.
  using Target = std::function<std::int32_t*(Index candidate, const Block& block)>;
  using Done = std::function<void(const Block& block)>;

  struct Request {
    const Panels& panels;
    std::span<const float> row_factors;
    const std::int32_t* row_max;  // padded by tile_rows entries of kPaddingMax
    std::span<Fixed> gains;       // per candidate, overwritten: sum of max(0, s - m)
    Target target;                // empty: similarities are not kept
    Done done;                    // called after each block by the thread that made it; may be empty
    // If not empty: only these pool rows; blocks and what is given by row then count positions in this list.
    std::span<const Index> rows = {};            // NOLINT(readability-redundant-member-init): may be left out
    const std::uint32_t* row_weights = nullptr;  // as in RowWeights, counted as row_max is
  };
  void run(const Request& request);

  Index block_rows() const { return block_rows_; }
  std::size_t bytes() const;

 private:
  struct Workspace {
    RowBlock rows;
    AlignedVector<float> partial;
    AlignedVector<std::int32_t> sims;
    AlignedVector<float> row_factor;
    std::vector<Fixed> gains;
  };

  void multiply(const Request& request, const Block& block);
  void keep(const Request& request, const Block& block, Index first_candidate, Index lanes, Index row);

  const Kernels& kernels_;
  ThreadPool& pool_;
  const RowView& rows_;
  Index block_rows_;
  std::vector<Workspace> workspaces_;
};

// Similarities of a few candidates with the rows of one block, for each thread: candidate after candidate.
class BlockSims {
 public:
  BlockSims(std::size_t candidates, Index block_rows, int threads)
      : block_rows_(static_cast<std::size_t>(block_rows)), sims_(static_cast<std::size_t>(threads)) {
    for (auto& buffer : sims_) buffer.resize(candidates * block_rows_);
  }
  std::int32_t* column(std::size_t candidate, const Product::Block& block) {
    return sims_[static_cast<std::size_t>(block.thread)].data() + candidate * block_rows_;
  }
  Product::Target target() {
    return
        [this](Index c, const Product::Block& block) { return column(static_cast<std::size_t>(c), block); };
  }

 private:
  std::size_t block_rows_;
  std::vector<AlignedVector<std::int32_t>> sims_;
};

}  // namespace qdit::cpu
