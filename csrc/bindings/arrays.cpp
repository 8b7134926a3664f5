#include "bindings/arrays.h"

#include <cstdint>
#include <stdexcept>
#include <utility>

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

RowView device_row_view(const py::object& rows, const std::string& dtype, const std::string& name) {
  const auto shape = rows.attr("shape").cast<std::pair<Index, Index>>();
  const auto pointer = rows.attr("pointer").cast<std::uintptr_t>();
  RowView view;
  view.dtype = parse_dtype(dtype);
  view.name = name;
  if (pointer % item_size(view.dtype) != 0) {
    throw std::invalid_argument(name + ": the data does not start at a multiple of the item size.");
  }
  view.data = reinterpret_cast<const std::byte*>(pointer);
  view.n = shape.first;
  view.d = shape.second;
  return view;
}

void set_rows(PoolOptions& options, const py::object& rows, const std::string& dtype,
              const std::string& backend) {
  options.on_device = !py::isinstance<py::array>(rows);
  if (!options.on_device) {
    options.rows = row_view(rows.cast<py::array>(), dtype, "embeddings");
    return;
  }
  if (!py::hasattr(rows, "pointer")) throw py::type_error("embeddings: wanted an array.");
  if (backend != "cuda") throw std::invalid_argument("embeddings: rows on a device need backend \"cuda\".");
  options.rows = device_row_view(rows, dtype, "embeddings");
  options.stream = rows.attr("stream").cast<std::uintptr_t>();
}

}  // namespace qdit::bindings
