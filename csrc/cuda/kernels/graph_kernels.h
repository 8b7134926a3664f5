// The kernels of the similarity graph, as the host calls them; see kernels.h.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "cuda/kernels/comparisons.h"
#include "cuda/kernels/epilogue.h"
#include "cuda/kernels/layout.h"

namespace qdit::cuda {

struct CandidateArguments {
  Operand pool;           // all rows by number, or those that were gathered, by place
  bool gathered = false;  // which of the two
  const Comparison* comparisons = nullptr;
  std::int64_t count = 0;                 // of comparisons
  const std::int32_t* numbers = nullptr;  // of rows, that comparisons point to
  const std::int32_t* floors = nullptr;   // per row of the pool
  const std::int32_t* seen = nullptr;     // (rows of the pool, probes): parts that a row sees, its own first
  std::int32_t probes = 0;
  // Per row from number `first` on:
  std::int32_t first = 0;
  std::uint32_t* counts = nullptr;  // += candidates
  const std::int64_t* list_begin = nullptr;
  Sum* keys = nullptr;  // by list: nearest_key() of each candidate, in any order; null: they are only counted
};
// Tiles first .. first + count of the comparisons: pairs whose similarity is above the floor of either row.
void launch_candidates(const Arithmetic& how, const CandidateArguments& arguments, std::int64_t first,
                       std::int64_t count, cudaStream_t stream);
// Sorts the lists of `rows` rows, the largest key first.
void launch_sort(const std::int64_t* begin, const std::uint32_t* counts, std::int64_t rows, Sum* keys,
                 cudaStream_t stream);
// out[to[i] - to[0] ..] = the first to[i + 1] - to[i] keys of the list of row i, decoded.
void launch_pack(const Sum* keys, const std::int64_t* begin, const std::int64_t* to, std::int64_t rows,
                 Pair* out, cudaStream_t stream);
// ids[v * count + i] = the candidate of which row v has the i-th largest similarity, the smaller number on
// ties. sims: of `candidates` with `rows` rows, as launch_similarities() stores them, at least `count` of
// them. keys: count * rows, for work.
void launch_top(const std::int32_t* sims, std::int64_t stride, std::int32_t candidates, std::int64_t rows,
                std::int32_t count, Sum* keys, std::int32_t* ids, cudaStream_t stream);

}  // namespace qdit::cuda
