// What a run tells Python, and what it asks: new picks, and whether it should stop.
#pragma once

#include <pybind11/functional.h>

#include <chrono>
#include <functional>
#include <span>

#include "bindings/arrays.h"
#include "engine/backend.h"
#include "engine/greedy.h"
#include "engine/interrupt.h"

namespace qdit::bindings {

using Progress = std::function<void(const IndexArray&, const IndexArray&, std::int64_t)>;

inline void check_signals() {
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
    const auto now = std::chrono::steady_clock::now();
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
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
  std::size_t told_ = 0;
};

}  // namespace qdit::bindings
