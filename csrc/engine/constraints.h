// What rows share: a budget that their costs add up to, quotas of the groups that they belong to.
//
// Either way a row that cannot be taken any more never can be again, so it is closed for good.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/types.h"

namespace qdit {

struct Limits {
  std::span<const double> costs;  // n, positive and finite; empty: no budget
  double budget = 0.0;
  bool per_cost = false;          // maximise score per unit of cost instead of the score
  std::span<const Index> groups;  // n, each 0 .. quotas.size() - 1; empty: no quotas
  std::span<const Index> quotas;  // at most so many rows of each group

  bool has_budget() const { return !costs.empty(); }
  bool has_quotas() const { return !groups.empty(); }
};

// What costs may add up to: the budget, and four units in its last place more. Costs and budgets such as 0.1
// and 0.3 are rounded to binary, and three times the one is meant to fit the other. Whole numbers below 1e15
// are not affected.
double budget_ceiling(double budget);

// Throws std::invalid_argument.
void check_limits(const Limits& limits, Index n);

class Constraints {
 public:
  Constraints(const Limits& limits, Index n);

  // Closes rows that cannot be taken even first. closed: n marks; returns how many were set.
  Index start(std::span<std::uint8_t> closed);
  // Closes what can no longer be taken once `row` is; `row` must be closed already.
  Index take(Index row, std::span<std::uint8_t> closed);
  // The most rows that the quotas let be taken of those that are open; not for budgets.
  Index most(std::span<const std::uint8_t> closed) const;

 private:
  Index close_unaffordable(std::span<std::uint8_t> closed);
  Index close_group(Index group, std::span<std::uint8_t> closed);

  Limits limits_;
  Index n_;
  double ceiling_;
  double spent_ = 0.0;  // with ...
  double lost_ = 0.0;   // ... what rounding took from it (Neumaier 1974): many small costs add up exactly
  std::vector<Index> by_cost_;  // rows, the dearest first ...
  std::size_t dearest_ = 0;     // ... those before this one are closed
  std::vector<Index> left_;     // of the quota of each group
  std::vector<Index> members_;  // rows by group ...
  std::vector<Index> begin_;    // ... where those of each group begin
};

}  // namespace qdit
