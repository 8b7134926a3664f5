#include "text/ngrams.h"

#include <stdexcept>
#include <string>

#include "bindings/arrays.h"
#include "bindings/python_observer.h"
#include "bindings/register.h"

namespace qdit::bindings {
namespace {

using Characters = py::array_t<std::uint32_t, py::array::c_style>;

py::array_t<double> hash_ngrams(const Characters& characters, const IndexArray& ends, int threads) {
  if (threads < 1)
    throw std::invalid_argument("threads: got " + std::to_string(threads) + ", wanted 1 or more.");
  const auto stops = view(ends, "ends");
  std::int64_t before = 0;
  for (const std::int64_t stop : stops) {
    if (stop < before || stop > characters.size()) {
      throw std::invalid_argument("ends: wanted positions in the characters that do not fall.");
    }
    before = stop;
  }
  const text::Texts texts{{characters.data(), static_cast<std::size_t>(characters.size())}, stops};
  py::array_t<double> rows({static_cast<py::ssize_t>(stops.size()), py::ssize_t{text::kDimensions}});
  double* into = rows.mutable_data();
  Interrupt interrupt(check_signals);
  {
    const py::gil_scoped_release release;
    text::hash_ngrams(texts, into, threads, interrupt);
  }
  return rows;
}

}  // namespace

void register_text(py::module_& module) {
  module.def("hash_ngrams", &hash_ngrams, py::arg("characters"), py::arg("ends"), py::arg("threads"));
}

}  // namespace qdit::bindings
