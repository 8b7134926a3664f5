// NumPy arrays on their way in and out.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <span>
#include <string>
#include <vector>

#include "engine/pool_options.h"
#include "engine/rows.h"
#include "engine/types.h"

namespace qdit::bindings {

namespace py = pybind11;

// No forced casts: an array of floats is a TypeError, not silently truncated.
using IndexArray = py::array_t<Index, py::array::c_style>;

inline std::span<const Index> view(const IndexArray& array, const std::string& name) {
  if (array.ndim() != 1) {
    throw std::invalid_argument(name + ": got " + std::to_string(array.ndim()) + " dimensions, wanted 1.");
  }
  return {array.data(), static_cast<std::size_t>(array.size())};
}

inline IndexArray to_array(std::span<const Index> values) {
  return IndexArray(static_cast<py::ssize_t>(values.size()), values.data());
}

// A view of a 2-D array as rows; the caller keeps the array alive. Throws for anything that would need a
// copy.
RowView row_view(const py::array& array, const std::string& dtype, const std::string& name);
// The same of an object that has `pointer` and `shape` of C-contiguous rows on a CUDA device.
RowView device_row_view(const py::object& rows, const std::string& dtype, const std::string& name);
// Either of them as the pool. Throws where another backend than "cuda" is handed rows on a device.
void set_rows(PoolOptions& options, const py::object& rows, const std::string& dtype,
              const std::string& backend);

}  // namespace qdit::bindings
