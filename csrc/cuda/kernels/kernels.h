// The kernels, as the host calls them: each function checks nothing, starts work on the stream and returns.
// Every pointer is to device memory.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "cuda/kernels/epilogue.h"
#include "cuda/kernels/layout.h"
#include "engine/rows.h"
#include "engine/score.h"
#include "engine/types.h"

namespace qdit::cuda {

// ---- pass.cu: all pairs of a range of rows and a range of columns of the pool

// What a row is to the pass: candidate and covered row at once. Both sides need all of it.
struct PassSide {
  Operand rows;
  std::int32_t begin = 0;             // number of the first row in the pool; the rest is per row from it
  const std::int32_t* max = nullptr;  // running maximum
  const std::int32_t* threshold = nullptr;  // where the list of the row starts
  Sum* gains = nullptr;                     // += sum over the other side of max(0, s - m)
  std::uint32_t* counts = nullptr;          // += pairs above the threshold, if not null; fill: pairs stored
  const std::int64_t* list_begin = nullptr;
};

struct PassArguments {
  PassSide rows;
  PassSide columns;
  TileMap map;  // symmetric where rows and columns are the same
};

// Tiles first .. first + count of the map. Counts are null on both sides or on neither.
void launch_pass(const Arithmetic& how, const PassArguments& arguments, std::int64_t first,
                 std::int64_t count, cudaStream_t stream);
// Stores every pair above a threshold in the list of its row; counts must be zero at the start.
void launch_fill(const Arithmetic& how, const PassArguments& arguments, Pair* pairs, std::int64_t first,
                 std::int64_t count, cudaStream_t stream);

// ---- products.cu: a batch of candidates with rows of the pool

// gains[c] += sum over the rows of max(0, s - max[row])
void launch_gains(const Arithmetic& how, const Operand& candidates, const Operand& rows,
                  const std::int32_t* max, Sum* gains, cudaStream_t stream);
// losses[c] += sum over the rows of lost() (epilogue.h) since their maxima were `from`
struct PastRises {
  const std::int32_t* from = nullptr;
  const std::int32_t* to = nullptr;
  const std::int32_t* threshold = nullptr;  // of their lists
};
void launch_losses(const Arithmetic& how, const Operand& candidates, const Operand& rows,
                   const PastRises& rises, Sum* losses, cudaStream_t stream);
// sims[c * stride + position of the row in its operand] = s
void launch_similarities(const Arithmetic& how, const Operand& candidates, const Operand& rows,
                         std::int32_t* sims, std::int64_t stride, cudaStream_t stream);
// best[row] = the largest of it and the nearest_key of each candidate, the first of which has number `begin`
void launch_nearest(const Arithmetic& how, const Operand& rows, const Operand& candidates,
                    std::uint32_t begin, Sum* best, cudaStream_t stream);

// ---- rows.cu: rows on their way in, and the first gains

struct RowTarget {
  std::uint16_t* high = nullptr;  // null: nothing is stored, only the facts are found out
  std::uint16_t* low = nullptr;   // null: one plane
  std::int32_t stride = 0;
};
struct RowFacts {
  double squared_norm;         // of the values rounded to float32; not finite where an item is not
  double stored_squared_norm;  // of the values as stored, times 4^shift
  std::int32_t shift;          // stored = value * 2^shift
};
// raw: count rows of d items as they come. float16 rows are stored as they are (shift 0).
void launch_convert(const void* raw, DType dtype, std::int64_t count, std::int64_t d, const RowTarget& to,
                    RowFacts* facts, cudaStream_t stream);
// Copies rows `ids` of `from` and their factors; ids is on the device.
void launch_gather(const Operand& from, const std::int32_t* ids, std::int32_t count, const RowTarget& to,
                   float* factors, cudaStream_t stream);
// partial[block * depth + k] = sum of factor * item over the rows of each block of kSumRows, of which the
// first has `before` rows more that are not here: what partial holds for it is their sum.
inline constexpr std::int64_t kSumRows = 1024;
void launch_row_sums(const Operand& rows, std::int64_t before, double* partial, cudaStream_t stream);
// out[i] = rint(factor * (candidate i . total))
void launch_first_gains(const Operand& candidates, const double* total, Sum* out, cudaStream_t stream);

// ---- cover.cu: running maxima

// True if this library holds code for the current device, or PTX that its driver can translate.
bool has_kernels();

void launch_set(std::int32_t* values, std::int64_t count, std::int32_t value, cudaStream_t stream);
// Raises the maxima of `count` rows by `candidates` rows of similarities, one after the other; rises[i] +=
// what that adds. first: nothing is chosen yet, so the first similarities are the maxima.
void launch_cover(const std::int32_t* sims, std::int64_t stride, std::int32_t candidates, std::int64_t count,
                  std::int32_t* max, bool first, Sum* rises, cudaStream_t stream);
void launch_sum(const std::int32_t* values, std::int64_t count, Sum* sum, cudaStream_t stream);

// ---- lists.cu: thresholds and lists of alive pairs

// sims: of `samples` candidates with `count` rows, as launch_similarities() stores them.
// alive[v] = how many of them are above max[v]
void launch_alive(const std::int32_t* sims, std::int64_t stride, std::int32_t samples, std::int64_t count,
                  const std::int32_t* max, std::uint32_t* alive, cudaStream_t stream);
// threshold[v] = max[v], or where no more than `rank` of the samples are above
void launch_thresholds(const std::int32_t* sims, std::int64_t stride, std::int32_t samples,
                       std::int64_t count, const std::int32_t* max, std::uint32_t rank,
                       std::int32_t* threshold, cudaStream_t stream);
// complete[c] += s - m over the lists of those of `count` rows that are complete: begin + ids[i], or begin +
// i
void launch_complete_sums(const Lists& lists, const std::int32_t* max, const std::int32_t* ids,
                          std::int64_t begin, std::int64_t count, Sum* complete, cudaStream_t stream);
// The lists of incomplete rows shall start at their maxima, and hold nothing yet.
void launch_empty_incomplete(const std::int32_t* max, std::int64_t n, std::int32_t* threshold,
                             std::uint32_t* count, cudaStream_t stream);
// Copies the lists of rows order[0] .. order[count - 1], that of row v to to[to_begin[v] - base] and on.
void launch_move_lists(const Lists& lists, const std::int32_t* order, std::int64_t count,
                       const std::int64_t* to_begin, std::int64_t base, Pair* to, cudaStream_t stream);
// Numbers of the rows begin .. end whose list starts above their maximum, less `begin`, in any order.
void launch_incomplete(const std::int32_t* threshold, const std::int32_t* max, std::int64_t begin,
                       std::int64_t end, std::int32_t* ids, std::uint32_t* count, cudaStream_t stream);
// counts[c] += pairs of c in all lists
void launch_group_counts(const Lists& lists, std::int64_t n, std::uint32_t* counts, cudaStream_t stream);
// Stores every listed pair by its candidate, with the row in place of the candidate.
void launch_group_fill(const Lists& lists, std::int64_t n, const std::int64_t* begin, std::uint32_t* counts,
                       Pair* grouped, cudaStream_t stream);
// *sum += all counts
void launch_count_sum(const std::uint32_t* counts, std::int64_t n, Sum* sum, cudaStream_t stream);

// ---- picks.cu: gains that commits keep exact

struct TrackedState {
  Lists lists;
  std::int32_t* max = nullptr;
  Sum* gains = nullptr;
  Sum* complete = nullptr;  // null once all rows are complete
};
// A candidate joins: sims are its similarities with all n rows; *rise += what it adds.
void launch_commit(const TrackedState& state, const std::int32_t* sims, std::int64_t n, Sum* rise,
                   cudaStream_t stream);
struct PickArguments {
  TrackedState state;
  const Pair* grouped = nullptr;              // pairs by candidate ...
  const std::int64_t* group_begin = nullptr;  // ... n + 1
  std::int64_t n = 0;
  double weight = 0.0;
  const double* bonus = nullptr;
  std::uint8_t* closed = nullptr;
  Scored* partial = nullptr;  // pick_blocks(n)
  Index* picks = nullptr;     // -1 where no row is left
  Sum* rises = nullptr;       // zeros at the start
};
// Blocks of both kernels of a pick.
inline std::int32_t pick_blocks(std::int64_t n) {
  return static_cast<std::int32_t>(n < 512 * 256 ? (n + 255) / 256 : 512);
}
// The best open row by score becomes pick number `pick`; nothing returns to the host.
void launch_pick(const PickArguments& arguments, std::int32_t pick, cudaStream_t stream);
// The same with a row that the host has chosen.
void launch_pick_of(const PickArguments& arguments, Index row, std::int32_t pick, cudaStream_t stream);

}  // namespace qdit::cuda
