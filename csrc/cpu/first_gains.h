// The first gains in O(n d): while nothing is chosen, d({a}) = sum over v of s(a, v) = a . (sum over v of v).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "cpu/kernels.h"
#include "cpu/thread_pool.h"
#include "engine/rows.h"
#include "engine/types.h"

namespace qdit::cpu {

// sum over v of weight(v) * factor(v) * row(v), in float64, in an order that depends on nothing but n.
// weights: as in RowWeights.
std::vector<double> weighted_row_sum(const RowView& rows, std::span<const float> factors,
                                     const std::uint32_t* weights, const Kernels& kernels, ThreadPool& pool);

// The same sum over rows `first`, first + 1, ... of a larger pool, carried on from the rows before them. Rows
// are summed in blocks by their number in that pool; total: of whole blocks; open: of the block that `first`
// falls into, and on return of the one that the next row falls into. The sum of all rows is total + open in
// the end.
void add_row_sum(const RowView& rows, std::span<const float> factors, const std::uint32_t* weights,
                 const Kernels& kernels, ThreadPool& pool, Index first, std::span<double> total,
                 std::span<double> open);

// out[i] = rint(factor(c) * (row(c) . row_sum))
void first_gains(const RowView& rows, std::span<const float> factors, std::span<const double> row_sum,
                 std::span<const Index> candidates, const Kernels& kernels, ThreadPool& pool,
                 std::span<Fixed> out);

}  // namespace qdit::cpu
