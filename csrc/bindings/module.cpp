// The Python module qdit._core: a table of contents, and what a lack of memory is called.
#include <exception>
#include <new>
#include <stdexcept>
#include <typeinfo>
#include <utility>

#include "bindings/register.h"

namespace {

void out_of_memory(std::exception_ptr thrown) {
  constexpr const char* kMessage =
      "out of memory: the engine got no more; pass a memory_budget below what is free, or fewer threads";
  try {
    std::rethrow_exception(std::move(thrown));
  } catch (const std::bad_array_new_length&) {
    PyErr_SetString(PyExc_MemoryError, kMessage);
  } catch (const std::bad_alloc& error) {  // that of a device says more
    PyErr_SetString(PyExc_MemoryError, typeid(error) == typeid(std::bad_alloc) ? kMessage : error.what());
  } catch (const std::length_error&) {
    PyErr_SetString(PyExc_MemoryError, kMessage);
  }
}

}  // namespace

PYBIND11_MODULE(_core, module) {
  module.doc() = "The compiled engine of qdit.";
  pybind11::register_local_exception_translator(&out_of_memory);
  qdit::bindings::register_info(module);
  qdit::bindings::register_engine(module);
  qdit::bindings::register_cuda(module);
  qdit::bindings::register_graph(module);
  qdit::bindings::register_shard(module);
  qdit::bindings::register_text(module);
}
