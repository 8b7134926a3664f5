// Greedy maximisation of weight * d(A) + sum of bonus over any backend.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "engine/backend.h"
#include "engine/constraints.h"
#include "engine/types.h"

namespace qdit {

enum class Method {
  kNaive,       // every candidate, every step
  kLazy,        // Minoux 1978: priority queue of stale bounds, in batches; the same picks as naive
  kExact,       // every gain kept exact from pick to pick, where the backend can; the same picks as naive
  kStochastic,  // Mirzasoleiman et al. 2015: a fresh sample each step, with lazy bounds
};

Method parse_method(const std::string& name);  // throws std::invalid_argument

struct GreedyOptions {
  Method method = Method::kLazy;
  Index k = 0;
  double weight = 1.0;              // >= 0, finite
  std::span<const double> bonus;    // n, finite
  std::span<const Index> excluded;  // never picked
  double epsilon = 0.01;            // stochastic
  std::uint64_t seed = 0;           // stochastic
  std::size_t memory = 0;           // exact: bytes that the backend may take
  std::span<Fixed> bounds;          // n, work space: upper bounds on gains or kUnknownBound
  std::span<const Index> picks;     // first picks of this very run, made earlier
  // With a budget k is only an upper limit, and the run ends when no row with a positive score fits; the very
  // first row may have another.
  Limits limits;
};

struct GreedyResult {
  std::vector<Index> picks;
  std::vector<Fixed> gains;  // what each pick raised the coverage by
};

// Told between evaluations how far the run is; may throw to end it.
class Observer {
 public:
  Observer() = default;
  Observer(const Observer&) = delete;
  Observer& operator=(const Observer&) = delete;
  virtual ~Observer() = default;
  virtual void tick(const GreedyResult& so_far, bool finished) = 0;
};

// From the state that reset() left the backend in. Throws std::invalid_argument for bad options.
GreedyResult run_greedy(Backend& backend, const GreedyOptions& options, Observer& observer);

}  // namespace qdit
