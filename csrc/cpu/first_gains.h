// The first gains in O(n d): while nothing is chosen, d({a}) = sum over v of s(a, v) = a . (sum over v of v).
#pragma once

#include <span>
#include <vector>

#include "cpu/kernels.h"
#include "cpu/thread_pool.h"
#include "engine/rows.h"
#include "engine/types.h"

namespace qdit::cpu {

// sum over v of factor(v) * row(v), in float64, in an order that depends on nothing but n.
std::vector<double> weighted_row_sum(const RowView& rows, std::span<const float> factors,
                                     const Kernels& kernels, ThreadPool& pool);

// out[i] = rint(factor(c) * (row(c) . row_sum))
void first_gains(const RowView& rows, std::span<const float> factors, std::span<const double> row_sum,
                 std::span<const Index> candidates, const Kernels& kernels, ThreadPool& pool,
                 std::span<Fixed> out);

}  // namespace qdit::cpu
