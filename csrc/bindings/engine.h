// The engine as Python sees it: the pool, a backend over it, one call at a time.
#pragma once

#include <pybind11/stl.h>

#include <algorithm>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "bindings/arrays.h"
#include "bindings/cuda_library.h"
#include "bindings/python_observer.h"
#include "cpu/cpu_backend.h"
#include "cpu/dispatch.h"
#include "engine/greedy.h"
#include "reference/reference_backend.h"

namespace qdit::bindings {

class Engine {
 public:
  // kept: arrays that the options point into, beside the rows.
  Engine(py::object rows, std::vector<py::array> kept, const std::string& backend, PoolOptions options)
      : rows_(std::move(rows)), kept_(std::move(kept)), d_(options.rows.d), threads_(options.threads) {
    options.interrupt = Interrupt(check_signals);
    const py::gil_scoped_release release;
    if (backend == "cpu") {
      simd_ = cpu::select_kernels(options.simd).name;
      backend_ = make_cpu_backend(std::move(options));
    } else if (backend == "cuda") {
      threads_ = 1;
      backend_ = make_cuda_backend(options);
    } else {
      threads_ = 1;
      backend_ = make_reference_backend(std::move(options));
    }
  }

  const Backend& backend() const { return *backend_; }
  Shard* shard() { return backend_->shard(); }
  Index d() const { return d_; }
  const std::string& simd() const { return simd_; }
  int threads() const { return threads_; }

  void reset(const std::optional<IndexArray>& given) {
    const auto rows = given ? view(*given, "given") : std::span<const Index>();
    const auto lock = enter();
    {
      const py::gil_scoped_release release;
      backend_->reset(rows);
    }
    bounds_.clear();
  }

  IndexArray gains(const IndexArray& candidates) {
    return map(candidates, [&](auto in, auto out) { backend_->gains(in, out); });
  }

  IndexArray commit(const IndexArray& candidates) {
    return map(candidates, [&](auto in, auto out) { backend_->commit(in, out); });
  }

  void expect(Index commits) {
    const auto lock = enter();
    backend_->expect(commits);
  }

  Fixed coverage() {
    const auto lock = enter();
    return backend_->coverage();
  }

  IndexArray similarities(const IndexArray& candidates, const IndexArray& rows) {
    const auto from = view(candidates, "candidates");
    const auto to = view(rows, "rows");
    IndexArray out({candidates.size(), rows.size()});
    const std::span<Fixed> values(out.mutable_data(), from.size() * to.size());
    const auto lock = enter();
    const py::gil_scoped_release release;
    backend_->similarities(from, to, values);
    return out;
  }

  std::pair<IndexArray, py::array_t<double>> nearest(const py::array& centroids) {
    const RowView rows = row_view(centroids, "float32", "centroids");
    if (rows.d != d_ || rows.n < 1) {
      throw std::invalid_argument("centroids: wanted at least one row of " + std::to_string(d_) +
                                  " columns.");
    }
    IndexArray ids(backend_->size());
    py::array_t<double> sims(backend_->size());
    const auto n = static_cast<std::size_t>(backend_->size());
    const std::span<Index> to(ids.mutable_data(), n);
    const std::span<double> values(sims.mutable_data(), n);
    const auto lock = enter();
    {
      const py::gil_scoped_release release;
      backend_->nearest(rows, to, values);
    }
    return {ids, sims};
  }

  py::array_t<SimilarPair> similar_pairs(Index begin, Index end, Fixed least, std::size_t most) {
    const auto lock = enter();
    std::vector<SimilarPair> found;
    {
      const py::gil_scoped_release release;
      found = backend_->similar_pairs({begin, end, least, most});
    }
    return py::array_t<SimilarPair>(static_cast<py::ssize_t>(found.size()), found.data());
  }

