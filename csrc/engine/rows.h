// A pool of rows as it lies in memory (usually a memory-mapped file). Never copied whole.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "engine/types.h"

namespace qdit {

enum class DType { kFloat16, kBFloat16, kFloat32, kFloat64 };

DType parse_dtype(const std::string& name);  // throws std::invalid_argument
std::size_t item_size(DType dtype);

struct RowView {
  const std::byte* data = nullptr;  // n * d items, row after row
  Index n = 0;
  Index d = 0;
  DType dtype = DType::kFloat32;
  std::string name = "embeddings";  // for messages
  Index first = 0;                  // number of the row that data begins with, where it is a part of a pool
  Index stride = 0;                 // items from row to row; 0: d

  const std::byte* row(Index i) const {
    const auto items = static_cast<std::size_t>(stride > 0 ? stride : d);
    return data + static_cast<std::size_t>(i - first) * items * item_size(dtype);
  }
};

// Exact value of one item, by the plain definition of its format (slow; for messages and the reference).
double item_value(const RowView& rows, Index row, Index column);

}  // namespace qdit
