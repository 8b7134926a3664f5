#include <pybind11/functional.h>
#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <memory>
#include <optional>
#include <stdexcept>
#include <utility>

#include "bindings/arrays.h"
#include "bindings/engine.h"
#include "bindings/register.h"
#include "engine/objective.h"

namespace qdit::bindings {

namespace {

std::string choice(const char* name, const std::string& got, std::initializer_list<const char*> wanted) {
  std::string list;
  for (const char* option : wanted) {
    if (got == option) return got;
    list += std::string(list.empty() ? "" : ", ") + '"' + option + '"';
  }
  throw std::invalid_argument(std::string(name) + ": got \"" + got + "\", wanted one of " + list + ".");
}

template <class T>
T at_least(const char* name, T got, T least) {
  if (got >= least) return got;
  throw std::invalid_argument(std::string(name) + ": got " + std::to_string(got) + ", wanted at least " +
                              std::to_string(least) + ".");
}

using CostArray = py::array_t<double, py::array::c_style>;
using WeightArray = py::array_t<double, py::array::c_style>;

RowView same_columns(const RowView& rows, const RowView& pool) {
  if (rows.d == pool.d) return rows;
  throw std::invalid_argument(rows.name + ": got rows of " + std::to_string(rows.d) + " columns, wanted " +
                              std::to_string(pool.d) + " as in the embeddings.");
}

std::shared_ptr<Engine> make_engine(
    const py::object& rows, const std::string& dtype, const std::string& backend, const std::string& metric,
    std::optional<double> floor, const std::string& zero_rows, int threads,
    const std::optional<std::string>& simd, std::int64_t cache_bytes, Index block_rows, Index batch,
    const std::optional<py::array>& outside, const std::string& outside_dtype, int device,
    const std::optional<std::string>& precision, double range, const std::optional<py::array>& represented,
    const std::string& represented_dtype, const std::optional<WeightArray>& weights) {
  PoolOptions options;
  choice("backend", backend, {"cpu", "reference", "cuda"});
  set_rows(options, rows, dtype, backend);
  options.device = at_least("device", device, 0);
  if (precision) options.precision = choice("precision", *precision, {"float16", "split"});
  at_least<Index>("embeddings: rows", options.rows.n, 1);
  at_least<Index>("embeddings: columns", options.rows.d, 1);
  std::vector<py::array> kept;
  const auto other_rows = [&](const std::optional<py::array>& array, const std::string& type,
                              const char* name) {
    if (!array) return RowView();
    kept.push_back(*array);
    return same_columns(row_view(*array, type, name), options.rows);
  };
  options.outside = other_rows(outside, outside_dtype, "given");
  options.represented = other_rows(represented, represented_dtype, "represent");
  if (weights) {
    options.weights = {weights->data(), static_cast<std::size_t>(weights->size())};
    const Index wanted = represented ? options.represented.n : options.rows.n;
    if (weights->ndim() != 1 || weights->size() != wanted) {
      throw std::invalid_argument("weights: wanted " + std::to_string(wanted) +
                                  ", one for each represented row.");
    }
  }
  if (represented) at_least<Index>("represent: rows", options.represented.n, 1);
  if (backend == "cuda" && (represented || weights)) {
    throw std::invalid_argument("represent and weights: backend \"cuda\" does not offer them; use \"cpu\".");
  }
  options.metric = choice("metric", metric, {"cosine", "dot"}) == "dot" ? Metric::kDot : Metric::kCosine;
  options.floor = floor;
  if (!(range >= 0.0)) throw std::invalid_argument("range: wanted at least 0.");
  options.range = range;
  const bool ignore = choice("zero_rows", zero_rows, {"error", "ignore"}) == "ignore";
  options.zero_rows = ignore ? ZeroRows::kIgnore : ZeroRows::kError;
  options.threads = at_least("threads", threads, 1);
  options.simd = simd.value_or("");
  options.cache_bytes = static_cast<std::size_t>(at_least<std::int64_t>("cache_bytes", cache_bytes, 0));
  options.block_rows = at_least<Index>("block_rows", block_rows, 0);
  options.batch = at_least<Index>("batch", batch, 0);
  return std::make_shared<Engine>(rows, std::move(kept), backend, std::move(options));
}

std::pair<IndexArray, IndexArray> select(
    Engine& engine, const std::string& method, Index k, double weight,
    const py::array_t<double, py::array::c_style>& bonus, const std::optional<IndexArray>& excluded,
    double epsilon, std::uint64_t seed, std::int64_t memory, const std::optional<py::array>& bounds,
    const std::optional<IndexArray>& picks, const std::optional<CostArray>& costs, double budget,
    bool per_cost, const std::optional<IndexArray>& groups, const std::optional<IndexArray>& quotas,
    const Progress& on_progress, double interval) {
  GreedyOptions options;
  options.method = parse_method(method);
  options.k = k;
  options.weight = weight;
  options.bonus = {bonus.data(), static_cast<std::size_t>(bonus.size())};
  if (excluded) options.excluded = view(*excluded, "excluded");
  options.epsilon = epsilon;
  options.seed = seed;
  options.memory = static_cast<std::size_t>(at_least<std::int64_t>("memory", memory, 0));
  if (picks) options.picks = view(*picks, "picks");
  if (costs) options.limits.costs = {costs->data(), static_cast<std::size_t>(costs->size())};
  options.limits.budget = budget;
  options.limits.per_cost = per_cost;
  if (groups) options.limits.groups = view(*groups, "groups");
  if (quotas) options.limits.quotas = view(*quotas, "quotas");
  return engine.select(options, bounds, on_progress, interval);
}

GainScale gain_scale(const std::string& name) {
  return choice("gain_scale", name, {"sum", "per_k"}) == "sum" ? GainScale::kSum : GainScale::kPerK;
}

}  // namespace

void register_engine(py::module_& module) {
  PYBIND11_NUMPY_DTYPE(SimilarPair, row, other, sim);
  module.def(
      "gain_factor",
      [](const std::string& scale, Index k, double n) { return gain_factor(gain_scale(scale), k, n); },
      py::arg("gain_scale"), py::arg("k"), py::arg("n"));
  module.def(
      "gain_weight",
      [](double alpha, const std::string& scale, Index k, double n) {
        return gain_weight(alpha, gain_scale(scale), k, n);
      },
      py::arg("alpha"), py::arg("gain_scale"), py::arg("k"), py::arg("n"));
  module.def("budget_ceiling", &budget_ceiling, py::arg("budget"));
  py::class_<Engine, std::shared_ptr<Engine>>(
      module, "Engine", "The pool, its running max-similarity vector and a greedy maximiser over them.")
      .def(py::init(&make_engine), py::arg("rows"), py::kw_only(), py::arg("dtype"),
           py::arg("backend") = "cpu", py::arg("metric") = "cosine", py::arg("floor") = py::none(),
           py::arg("zero_rows") = "error", py::arg("threads") = 1, py::arg("simd") = py::none(),
           py::arg("cache_bytes") = 0, py::arg("block_rows") = 0, py::arg("batch") = 0,
           py::arg("outside") = py::none(), py::arg("outside_dtype") = "", py::arg("device") = 0,
           py::arg("precision") = py::none(), py::arg("range") = 0.0, py::arg("represented") = py::none(),
           py::arg("represented_dtype") = "", py::arg("weights") = py::none())
      .def_property_readonly("n", [](const Engine& e) { return e.backend().size(); })
      .def_property_readonly("d", &Engine::d)
      .def_property_readonly("scale", [](const Engine& e) { return e.backend().scale(); })
      .def_property_readonly("sum_scale", [](const Engine& e) { return e.backend().sum_scale(); })
      .def_property_readonly("represented", [](const Engine& e) { return e.backend().represented(); })
      .def_property_readonly("range", [](const Engine& e) { return e.backend().range(); })
      .def_property_readonly("backend", [](const Engine& e) { return e.backend().name(); })
      .def_property_readonly("simd", &Engine::simd)
      .def_property_readonly("threads", &Engine::threads)
      .def_property_readonly("ignored", [](const Engine& e) { return to_array(e.backend().ignored()); })
      .def("reset", &Engine::reset, py::arg("given") = py::none())
      .def("gains", &Engine::gains, py::arg("candidates"))
      .def("expect", &Engine::expect, py::arg("commits"))
      .def("commit", &Engine::commit, py::arg("candidates"))
      .def("similarities", &Engine::similarities, py::arg("candidates"), py::arg("rows"))
      .def("nearest", &Engine::nearest, py::arg("centroids"))
      .def("similar_pairs", &Engine::similar_pairs, py::arg("begin"), py::arg("end"), py::arg("least"),
           py::arg("most"))
      .def("coverage", &Engine::coverage)
      .def("row_coverage", &Engine::row_coverage)
      .def("select", &select, py::arg("method"), py::arg("k"), py::kw_only(), py::arg("weight"),
           py::arg("bonus"), py::arg("excluded") = py::none(), py::arg("epsilon") = 0.01, py::arg("seed") = 0,
           py::arg("memory") = 0, py::arg("bounds") = py::none(), py::arg("picks") = py::none(),
           py::arg("costs") = py::none(), py::arg("budget") = 0.0, py::arg("per_cost") = false,
           py::arg("groups") = py::none(), py::arg("quotas") = py::none(),
           py::arg("on_progress") = py::none(), py::arg("interval") = 0.25)
      .def("stats", &Engine::stats);
}

}  // namespace qdit::bindings
