#pragma once

#include <pybind11/pybind11.h>

namespace qdit::bindings {

void register_info(pybind11::module_& module);
void register_engine(pybind11::module_& module);
void register_cuda(pybind11::module_& module);
void register_graph(pybind11::module_& module);
void register_shard(pybind11::module_& module);
void register_text(pybind11::module_& module);

}  // namespace qdit::bindings
