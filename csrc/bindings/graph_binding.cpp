// The similarity graph as Python sees it: a builder over the pool, and greedy on a finished graph.
#include <pybind11/functional.h>
#include <pybind11/stl.h>

#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "bindings/arrays.h"
#include "bindings/cuda_library.h"
#include "bindings/python_observer.h"
#include "bindings/register.h"
#include "cpu/graph_builder.h"
#include "cpu/graph_greedy.h"

namespace qdit::bindings {
namespace {

using Int32Array = py::array_t<std::int32_t, py::array::c_style>;
using ShareCallback = std::function<void(double)>;

// Lets Ctrl-C through, and tells Python what share is done, now and then.
class Ticker {
 public:
  explicit Ticker(const ShareCallback& callback) : signals_(check_signals), callback_(callback) {}

  void operator()(double share) {
    signals_.poll();
    if (!callback_) return;
    const auto now = std::chrono::steady_clock::now();
    if (now - last_ < std::chrono::milliseconds(250)) return;
    last_ = now;
    const py::gil_scoped_acquire gil;
    callback_(share);
  }

 private:
  Interrupt signals_;
  const ShareCallback& callback_;
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

template <class Array>
auto items(const Array& array, std::size_t wanted, const std::string& name) {
  if (static_cast<std::size_t>(array.size()) != wanted) {
    throw std::invalid_argument(name + ": got " + std::to_string(array.size()) + " items, wanted " +
                                std::to_string(wanted) + ".");
  }
  return std::span(array.data(), wanted);
}

void check_at_least_one(const std::string& name, Index value) {
  if (value < 1) throw std::invalid_argument(name + ": got " + std::to_string(value) + ", wanted 1 or more.");
}

class Builder {
 public:
  Builder(py::object rows, const std::string& backend, PoolOptions options) : rows_(std::move(rows)) {
    options.interrupt = Interrupt(check_signals);
    const py::gil_scoped_release release;
    if (backend == "cuda") {
      builder_ = make_cuda_graph(options);
    } else {
      builder_ = std::make_unique<cpu::GraphBuilder>(std::move(options));
    }
  }

  double scale() const { return builder_->scale(); }

  Int32Array nearest(const py::array& centroids, Index count, const ShareCallback& on_progress) {
    const RowView rows = row_view(centroids, "float32", "centroids");
    check_at_least_one("count", count);
    if (rows.d != builder_->depth() || rows.n < count) {
      throw std::invalid_argument("centroids: wanted at least " + std::to_string(count) + " rows of " +
                                  std::to_string(builder_->depth()) + " columns.");
    }
    Int32Array ids({builder_->size(), count});
    const std::span<std::int32_t> to(ids.mutable_data(), static_cast<std::size_t>(ids.size()));
    const auto lock = enter();
    const py::gil_scoped_release release;
    Ticker tick(on_progress);
    assigning_ += builder_->nearest(rows, count, to, [&](double share) { tick(share); });
    return ids;
  }

  py::tuple pairs(const Int32Array& nearest, Index cells, Index largest, const Int32Array& floors, Index keep,
                  std::uint64_t seed, std::int64_t memory, const ShareCallback& on_progress) {
    const auto n = static_cast<std::size_t>(builder_->size());
    if (nearest.ndim() != 2) throw std::invalid_argument("nearest: wanted 2 dimensions.");
    const Index probes = nearest.shape(1);
    check_at_least_one("probes", probes);
    check_at_least_one("largest", largest);
    check_at_least_one("keep", keep);
    const GraphBackend::Pairs request{items(nearest, n * static_cast<std::size_t>(probes), "nearest"),
                                      probes,
                                      cells,
                                      largest,
                                      items(floors, n, "floors"),
                                      std::min<Index>(keep, builder_->size()),
                                      seed,
                                      memory};
    GraphBackend::Result result;
    {
      const auto lock = enter();
      const py::gil_scoped_release release;
      Ticker tick(on_progress);
      result = builder_->pairs(request, [&](double share) { tick(share); });
    }
    py::dict stats;
    stats["cut_lists"] = result.cut_lists;
    stats["parts"] = result.parts;
    stats["multiplied"] = result.products;
    stats["multiplied_assigning"] = assigning_;
    if (!builder_->device().empty()) {
      stats["built_on"] = builder_->device();
      stats["rounds"] = result.rounds;
      stats["device_bytes"] = builder_->peak_bytes();
    }
    auto* pairs = result.table.pairs.release();
    const py::capsule owner(pairs, [](void* held) { std::free(held); });
    const py::ssize_t count = result.table.offsets.back();
    return py::make_tuple(to_array(result.table.offsets), py::array_t<Neighbor>(count, pairs, owner), stats);
  }

