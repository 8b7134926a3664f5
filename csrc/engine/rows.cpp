#include "engine/rows.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <stdexcept>

namespace qdit {
namespace {

double half_value(std::uint16_t bits) {
  const double sign = (bits & 0x8000u) != 0 ? -1.0 : 1.0;
  const int exponent = (bits >> 10) & 0x1f;
  const int fraction = bits & 0x3ff;
  if (exponent == 0x1f) {
    return fraction != 0 ? std::numeric_limits<double>::quiet_NaN()
                         : sign * std::numeric_limits<double>::infinity();
  }
  if (exponent == 0) return sign * std::ldexp(fraction, -24);
  return sign * std::ldexp(1024 + fraction, exponent - 25);
}

template <class T>
T load(const std::byte* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

}  // namespace

DType parse_dtype(const std::string& name) {
  if (name == "float16") return DType::kFloat16;
  if (name == "bfloat16") return DType::kBFloat16;
  if (name == "float32") return DType::kFloat32;
  if (name == "float64") return DType::kFloat64;
  throw std::invalid_argument("dtype: got \"" + name +
                              "\", wanted \"float16\", \"bfloat16\", \"float32\" or \"float64\".");
}

std::size_t item_size(DType dtype) {
  switch (dtype) {
    case DType::kFloat16:
    case DType::kBFloat16:
      return 2;
    case DType::kFloat32:
      return 4;
    case DType::kFloat64:
      return 8;
  }
  return 0;  // unreachable
}

double item_value(const RowView& rows, Index row, Index column) {
  const std::byte* at = rows.row(row) + static_cast<std::size_t>(column) * item_size(rows.dtype);
  switch (rows.dtype) {
    case DType::kFloat16:
      return half_value(load<std::uint16_t>(at));
    case DType::kBFloat16: {
      const std::uint32_t bits = static_cast<std::uint32_t>(load<std::uint16_t>(at)) << 16;
      float value;
      std::memcpy(&value, &bits, sizeof value);
      return static_cast<double>(value);
    }
    case DType::kFloat32:
      return static_cast<double>(load<float>(at));
    case DType::kFloat64:
      return load<double>(at);
  }
  return 0.0;  // unreachable
}

}  // namespace qdit
