// The Python module qdit._core: a table of contents.
#include "bindings/register.h"

PYBIND11_MODULE(_core, module) {
  module.doc() = "The compiled engine of qdit.";
  qdit::bindings::register_info(module);
  qdit::bindings::register_engine(module);
  qdit::bindings::register_cuda(module);
  qdit::bindings::register_graph(module);
  qdit::bindings::register_shard(module);
}
