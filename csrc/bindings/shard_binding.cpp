// An engine as a part of a larger pool, as Python sees it.
#include <pybind11/functional.h>
#include <pybind11/stl.h>

#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>

#include "bindings/arrays.h"
#include "bindings/engine.h"
#include "bindings/register.h"
#include "engine/shard_picks.h"

namespace qdit::bindings {
namespace {

using Doubles = py::array_t<double, py::array::c_style>;
using OptionalRows = std::optional<py::array>;

// Keeps the engine alive, and uses it under its lock.
class ShardView {
 public:
  explicit ShardView(std::shared_ptr<Engine> engine, std::string dtype)
      : engine_(std::move(engine)), dtype_(std::move(dtype)) {
    if (engine_->shard() == nullptr) {
      throw std::invalid_argument("backend: \"" + engine_->backend().name() +
                                  "\" cannot be a part of a larger pool.");
    }
  }

  bool sums_rows() const { return shard().sums_rows(); }
  bool lists_pairs() const { return shard().lists_pairs(); }
  Index unlisted() const { return shard().unlisted(); }

  IndexArray gains(const py::array& rows) {
    return map(rows, [this](const RowView& view, auto out) { shard().gains(view, out); });
  }

  IndexArray commit_rows(const py::array& rows) {
    return map(rows, [this](const RowView& view, auto out) { shard().commit(view, out); });
  }

  std::pair<Doubles, Doubles> sum_rows(Index first, const Doubles& total, const Doubles& open) {
    Doubles to(check_sum(total, "total"), total.data());
    Doubles left(check_sum(open, "open"), open.data());
    if (first < 0) throw std::invalid_argument("first: wanted at least 0.");
    call([&] { shard().sum_rows(first, items(to), items(left)); });
    return {to, left};
  }

  IndexArray first_gains(const Doubles& total) {
    IndexArray out(engine_->backend().size());
    const std::span<const double> sum(total.data(), static_cast<std::size_t>(check_sum(total, "total")));
    const std::span<Fixed> to(out.mutable_data(), static_cast<std::size_t>(out.size()));
    call([&] { shard().first_gains(sum, to); });
    return out;
  }

  // gains: (candidates,) int64, written to until the next open().
  void open(const py::array& gains, Index first, std::int64_t memory) {
    const Index n = engine_->backend().size();
    if (!py::isinstance<py::array_t<Fixed>>(gains) || gains.ndim() != 1 || gains.size() == 0 ||
        (gains.flags() & py::array::c_style) == 0 || !gains.writeable()) {
      throw std::invalid_argument("gains: wanted a writeable, contiguous array of int64.");
    }
    if (memory < 0) throw std::invalid_argument("memory: wanted at least 0.");
    if (first < -1 || (first >= 0 && first + n > gains.size())) {
      throw std::invalid_argument("first: got " + std::to_string(first) + ", wanted -1 or room for " +
                                  std::to_string(n) + " rows among the candidates.");
    }
    py::array_t<Fixed> kept(gains);
    const std::span<Fixed> to(kept.mutable_data(), static_cast<std::size_t>(kept.size()));
    call([&] { shard().open(to, first, static_cast<std::size_t>(memory), signals()); });
    gains_ = std::move(kept);
  }

  void list(const py::array& rows, Index first) {
    const RowView view = rows_of(rows);
    const Index candidates = gains_ ? gains_->size() : 0;
    if (first < 0 || first + view.n > candidates) {
      throw std::invalid_argument("first: candidates " + std::to_string(first) + " to " +
                                  std::to_string(first + view.n - 1) + " are none of the " +
                                  std::to_string(candidates) + " that open() was told of.");
    }
    call([&] { shard().list(view, first, signals()); });
  }

  void start() {
    call([&] { shard().start(); });
  }

  py::tuple pairs(const IndexArray& numbers, const OptionalRows& rows) {
    PairTable table;
    with_rows(numbers, rows, [&](const Numbered& candidates) { table = shard().pairs(candidates); });
    return py::make_tuple(
        to_array(table.offsets),
        py::array_t<std::uint32_t>(static_cast<py::ssize_t>(table.rows.size()), table.rows.data()),
        py::array_t<std::int32_t>(static_cast<py::ssize_t>(table.rises.size()), table.rises.data()));
  }

  IndexArray commit(const IndexArray& numbers, const OptionalRows& rows) {
    IndexArray out(numbers.size());
    const std::span<Fixed> to(out.mutable_data(), static_cast<std::size_t>(out.size()));
    with_rows(numbers, rows, [&](const Numbered& candidates) { shard().commit(candidates, to); });
    return out;
  }

 private:
  Shard& shard() const { return *engine_->shard(); }