 private:
  std::unique_lock<std::mutex> enter() {
    std::unique_lock lock(mutex_, std::try_to_lock);
    if (!lock) throw std::runtime_error("the builder is busy: one call at a time.");
    return lock;
  }

  py::object rows_;  // keeps the pool's memory alive
  std::unique_ptr<GraphBackend> builder_;
  double assigning_ = 0.0;  // products of two rows, by nearest()
  std::mutex mutex_;
};

std::unique_ptr<Builder> make_builder(const py::object& rows, const std::string& dtype,
                                      const std::string& backend, const std::string& metric,
                                      const std::string& zero_rows, int threads,
                                      const std::optional<std::string>& simd, Index block_rows, int device,
                                      const std::optional<std::string>& precision) {
  if (backend != "cpu" && backend != "cuda") {
    throw std::invalid_argument("backend: got \"" + backend + R"(", wanted "cpu" or "cuda".)");
  }
  PoolOptions options;
  set_rows(options, rows, dtype, backend);
  check_at_least_one("embeddings: rows", options.rows.n);
  check_at_least_one("embeddings: columns", options.rows.d);
  check_at_least_one("threads", threads);
  options.metric = metric == "dot" ? Metric::kDot : Metric::kCosine;
  options.zero_rows = zero_rows == "ignore" ? ZeroRows::kIgnore : ZeroRows::kError;
  options.threads = threads;
  options.simd = simd.value_or("");
  options.block_rows = block_rows;
  options.device = device;
  options.precision = precision.value_or("");
  return std::make_unique<Builder>(rows, backend, std::move(options));
}

py::tuple select(const IndexArray& offsets, const py::array_t<Neighbor, py::array::c_style>& pairs,
                 Int32Array& row_max, Index k, double weight,
                 const py::array_t<double, py::array::c_style>& bonus,
                 const py::array_t<bool, py::array::c_style>& open, int threads,
                 const std::function<void(const IndexArray&)>& on_progress) {
  const auto n = static_cast<std::size_t>(row_max.size());
  check_at_least_one("threads", threads);
  const std::span<std::int32_t> max(row_max.mutable_data(), n);
  const Scorer scorer(weight, items(bonus, n, "bonus"));
  const auto flags = items(open, n, "open");
  const std::span<const std::uint8_t> rows(reinterpret_cast<const std::uint8_t*>(flags.data()), n);
  const GraphView graph{items(offsets, n + 1, "offsets"),
                        {pairs.data(), static_cast<std::size_t>(pairs.size())}};
  cpu::GraphGreedy::Result result;
  {
    const py::gil_scoped_release release;
    Interrupt interrupt(check_signals);
    cpu::ThreadPool pool(threads, interrupt);
    cpu::GraphGreedy greedy(graph, max);
    greedy.sum_gains(pool);
    std::size_t told = 0;
    const ShareCallback tell = [&](double) {
      on_progress(to_array(std::span(result.picks).subspan(told)));
      told = result.picks.size();
    };
    const ShareCallback nobody;
    Ticker tick(on_progress ? tell : nobody);
    greedy.run(k, scorer, rows, result, [&] { tick(0.0); });
  }
  return py::make_tuple(to_array(result.picks), to_array(result.gains));
}

}  // namespace

void register_graph(py::module_& module) {
  PYBIND11_NUMPY_DTYPE(Neighbor, row, sim);
  py::class_<Builder>(module, "GraphBuilder", "Builds a similarity graph over a pool.")
      .def(py::init(&make_builder), py::arg("rows"), py::kw_only(), py::arg("dtype"),
           py::arg("backend") = "cpu", py::arg("metric") = "cosine", py::arg("zero_rows") = "error",
           py::arg("threads") = 1, py::arg("simd") = py::none(), py::arg("block_rows") = 0,
           py::arg("device") = 0, py::arg("precision") = py::none())
      .def_property_readonly("scale", &Builder::scale)
      .def("nearest", &Builder::nearest, py::arg("centroids"), py::arg("count"),
           py::arg("on_progress") = py::none())
      .def("pairs", &Builder::pairs, py::arg("nearest"), py::kw_only(), py::arg("cells"), py::arg("largest"),
           py::arg("floors"), py::arg("keep"), py::arg("seed") = 0, py::arg("memory") = std::int64_t{1} << 48,
           py::arg("on_progress") = py::none());
  module.def("graph_select", &select, py::arg("offsets"), py::arg("pairs"), py::arg("row_max"), py::arg("k"),
             py::kw_only(), py::arg("weight"), py::arg("bonus"), py::arg("open"), py::arg("threads") = 1,
             py::arg("on_progress") = py::none());
}

}  // namespace qdit::bindings
