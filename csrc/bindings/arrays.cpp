#include "bindings/arrays.h"

#include <cstdint>
#include <stdexcept>

namespace qdit::bindings {

RowView row_view(const py::array& array, const std::string& dtype, const std::string& name) {
  RowView rows;
  rows.dtype = parse_dtype(dtype);
  rows.name = name;
  const char kind = rows.dtype == DType::kBFloat16 ? 'u' : 'f';
  const auto item = static_cast<py::ssize_t>(item_size(rows.dtype));
  if (array.ndim() != 2 || array.dtype().kind() != kind || array.itemsize() != item ||
      (array.flags() & py::array::c_style) == 0 || !array.dtype().attr("isnative").cast<bool>()) {
    throw std::invalid_argument(name + ": wanted a native, C-contiguous 2-D array of " + dtype + ".");
  }
  if (reinterpret_cast<std::uintptr_t>(array.data()) % static_cast<std::size_t>(item) != 0) {
    throw std::invalid_argument(name + ": the data does not start at a multiple of the item size.");
  }
  rows.data = static_cast<const std::byte*>(array.data());
  rows.n = array.shape(0);
  rows.d = array.shape(1);
  return rows;
}

}  // namespace qdit::bindings
