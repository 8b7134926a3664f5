#include <pybind11/functional.h>
#include <pybind11/stl.h>

#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <utility>

#include "bindings/arrays.h"
#include "bindings/register.h"
#include "cpu/cpu_backend.h"
#include "cpu/dispatch.h"
#include "engine/greedy.h"
#include "reference/reference_backend.h"

namespace qdit::bindings {

namespace {

using Clock = std::chrono::steady_clock;
using Progress = std::function<void(const IndexArray&, const IndexArray&, std::int64_t)>;

void check_signals() {
  const py::gil_scoped_acquire gil;
  if (PyErr_CheckSignals() != 0) throw py::error_already_set();
}

// Between evaluations: lets Ctrl-C through, and tells Python of new picks every `interval` seconds.
class PythonObserver final : public Observer {
 public:
  PythonObserver(const Backend& backend, const Progress& progress, double interval)
      : backend_(backend), progress_(progress), interval_(interval), signals_(check_signals) {}

  void tick(const GreedyResult& so_far, bool finished) override {
    signals_.poll();
    if (!progress_) return;
    const auto now = Clock::now();
    if (!finished && std::chrono::duration<double>(now - last_).count() < interval_) return;
    last_ = now;
    const py::gil_scoped_acquire gil;
    const auto picks = std::span(so_far.picks).subspan(told_);
    const auto gains = std::span(so_far.gains).subspan(told_);
    told_ = so_far.picks.size();
    progress_(to_array(picks), to_array(gains), backend_.stats().evaluations);
  }

 private:
  const Backend& backend_;
  const Progress& progress_;
  double interval_;
  Interrupt signals_;
  Clock::time_point last_ = Clock::now();
  std::size_t told_ = 0;
};

class Engine {
 public:
  Engine(py::array rows, std::optional<py::array> outside, const std::string& backend, PoolOptions options)
      : rows_(std::move(rows)), outside_(std::move(outside)), d_(options.rows.d), threads_(options.threads) {
    options.interrupt = Interrupt(check_signals);
    const py::gil_scoped_release release;
    if (backend == "cpu") {
      simd_ = cpu::select_kernels(options.simd).name;
      backend_ = make_cpu_backend(std::move(options));
    } else {
      threads_ = 1;
      backend_ = make_reference_backend(std::move(options));
    }
  }

  const Backend& backend() const { return *backend_; }
  Index d() const { return d_; }
  const std::string& simd() const { return simd_; }
  int threads() const { return threads_; }

  void reset(const std::optional<IndexArray>& given) {
    const auto rows = given ? view(*given, "given") : std::span<const Index>();
    const auto lock = enter();
    const py::gil_scoped_release release;
    backend_->reset(rows);
  }

  IndexArray gains(const IndexArray& candidates) {
    return map(candidates, [&](auto in, auto out) { backend_->gains(in, out); });
  }

  IndexArray commit(const IndexArray& candidates) {
    return map(candidates, [&](auto in, auto out) { backend_->commit(in, out); });
  }

  Fixed coverage() {
    const auto lock = enter();
    return backend_->coverage();
  }

  py::array_t<double> row_coverage() {
    const auto lock = enter();
    py::array_t<double> out(backend_->size());
    backend_->row_coverage({out.mutable_data(), static_cast<std::size_t>(out.size())});
    return out;
  }

  std::pair<IndexArray, IndexArray> select(const GreedyOptions& options, const Progress& progress,
                                           double interval) {
    const auto lock = enter();
    GreedyResult result;
    {
      const Selecting running(selecting_);
      const py::gil_scoped_release release;
      PythonObserver observer(*backend_, progress, interval);
      result = run_greedy(*backend_, options, observer);
    }
    return {to_array(result.picks), to_array(result.gains)};
  }

  py::dict stats() const {
    const BackendStats stats = backend_->stats();
    py::dict out;
    out["evaluations"] = stats.evaluations;
    out["cached_evaluations"] = stats.cached_evaluations;
    out["commits"] = stats.commits;
    out["batches"] = stats.batches;
    out["products"] =
        stats.products / (static_cast<double>(backend_->size()) * static_cast<double>(backend_->size()));
    out["passes"] = static_cast<double>(stats.rows_read) / static_cast<double>(backend_->size());
    out["seconds_check"] = stats.seconds_check;
    out["seconds_gains"] = stats.seconds_gains;
    out["seconds_commit"] = stats.seconds_commit;
    out["peak_bytes"] = stats.peak_bytes;
    out["threads"] = threads_;
    out["simd"] = simd_;
    out["backend"] = backend_->name();
    return out;
  }

 private:
  struct Selecting {
    explicit Selecting(bool& on) : flag(on) { flag = true; }
    Selecting(const Selecting&) = delete;
    Selecting& operator=(const Selecting&) = delete;
    ~Selecting() { flag = false; }
    bool& flag;
  };

  // One call at a time: the state is one selection.
  std::unique_lock<std::recursive_mutex> enter() {
    std::unique_lock lock(mutex_, std::try_to_lock);
    if (!lock || selecting_) throw std::runtime_error("the engine is busy: one call at a time.");
    return lock;
  }

  template <class Function>
  IndexArray map(const IndexArray& candidates, const Function& function) {
    const auto in = view(candidates, "candidates");
    IndexArray out(static_cast<py::ssize_t>(in.size()));
    const std::span<Fixed> to(out.mutable_data(), in.size());
    const auto lock = enter();
    const py::gil_scoped_release release;
    function(in, to);
    return out;
  }

