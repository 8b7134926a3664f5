// One pass over all pairs of rows, each product computed once: s(c, v) = s(v, c), to the last bit. Yields the
// exact marginal gain of every row and, as it goes, the alive pairs.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "cpu/aligned.h"
#include "cpu/alive_lists.h"
#include "cpu/kernels.h"
#include "cpu/pool.h"
#include "cpu/thread_pool.h"
#include "engine/rows.h"
#include "engine/types.h"

namespace qdit::cpu {

class SymmetricPass {
 public:
  struct Input {
    const Kernels& kernels;
    ThreadPool& pool;
    const RowView& rows;
    std::span<const float> factors;
    const std::int32_t* max;                 // padded by tile_rows entries of kPaddingMax
    Index first = 0;                         // number of the first row among the candidates
    const std::uint32_t* weights = nullptr;  // of rows as v, as in RowWeights
  };

  explicit SymmetricPass(const Input& input);

  // gains[c] = sum over v of w_v * max(0, s(c, v) - m_v); lists gets all pairs above its thresholds.
  // tick: called often by the calling thread with the share of the work that is done; may throw.
  void run(std::span<Fixed> gains, AliveLists& lists, const std::function<void(double)>& tick);

  // The same with candidates that are not these rows, or not as rows v: gains has one entry for each of them,
  // and `first` is the number of the first among the candidates.
  struct Others {
    const RowView& rows;
    std::span<const float> factors;
    Index first;
  };
  void run(const Others& others, std::span<Fixed> gains, AliveLists& lists,
           const std::function<void(double)>& tick);

  std::int64_t pairs() const;  // products that the pass over the rows themselves computes
  std::size_t bytes() const;

 private:
  // What a thread works on: columns are a block of rows packed as panels, rows stream past it.
  struct Workspace {
    Workspace(const Input& input, Index width);
    RowBlock rows;
    Panels columns;
    AlignedVector<float> partial;
    AlignedVector<std::int32_t> sims;
    AlignedVector<std::int32_t> thresholds;
    std::vector<float> row_factor;
    std::vector<Fixed> column_gains;
    std::vector<Fixed> gains;  // per row of the pool
    std::vector<std::uint32_t> found_ids;
    std::vector<std::int32_t> found_sims;
    // Pairs of each column, gathered before they go to its list.
    std::vector<std::uint32_t> column_ids;
    std::vector<std::int32_t> column_sims;
    std::vector<std::uint32_t> column_counts;
  };
  struct Columns {
    Index begin;
    Index count;
  };

  void run_columns(const Columns& columns, Workspace& space, AliveLists& lists,
                   const std::function<void()>& tick);
  void run_others(const Others& others, const Columns& columns, Workspace& space, AliveLists& lists,
                  const std::function<void()>& tick);
  void multiply(Index row, Index count, Workspace& space);
  void keep_row(Index row, Index first, std::size_t width, const std::int32_t* sims, Workspace& space,
                AliveLists& lists);
  void reduce_row(const Columns& columns, Index row, const std::int32_t* sims, Workspace& space,
                  AliveLists& lists);
  void collect_columns(const Columns& columns, Index row, std::size_t found, Workspace& space,
                       AliveLists& lists);
  void flush_column(const Columns& columns, std::size_t column, Workspace& space, AliveLists& lists);

  Input input_;
  Index width_;  // columns at a time
  std::vector<Workspace> workspaces_;
};

}  // namespace qdit::cpu
