#include "engine/constraints.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <string>

#include "engine/row_check.h"

namespace qdit {
namespace {

std::size_t at(Index i) { return static_cast<std::size_t>(i); }

void check_length(const char* name, std::size_t got, Index n) {
  if (got == at(n)) return;
  throw std::invalid_argument(std::string(name) + ": got " + std::to_string(got) + " values, wanted " +
                              std::to_string(n) + ".");
}

void check_costs(const Limits& limits, Index n) {
  check_length("costs", limits.costs.size(), n);
  for (std::size_t i = 0; i < limits.costs.size(); ++i) {
    if (!(limits.costs[i] > 0.0) || !std::isfinite(limits.costs[i])) {
      throw std::invalid_argument("costs: row " + std::to_string(i) + " is " + number(limits.costs[i]) +
                                  ", wanted a finite number above 0.");
    }
  }
  if (!(limits.budget > 0.0) || !std::isfinite(limits.budget)) {
    throw std::invalid_argument("budget: got " + number(limits.budget) + ", wanted a finite number above 0.");
  }
}

void check_groups(const Limits& limits, Index n) {
  check_length("groups", limits.groups.size(), n);
  const auto groups = static_cast<Index>(limits.quotas.size());
  for (std::size_t i = 0; i < limits.groups.size(); ++i) {
    if (limits.groups[i] < 0 || limits.groups[i] >= groups) {
      throw std::invalid_argument("groups: row " + std::to_string(i) + " is in group " +
                                  std::to_string(limits.groups[i]) + ", wanted 0 .. " +
                                  std::to_string(groups - 1) + ".");
    }
  }
  for (std::size_t g = 0; g < limits.quotas.size(); ++g) {
    if (limits.quotas[g] < 0) {
      throw std::invalid_argument("quotas: group " + std::to_string(g) + " has " +
                                  std::to_string(limits.quotas[g]) + ", wanted 0 or more.");
    }
  }
}

}  // namespace

double budget_ceiling(double budget) {
  return std::min(budget * (1.0 + 4.0 * std::numeric_limits<double>::epsilon()),
                  std::numeric_limits<double>::max());
}

void check_limits(const Limits& limits, Index n) {
  if (limits.has_budget()) check_costs(limits, n);
  if (limits.has_quotas()) check_groups(limits, n);
}

Constraints::Constraints(const Limits& limits, Index n)
    : limits_(limits), n_(n), ceiling_(budget_ceiling(limits.budget)) {
  if (limits_.has_budget()) {
    by_cost_.resize(at(n));
    std::iota(by_cost_.begin(), by_cost_.end(), Index{0});
    std::sort(by_cost_.begin(), by_cost_.end(),
              [&](Index a, Index b) { return limits_.costs[at(a)] > limits_.costs[at(b)]; });
  }
  if (limits_.has_quotas()) {
    left_.assign(limits_.quotas.begin(), limits_.quotas.end());
    begin_.assign(left_.size() + 1, 0);
    for (const Index group : limits_.groups) ++begin_[at(group) + 1];
    std::partial_sum(begin_.begin(), begin_.end(), begin_.begin());
    members_.resize(at(n));
    std::vector<Index> next(begin_.begin(), begin_.end() - 1);
    for (Index row = 0; row < n; ++row) members_[at(next[at(limits_.groups[at(row)])]++)] = row;
  }
}

Index Constraints::start(std::span<std::uint8_t> closed) {
  Index count = close_unaffordable(closed);
  for (Index group = 0; group < static_cast<Index>(left_.size()); ++group) {
    if (left_[at(group)] == 0) count += close_group(group, closed);
  }
  return count;
}

Index Constraints::take(Index row, std::span<std::uint8_t> closed) {
  Index count = 0;
  if (limits_.has_budget()) {
    const double cost = limits_.costs[at(row)];
    const double sum = spent_ + cost;
    lost_ += spent_ >= cost ? (spent_ - sum) + cost : (cost - sum) + spent_;
    spent_ = sum;
    count += close_unaffordable(closed);
  }
  if (limits_.has_quotas()) {
    const Index group = limits_.groups[at(row)];
    if (--left_[at(group)] == 0) count += close_group(group, closed);
  }
  return count;
}

Index Constraints::most(std::span<const std::uint8_t> closed) const {
  std::vector<Index> open(left_.size(), 0);
  for (std::size_t row = 0; row < closed.size(); ++row) {
    if (closed[row] == 0) ++open[at(limits_.groups[row])];
  }
  Index sum = 0;
  for (std::size_t group = 0; group < open.size(); ++group) sum += std::min(open[group], left_[group]);
  return sum;
}

// Rounding a sum is monotone, so what is too dear now stays so, and so does everything dearer.
Index Constraints::close_unaffordable(std::span<std::uint8_t> closed) {
  Index count = 0;
  const auto fits = [this](Index row) { return spent_ + limits_.costs[at(row)] + lost_ <= ceiling_; };
  while (dearest_ < by_cost_.size() && !fits(by_cost_[dearest_])) {
    std::uint8_t& mark = closed[at(by_cost_[dearest_++])];
    count += mark == 0 ? 1 : 0;
    mark = 1;
  }
  return count;
}

Index Constraints::close_group(Index group, std::span<std::uint8_t> closed) {
  Index count = 0;
  for (Index i = begin_[at(group)]; i < begin_[at(group) + 1]; ++i) {
    std::uint8_t& mark = closed[at(members_[at(i)])];
    count += mark == 0 ? 1 : 0;
    mark = 1;
  }
  return count;
}

}  // namespace qdit