  py::array_t<double> row_coverage() {
    const auto lock = enter();
    py::array_t<double> out(backend_->represented());
    backend_->row_coverage({out.mutable_data(), static_cast<std::size_t>(out.size())});
    return out;
  }

  // bounds: updated in place; its own where there are none.
  std::pair<IndexArray, IndexArray> select(GreedyOptions options, const std::optional<py::array>& bounds,
                                           const Progress& progress, double interval) {
    const auto lock = enter();
    options.bounds = keep(bounds);
    GreedyResult result;
    {
      const Selecting running(selecting_);
      const py::gil_scoped_release release;
      PythonObserver observer(*backend_, progress, interval);
      result = run_greedy(*backend_, options, observer);
    }
    return {to_array(result.picks), to_array(result.gains)};
  }

  // One call at a time: the state is one selection.
  std::unique_lock<std::recursive_mutex> enter() {
    std::unique_lock lock(mutex_, std::try_to_lock);
    if (!lock || selecting_) throw std::runtime_error("the engine is busy: one call at a time.");
    return lock;
  }

  py::dict stats() const {
    const BackendStats stats = backend_->stats();
    const double all_pairs =
        static_cast<double>(backend_->size()) * static_cast<double>(backend_->represented());
    py::dict out;
    out["evaluations"] = stats.evaluations;
    out["cached_evaluations"] = stats.cached_evaluations;
    out["commits"] = stats.commits;
    out["batches"] = stats.batches;
    out["products"] = stats.products / all_pairs;
    out["passes"] = static_cast<double>(stats.rows_read) / static_cast<double>(backend_->size());
    out["seconds_check"] = stats.seconds_check;
    out["seconds_gains"] = stats.seconds_gains;
    out["seconds_commit"] = stats.seconds_commit;
    out["peak_bytes"] = stats.peak_bytes;
    out["threads"] = threads_;
    out["simd"] = simd_;
    out["backend"] = backend_->name();
    if (!backend_->device().empty()) {
      out["device"] = backend_->device();
      out["seconds_pass"] = stats.seconds_pass;
      out["seconds_count"] = stats.seconds_count;
      out["seconds_fill"] = stats.seconds_fill;
      out["seconds_sparse"] = stats.seconds_sparse;
      out["products_evaluating"] = stats.products_evaluating / all_pairs;
      out["pairs_written"] = stats.pairs_written;
      out["rebuilds"] = stats.rebuilds;
      out["relists"] = stats.relists;
      out["dense_picks"] = stats.dense_picks;
      out["pick_waits"] = stats.pick_waits;
      out["pick_bytes_down"] = stats.pick_bytes_down;
    }
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

  // Bounds that the caller hands in are updated in place, so nothing may be copied.
  std::span<Fixed> keep(const std::optional<py::array>& bounds) {
    const Index n = backend_->size();
    const auto size = static_cast<std::size_t>(n);
    if (!bounds) {
      py::array_t<Fixed> own(n);
      std::fill_n(own.mutable_data(), size, kUnknownBound);
      bounds_.push_back(own);
      return {own.mutable_data(), size};
    }
    if (!py::isinstance<py::array_t<Fixed>>(*bounds) || bounds->ndim() != 1 || bounds->size() != n ||
        (bounds->flags() & py::array::c_style) == 0 || !bounds->writeable()) {
      throw std::invalid_argument("bounds: wanted a writeable, contiguous array of " + std::to_string(n) +
                                  " int64.");
    }
    bounds_.push_back(*bounds);
    return {static_cast<Fixed*>(bounds_.back().mutable_data()), size};
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

  py::object rows_;  // keeps the pool's memory alive
  std::vector<py::array> kept_;
  Index d_;
  int threads_;
  std::string simd_;
  std::vector<py::array> bounds_;  // of every select() since reset(): the backend may still write to them
  std::unique_ptr<Backend> backend_;
  std::recursive_mutex mutex_;
  bool selecting_ = false;
};

}  // namespace qdit::bindings
