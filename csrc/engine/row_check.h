// What every row must satisfy before any arithmetic: finite, not zero under cosine, of a usable norm.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "engine/rows.h"
#include "engine/types.h"

namespace qdit {

// Euclidean norms outside this range would overflow or underflow products of float32.
inline constexpr double kMinNorm = 1e-12;
inline constexpr double kMaxNorm = 1e12;

// A number for an error message, with six digits at most.
std::string number(double value);

// Throws std::invalid_argument for a norm outside of them. whose: "embeddings: row 7".
[[noreturn]] void throw_norm(const std::string& whose, double norm);

// Throws std::invalid_argument naming the first bad row; returns the ignored (all-zero) rows, ascending.
// squared_norms: one per row, of the values rounded to float32; not finite where any item is not.
std::vector<Index> check_rows(const RowView& rows, std::span<const double> squared_norms, Metric metric,
                              ZeroRows zero_rows);
// The same for rows that cannot be read in place: fetch gives a view that holds the row of this number.
using FetchRow = std::function<RowView(Index row)>;
std::vector<Index> check_rows(const RowView& rows, std::span<const double> squared_norms, Metric metric,
                              ZeroRows zero_rows, const FetchRow& fetch);

}  // namespace qdit
