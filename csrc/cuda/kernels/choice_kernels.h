// The kernels by which gains that are upper bounds become exact, and the best of them is found; as in
// kernels.h.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "cuda/kernels/epilogue.h"
#include "engine/score.h"
#include "engine/types.h"

namespace qdit::cuda {

// ---- choice.cu

// Rows whose maxima rose since they were `from` while their lists were incomplete.
struct RaisedRows {
  const std::int32_t* from = nullptr;
  const std::int32_t* to = nullptr;
  const std::int32_t* threshold = nullptr;
  std::int32_t above = 0;  // only rises above this ...
  std::int32_t most = 0;   // ... and up to that
};
struct RaisedCount {
  Sum rises = 0;
  std::uint32_t rows = 0;
};
// Numbers of such rows of begin .. end less `begin`, in any order; *found += how many, and their rises.
void launch_raised(const RaisedRows& rows, std::int64_t begin, std::int64_t end, std::int32_t* ids,
                   RaisedCount* found, cudaStream_t stream);

// An upper bound on the gain of candidate c is gain[c] - known[c]; it was exact when there were exact_at[c]
// commits, and is now if that is `commits`.
struct BoundedGains {
  Sum* gain = nullptr;
  Sum* known = nullptr;              // lost since then for sure, but not subtracted yet
  std::int32_t* exact_at = nullptr;  // null: all are exact
  std::int64_t n = 0;
  std::int32_t commits = 0;
};
// What the sums of some candidates are.
enum class Settled : std::int32_t {
  kIncomplete,  // gains over incomplete rows
  kLost,        // losses since exact_at
  kLostToo,     // those beside the ones that are known
  kPart,        // some of them
};
void launch_settle(const BoundedGains& gains, Settled what, const std::int32_t* ids, std::int32_t count,
                   const Sum* sums, const Sum* complete, cudaStream_t stream);

// A candidate whose gain is no more than a bound.
struct Stale {
  std::int32_t id = 0;
  std::int32_t exact_at = 0;
};
// to[i] = that of candidate ids[i]; gains[i] = its gain as it stands
void launch_look_up(const BoundedGains& gains, const std::int32_t* ids, std::int32_t count, Stale* to,
                    Sum* gain, cudaStream_t stream);

struct Standing {
  Scored best;              // of the candidates whose gains are exact
  std::uint32_t stale = 0;  // how many candidates are listed
};
struct ChoiceArguments {
  BoundedGains gains;
  double weight = 0.0;
  const double* bonus = nullptr;
  const std::uint8_t* closed = nullptr;
  Scored* best_exact = nullptr;  // of every block of pick_blocks(n) ...
  Scored* best_stale = nullptr;  // ... by its bound
  Standing* choice = nullptr;
  Stale* stale = nullptr;  // n
};
// The best candidate whose gain is exact, and of each block's share of the others the best, where its bound
// is better than that.
void launch_best_of_blocks(const ChoiceArguments& arguments, cudaStream_t stream);
// The same, and all of the others whose bounds are better.
void launch_all_better(const ChoiceArguments& arguments, cudaStream_t stream);

}  // namespace qdit::cuda
