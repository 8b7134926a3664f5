// Products of all rows with the members of the cells that they probe, and the pairs worth keeping.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "cpu/aligned.h"
#include "cpu/bound_tiles.h"
#include "cpu/graph_lists.h"
#include "cpu/kernels.h"
#include "cpu/pool.h"
#include "cpu/scaled_pool.h"
#include "cpu/short_rows.h"
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
    const ScaledPool& scaled;
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
  // A column that sees a part, and the number of the next one that does.
  struct Viewer {
    std::uint32_t column;
    std::int32_t next;
  };
  struct Workspace {
    Workspace(const Input& input, Index width, const ShortRows& shorts);
    std::vector<Index> probers;        // the rows that stream past
    std::vector<std::int32_t> owners;  // the part of each
    std::int32_t group = -1;           // that of the row at hand
    BoundRows shorts;                  // a block of the rows
    AlignedVector<float> row;          // one of them, decoded
    ShortColumns short_columns;
    ShortColumns::Scratch scratch;
    std::vector<std::size_t> crowded;   // rows of a block, as numbers in probers, of which bounds leave much
    std::vector<std::size_t> deferred;  // such rows that wait for the others of a tile
    std::vector<Index> deferred_rows;
    Index without_bounds = 0;       // blocks that are to come
    Index next_without_bounds = 1;  // how many it will be the next time
    bool shortened = false;         // columns
    bool packed = false;            // columns
    RowBlock rows;
    Panels columns;
    AlignedVector<std::int32_t> no_max;
    AlignedVector<float> partial;
    AlignedVector<std::int32_t> sims;
    std::vector<float> row_factor;
    std::vector<Fixed> unused_gains;
    std::vector<Viewer> viewers;
    std::vector<std::int32_t> first_viewer;  // per part
    std::vector<std::int32_t> floors;        // of the columns
    std::vector<std::int32_t> needs;         // of the columns
    std::vector<std::uint32_t> found_ids;
    std::vector<std::int32_t> found_sims;
    std::vector<NeighborKey> keys;         // of a row
    std::vector<NeighborKey> column_keys;  // gathered before they go to the lists
    std::vector<std::uint32_t> column_counts;
  };

  void run_columns(const Columns& columns, Workspace& space, NeighborLists& lists,
                   const std::function<void()>& tick) const;
  void load_columns(const Columns& columns, Workspace& space, const NeighborLists& lists) const;
  void unload_columns(const Columns& columns, Workspace& space) const;
  void sort_probers(const Columns& columns, Workspace& space) const;
  template <class Need>
  void set_needs(std::int32_t part, Workspace& space, const Need& need) const;
  void bound(const Columns& columns, std::span<const Index> rows, Workspace& space) const;
  void multiply(const Columns& columns, std::span<const Index> rows, Workspace& space) const;
  void multiply_found(Index row, std::size_t found, Workspace& space) const;
  void run_block(const Columns& columns, std::size_t begin, std::size_t count, Workspace& space,
                 NeighborLists& lists) const;
  void defer(const Columns& columns, std::size_t i, Workspace& space, NeighborLists& lists) const;
  void run_dense(const Columns& columns, Workspace& space, NeighborLists& lists) const;
  Uses uses_of(Index row, const Workspace& space, const NeighborLists& lists) const;
  std::size_t find(const Columns& columns, std::size_t i, const Uses& uses, Workspace& space) const;
  void enter_group(const Columns& columns, std::int32_t own, Workspace& space,
                   const NeighborLists& lists) const;
  void reduce_row(const Columns& columns, Index row, const Uses& uses, std::size_t found, Workspace& space,
                  NeighborLists& lists) const;
  void flush(const Columns& columns, std::size_t j, Workspace& space, NeighborLists& lists) const;
  Index member(const Columns& columns, std::size_t j) const {
    return input_.layout.members[columns.begin + j];
  }
  std::span<const std::int32_t> seen(Index row) const;

  Input input_;
  ShortRows shorts_;
  Index width_;                   // columns at a time
  std::vector<Columns> columns_;  // all there is to do, the most work first
  std::vector<Workspace> workspaces_;
  double products_ = 0.0;
};

}  // namespace qdit::cpu
