#include "engine/greedy.h"

#include <cmath>
#include <stdexcept>

#include "engine/greedy_run.h"
#include "engine/indices.h"
#include "engine/row_check.h"

namespace qdit {
namespace {

void check(const Backend& backend, const GreedyOptions& options) {
  const auto n = static_cast<std::size_t>(backend.size());
  if (options.bonus.size() != n || options.bounds.size() != n) {
    throw std::invalid_argument("bonus and bounds: wanted " + std::to_string(n) + " values, got " +
                                std::to_string(options.bonus.size()) + " and " +
                                std::to_string(options.bounds.size()) + ".");
  }
  if (!std::isfinite(options.weight) || options.weight < 0.0) {
    throw std::invalid_argument("weight: got " + number(options.weight) + ", wanted a finite number >= 0.");
  }
  for (std::size_t i = 0; i < n; ++i) {
    if (!std::isfinite(options.bonus[i])) {
      throw std::invalid_argument("bonus: row " + std::to_string(i) + " is not finite.");
    }
  }
  if (options.method == Method::kStochastic && !(options.epsilon > 0.0 && options.epsilon < 1.0)) {
    throw std::invalid_argument("epsilon: got " + number(options.epsilon) +
                                ", wanted a number between 0 and 1, both excluded.");
  }
  check_limits(options.limits, backend.size());
  if (options.method == Method::kStochastic && options.limits.has_budget()) {
    throw std::invalid_argument(
        "costs: method \"stochastic\" cannot tell how many rows a budget buys; use an exact method.");
  }
  check_indices(options.excluded, backend.size(), "excluded");
  check_indices(options.picks, backend.size(), "picks");
  if (options.k >= 0 && static_cast<Index>(options.picks.size()) > options.k) {
    throw std::invalid_argument("picks: got " + std::to_string(options.picks.size()) +
                                " earlier picks, wanted at most k = " + std::to_string(options.k) + ".");
  }
}

}  // namespace

Method parse_method(const std::string& name) {
  if (name == "naive") return Method::kNaive;
  if (name == "lazy") return Method::kLazy;
  if (name == "exact") return Method::kExact;
  if (name == "stochastic") return Method::kStochastic;
  throw std::invalid_argument("method: got \"" + name +
                              "\", wanted \"naive\", \"lazy\", \"exact\" or \"stochastic\".");
}

GreedyResult run_greedy(Backend& backend, const GreedyOptions& options, Observer& observer) {
  check(backend, options);
  return GreedyRun(backend, options, observer).finish();
}

}  // namespace qdit
