#include "engine/row_check.h"

#include <cmath>
#include <cstdio>
#include <limits>
#include <stdexcept>
#include <string>

namespace qdit {

std::string number(double value) {
  if (std::isnan(value)) return "nan";
  char text[32];
  std::snprintf(text, sizeof text, "%g", value);
  return text;
}

namespace {

[[noreturn]] void throw_not_finite(const RowView& rows, Index row) {
  const std::string head = rows.name + ": row " + std::to_string(row);
  for (Index k = 0; k < rows.d; ++k) {
    const double value = item_value(rows, row, k);
    if (!std::isfinite(value)) {
      throw std::invalid_argument(head + " has " + number(value) + " in column " + std::to_string(k) +
                                  "; every value must be finite. Repair or remove the row.");
    }
    if (std::fabs(value) > static_cast<double>(std::numeric_limits<float>::max())) {
      throw std::invalid_argument(head + " has " + number(value) + " in column " + std::to_string(k) +
                                  ", beyond the range of float32. Rescale or remove the row.");
    }
  }
  throw std::invalid_argument(head + " changed while it was read.");
}

bool is_zero_row(const RowView& rows, Index row) {
  for (Index k = 0; k < rows.d; ++k) {
    if (item_value(rows, row, k) != 0.0) return false;
  }
  return true;
}

// Of the row as it is given, where rounding it to float32 may have left nothing.
double norm_of(const RowView& rows, Index row) {
  double norm = 0.0;
  for (Index k = 0; k < rows.d; ++k) norm = std::hypot(norm, item_value(rows, row, k));
  return norm;
}

}  // namespace

void throw_norm(const std::string& whose, double norm) {
  throw std::invalid_argument(
      whose + " has the norm " + number(norm) +
      ", outside of 1e-12 .. 1e+12 where float32 products are safe. Rescale the rows.");
}

std::vector<Index> check_rows(const RowView& rows, std::span<const double> squared_norms, Metric metric,
                              ZeroRows zero_rows) {
  return check_rows(rows, squared_norms, metric, zero_rows, [&rows](Index /*row*/) { return rows; });
}

std::vector<Index> check_rows(const RowView& rows, std::span<const double> squared_norms, Metric metric,
                              ZeroRows zero_rows, const FetchRow& fetch) {
  std::vector<Index> ignored;
  for (Index i = rows.first; i < rows.first + rows.n; ++i) {
    const double squared = squared_norms[static_cast<std::size_t>(i - rows.first)];
    if (!std::isfinite(squared)) throw_not_finite(fetch(i), i);
    const double norm = std::sqrt(squared);
    if (norm >= kMinNorm && norm <= kMaxNorm) continue;
    const std::string whose = rows.name + ": row " + std::to_string(i);
    if (norm > kMaxNorm) throw_norm(whose, norm);
    // Under "dot" a row may be short beside the others, but not vanish in float32.
    if (metric == Metric::kDot && (norm > 0.0 || rows.dtype != DType::kFloat64)) continue;
    const RowView there = fetch(i);
    if (!is_zero_row(there, i)) throw_norm(whose, norm_of(there, i));
    if (metric == Metric::kDot) continue;
    if (zero_rows == ZeroRows::kError) {
      throw std::invalid_argument(whose +
                                  " is all zeros, and its cosine similarity is undefined. Remove the row, "
                                  "pass zero_rows=\"ignore\" to "
                                  "leave such rows out, or use metric=\"dot\".");
    }
    ignored.push_back(i);
  }
  return ignored;
}

}  // namespace qdit