  py::array rows_;  // keeps the pool's memory alive
  std::optional<py::array> outside_;
  Index d_;
  int threads_;
  std::string simd_;
  std::unique_ptr<Backend> backend_;
  std::recursive_mutex mutex_;
  bool selecting_ = false;
};

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

std::unique_ptr<Engine> make_engine(const py::array& rows, const std::string& dtype,
                                    const std::string& backend, const std::string& metric,
                                    std::optional<double> floor, const std::string& zero_rows, int threads,
                                    const std::optional<std::string>& simd, std::int64_t cache_bytes,
                                    Index block_rows, Index batch, const std::optional<py::array>& outside,
                                    const std::string& outside_dtype) {
  PoolOptions options;
  choice("backend", backend, {"cpu", "reference"});
  options.rows = row_view(rows, dtype, "embeddings");
  at_least<Index>("embeddings: rows", options.rows.n, 1);
  at_least<Index>("embeddings: columns", options.rows.d, 1);
  if (outside) {
    options.outside = row_view(*outside, outside_dtype, "given");
    if (options.outside.d != options.rows.d) {
      throw std::invalid_argument("given: got rows of " + std::to_string(options.outside.d) +
                                  " columns, wanted " + std::to_string(options.rows.d) +
                                  " as in the embeddings.");
    }
  }
  options.metric = choice("metric", metric, {"cosine", "dot"}) == "dot" ? Metric::kDot : Metric::kCosine;
  options.floor = floor;
  const bool ignore = choice("zero_rows", zero_rows, {"error", "ignore"}) == "ignore";
  options.zero_rows = ignore ? ZeroRows::kIgnore : ZeroRows::kError;
  options.threads = at_least("threads", threads, 1);
  options.simd = simd.value_or("");
  options.cache_bytes = static_cast<std::size_t>(at_least<std::int64_t>("cache_bytes", cache_bytes, 0));
  options.block_rows = at_least<Index>("block_rows", block_rows, 0);
  options.batch = at_least<Index>("batch", batch, 0);
  return std::make_unique<Engine>(rows, outside, backend, std::move(options));
}

// Bounds that the caller hands in are updated in place, so nothing may be copied.
std::span<Fixed> bounds_view(const std::optional<py::array>& bounds, std::vector<Fixed>& own, Index n) {
  if (!bounds) {
    own.assign(static_cast<std::size_t>(n), kUnknownBound);
    return own;
  }
  if (!py::isinstance<py::array_t<Fixed>>(*bounds) || bounds->ndim() != 1 || bounds->size() != n ||
      (bounds->flags() & py::array::c_style) == 0 || !bounds->writeable()) {
    throw std::invalid_argument("bounds: wanted a writeable, contiguous array of " + std::to_string(n) +
                                " int64.");
  }
  return {static_cast<Fixed*>(py::array(*bounds).mutable_data()), static_cast<std::size_t>(n)};
}

std::pair<IndexArray, IndexArray> select(Engine& engine, const std::string& method, Index k, double weight,
                                         const py::array_t<double, py::array::c_style>& bonus,
                                         const std::optional<IndexArray>& excluded, double epsilon,
                                         std::uint64_t seed, std::int64_t memory,
                                         const std::optional<py::array>& bounds,
                                         const std::optional<IndexArray>& picks, const Progress& on_progress,
                                         double interval) {
  std::vector<Fixed> own_bounds;
  GreedyOptions options;
  options.method = parse_method(method);
  options.k = k;
  options.weight = weight;
  options.bonus = {bonus.data(), static_cast<std::size_t>(bonus.size())};
  if (excluded) options.excluded = view(*excluded, "excluded");
  options.epsilon = epsilon;
  options.seed = seed;
  options.memory = static_cast<std::size_t>(at_least<std::int64_t>("memory", memory, 0));
  options.bounds = bounds_view(bounds, own_bounds, engine.backend().size());
  if (picks) options.picks = view(*picks, "picks");
  return engine.select(options, on_progress, interval);
}

}  // namespace

void register_engine(py::module_& module) {
  py::class_<Engine>(module, "Engine",
                     "The pool, its running max-similarity vector and a greedy maximiser over them.")
      .def(py::init(&make_engine), py::arg("rows"), py::kw_only(), py::arg("dtype"),
           py::arg("backend") = "cpu", py::arg("metric") = "cosine", py::arg("floor") = py::none(),
           py::arg("zero_rows") = "error", py::arg("threads") = 1, py::arg("simd") = py::none(),
           py::arg("cache_bytes") = 0, py::arg("block_rows") = 0, py::arg("batch") = 0,
           py::arg("outside") = py::none(), py::arg("outside_dtype") = "")
      .def_property_readonly("n", [](const Engine& e) { return e.backend().size(); })
      .def_property_readonly("d", &Engine::d)
      .def_property_readonly("scale", [](const Engine& e) { return e.backend().scale(); })
      .def_property_readonly("backend", [](const Engine& e) { return e.backend().name(); })
      .def_property_readonly("simd", &Engine::simd)
      .def_property_readonly("threads", &Engine::threads)
      .def_property_readonly("ignored", [](const Engine& e) { return to_array(e.backend().ignored()); })
      .def("reset", &Engine::reset, py::arg("given") = py::none())
      .def("gains", &Engine::gains, py::arg("candidates"))
      .def("commit", &Engine::commit, py::arg("candidates"))
      .def("coverage", &Engine::coverage)
      .def("row_coverage", &Engine::row_coverage)
      .def("select", &select, py::arg("method"), py::arg("k"), py::kw_only(), py::arg("weight"),
           py::arg("bonus"), py::arg("excluded") = py::none(), py::arg("epsilon") = 0.01, py::arg("seed") = 0,
           py::arg("memory") = 0, py::arg("bounds") = py::none(), py::arg("picks") = py::none(),
           py::arg("on_progress") = py::none(), py::arg("interval") = 0.25)
      .def("stats", &Engine::stats);
}

}  // namespace qdit::bindings
