// Products of all rows with the members of the cells that they probe, and the pairs worth keeping.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "cpu/aligned.h"
#include "cpu/graph_lists.h"
#include "cpu/kernels.h"
#include "cpu/pool.h"
#include "cpu/thread_pool.h"
#include "engine/graph_cells.h"
#include "engine/rows.h"
#include "engine/types.h"

namespace qdit::cpu {

class PairPass {
 public:
  struct Input {
    const Kernels& kernels;
    ThreadPool& pool;
    const RowView& rows;
    std::span<const float> factors;
    const CellLayout& layout;
    std::span<const std::int32_t> floors;  // per row
  };

  explicit PairPass(const Input& input);

  // Puts every pair (v, c) of which one row sees the other, and whose similarity is above the floor of v or
  // that of c, into the lists of both. tick: called often by the calling thread with the share of the work
  // that is done; may throw.
  void run(NeighborLists& lists, const std::function<void(double)>& tick);

  double products() const { return products_; }  // of two rows

 private:
  // Some members of a part; all rows that see the part stream past them.
  struct Columns {
    Index part;
    std::size_t begin;  // in layout.members
    std::size_t count;
    Index probers;
  };
  struct Workspace {
    Workspace(const Input& input, Index width);
    std::vector<Index> row_ids;
    RowBlock rows;
    Panels columns;
    AlignedVector<std::int32_t> no_max;
    AlignedVector<float> partial;
    AlignedVector<std::int32_t> sims;
    std::vector<float> row_factor;
    std::vector<Fixed> unused_gains;
    std::vector<std::int32_t> floors;  // of the columns
    std::vector<std::int32_t> thresholds;
    std::vector<std::uint32_t> found_ids;
    std::vector<std::int32_t> found_sims;
    std::vector<NeighborKey> keys;         // of a row
    std::vector<NeighborKey> column_keys;  // gathered before they go to the lists
    std::vector<std::uint32_t> column_counts;
  };

  void run_columns(const Columns& columns, Workspace& space, NeighborLists& lists,
                   const std::function<void()>& tick) const;
  void load_columns(const Columns& columns, Workspace& space) const;
  void multiply(std::span<const std::uint32_t> rows, Workspace& space) const;
  void reduce_row(const Columns& columns, std::uint32_t row, const std::int32_t* sims, Workspace& space,
                  NeighborLists& lists) const;
  void collect(const Columns& columns, std::size_t column, NeighborKey key, Workspace& space,
               NeighborLists& lists) const;
  bool sees(Index row, std::int32_t part) const;

  Input input_;
  Index width_;                   // columns at a time
  std::vector<Columns> columns_;  // all there is to do, the most work first
  std::vector<Workspace> workspaces_;
  double products_ = 0.0;
};

}  // namespace qdit::cpu
