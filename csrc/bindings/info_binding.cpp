#include <pybind11/stl.h>

#include <stdexcept>

#include "bindings/arrays.h"
#include "bindings/cuda_library.h"
#include "bindings/register.h"
#include "cpu/dispatch.h"
#include "engine/sampler.h"
#include "engine/system.h"

namespace qdit::bindings {
namespace {

py::dict build_info() {
  py::dict info;
  info["version"] = QDIT_VERSION;
  info["compiler"] = QDIT_COMPILER;
  info["build_type"] = QDIT_BUILD_TYPE;
  info["simd_built"] = cpu::built_levels();
  info["simd_supported"] = cpu::supported_levels();
  info["simd_active"] = cpu::select_kernels("").name;
  info["cuda_built"] = cuda_built();
  return info;
}

IndexArray sample(std::uint64_t seed, std::uint64_t step, const py::array_t<bool, py::array::c_style>& taken,
                  Index count) {
  const auto n = static_cast<std::size_t>(taken.size());
  std::vector<std::uint8_t> rows(n);
  Index free = 0;
  for (std::size_t i = 0; i < n; ++i) {
    rows[i] = taken.data()[i] ? 1 : 0;
    free += rows[i] == 0 ? 1 : 0;
  }
  if (count < 0) throw std::invalid_argument("count: got " + std::to_string(count) + ", wanted 0 or more.");
  std::vector<std::uint8_t> marks(n, 0);
  return to_array(sample_candidates(seed, step, rows, free, count, marks));
}

}  // namespace

void register_info(py::module_& module) {
  module.def("build_info", &build_info, "Describe the compiled engine.");
  module.def("usable_processors", &usable_processors, py::arg("root") = "");
  module.def("available_memory", &available_memory, py::arg("root") = "");
  module.def("total_memory", &total_memory, py::arg("root") = "");
  module.def("sample_candidates", &sample, py::arg("seed"), py::arg("step"), py::arg("taken"),
             py::arg("count"), "Return the candidates that method \"stochastic\" draws at `step`.");
}

}  // namespace qdit::bindings