  // Asked by the calling thread while pairs are listed.
  static Shard::Tick signals() {
    return [interrupt = Interrupt(check_signals)](double /*share*/) mutable { interrupt.poll(); };
  }

  static std::span<double> items(Doubles& array) {
    return {array.mutable_data(), static_cast<std::size_t>(array.size())};
  }

  py::ssize_t check_sum(const Doubles& sum, const char* name) const {
    if (sum.ndim() == 1 && sum.size() == engine_->d()) return sum.size();
    throw std::invalid_argument(std::string(name) + ": wanted " + std::to_string(engine_->d()) + " numbers.");
  }

  RowView rows_of(const py::array& rows) const {
    const RowView view = row_view(rows, dtype_, "candidates");
    if (view.d != engine_->d()) {
      throw std::invalid_argument("candidates: got rows of " + std::to_string(view.d) + " columns, wanted " +
                                  std::to_string(engine_->d()) + ".");
    }
    return view;
  }

  template <class Function>
  void call(const Function& function) {
    const auto lock = engine_->enter();
    const py::gil_scoped_release release;
    function();
  }

  template <class Function>
  IndexArray map(const py::array& rows, const Function& function) {
    const RowView candidates = rows_of(rows);
    IndexArray out(candidates.n);
    const std::span<Fixed> to(out.mutable_data(), static_cast<std::size_t>(candidates.n));
    call([&] { function(candidates, to); });
    return out;
  }

  template <class Function>
  void with_rows(const IndexArray& numbers, const OptionalRows& rows, const Function& function) {
    Numbered candidates{view(numbers, "numbers")};
    RowView found;
    if (rows) {
      found = rows_of(*rows);
      if (found.n != static_cast<Index>(numbers.size())) {
        throw std::invalid_argument("rows: wanted one for each of the " + std::to_string(numbers.size()) +
                                    " numbers, got " + std::to_string(found.n) + ".");
      }
      candidates.rows = &found;
    }
    call([&] { function(candidates); });
  }

  std::shared_ptr<Engine> engine_;
  std::string dtype_;
  std::optional<py::array_t<Fixed>> gains_;  // the backend writes to it
};

using Rows = py::array_t<std::uint32_t, py::array::c_style>;
using Rises = py::array_t<std::int32_t, py::array::c_style>;

py::tuple pick_among(const std::vector<std::tuple<IndexArray, Rows, Rises>>& parts, const IndexArray& numbers,
                     const Doubles& bonus, double weight, Index most, double rival_score, Index rival) {
  if (bonus.size() != numbers.size()) throw std::invalid_argument("bonus: wanted one for each of numbers.");
  std::vector<PairView> views;
  for (const auto& [offsets, rows, rises] : parts) {
    views.push_back({view(offsets, "offsets"),
                     {rows.data(), static_cast<std::size_t>(rows.size())},
                     {rises.data(), static_cast<std::size_t>(rises.size())}});
  }
  const auto candidates = view(numbers, "numbers");
  const Scorer scorer(weight, {bonus.data(), static_cast<std::size_t>(bonus.size())});
  ShardPicks found;
  {
    const py::gil_scoped_release release;
    found = pick_among(views, candidates, scorer, most, {rival_score, rival});
  }
  return py::make_tuple(to_array(found.picks), to_array(found.gains));
}

}  // namespace

void register_shard(py::module_& module) {
  py::class_<ShardView>(module, "Shard", "An engine's pool as a part of a larger one.")
      .def(py::init<std::shared_ptr<Engine>, std::string>(), py::arg("engine"), py::kw_only(),
           py::arg("dtype"))
      .def_property_readonly("sums_rows", &ShardView::sums_rows)
      .def_property_readonly("lists_pairs", &ShardView::lists_pairs)
      .def_property_readonly("unlisted", &ShardView::unlisted)
      .def("gains", &ShardView::gains, py::arg("rows"))
      .def("commit_rows", &ShardView::commit_rows, py::arg("rows"))
      .def("sum_rows", &ShardView::sum_rows, py::arg("first"), py::arg("total"), py::arg("open"))
      .def("first_gains", &ShardView::first_gains, py::arg("total"))
      .def("open", &ShardView::open, py::arg("gains"), py::arg("first"), py::arg("memory"))
      .def("list", &ShardView::list, py::arg("rows"), py::arg("first"))
      .def("start", &ShardView::start)
      .def("pairs", &ShardView::pairs, py::arg("numbers"), py::arg("rows") = py::none())
      .def("commit", &ShardView::commit, py::arg("numbers"), py::arg("rows") = py::none());
  module.def("pick_among", &pick_among, py::arg("parts"), py::arg("numbers"), py::arg("bonus"), py::kw_only(),
             py::arg("weight"), py::arg("most"), py::arg("rival_score"), py::arg("rival"));
}

}  // namespace qdit::bindings
