// Goes through the pairs of rows that a graph considers, and counts or stores those above a floor.
//
// A tile says something about the lists of its rows only, so rows can be gone through in rounds whose lists
// fit the memory. A pool that lies on the device is read where it lies; of a larger one the rows of some
// parts at a time are gathered from the host.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "cuda/comparisons_on_host.h"
#include "cuda/context.h"
#include "cuda/kernels/graph_kernels.h"
#include "cuda/pool.h"
#include "engine/graph_cells.h"

namespace qdit::cuda {

// Lists of rows first .. end, on the device.
struct CandidateLists {
  Index first;
  Index end;
  std::uint32_t* counts;                     // per row; zeros at the start
  const std::int64_t* list_begin = nullptr;  // per row
  Sum* keys = nullptr;                       // null: only counted
};

class PairPass {
 public:
  PairPass(const Context& context, const CellLayout& layout, std::span<const std::int32_t> floors);

  // tick: called with the share that is done; may throw. Waits until all is done.
  void run(const CandidateLists& lists, const std::function<void(double)>& tick);

  double products() const { return products_; }  // of two rows, so far

 private:
  void run_group(std::span<const Piece> pieces, const CandidateLists& lists,
                 const std::function<void(double)>& tick);
  void gather(std::span<const Piece> pieces);

  const Context& context_;
  const CellLayout& layout_;
  Buffer<std::int32_t> numbers_;
  Buffer<std::int32_t> floors_;
  Buffer<std::int32_t> seen_;
  std::vector<Piece> pieces_;
  std::int64_t group_rows_;  // that are gathered at a time
  Buffer<Comparison> comparisons_;
  Batch batch_;
  Pace pace_;
  double products_ = 0.0;
};

}  // namespace qdit::cuda
