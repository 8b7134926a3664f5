// What budgets and quotas close, and when.
#include "engine/constraints.h"

#include <algorithm>
#include <numeric>
#include <stdexcept>

#include "check.h"

using namespace qdit;

namespace {

using Marks = std::vector<std::uint8_t>;

Index count(const Marks& marks) {
  return static_cast<Index>(std::count(marks.begin(), marks.end(), std::uint8_t{1}));
}

}  // namespace

TEST(nothing_is_closed_without_limits) {
  Marks closed(5, 0);
  Constraints constraints({}, 5);
  CHECK(constraints.start(closed) == 0);
  closed[2] = 1;
  CHECK(constraints.take(2, closed) == 0);
  CHECK(count(closed) == 1);
}

TEST(a_budget_closes_what_it_no_longer_pays_for) {
  const std::vector<double> costs{4.0, 1.0, 6.0, 2.0, 4.0};
  Limits limits;
  limits.costs = costs;
  limits.budget = 5.0;
  Marks closed(5, 0);
  Constraints constraints(limits, 5);
  CHECK(constraints.start(closed) == 1);
  CHECK((closed == Marks{0, 0, 1, 0, 0}));
  closed[1] = 1;  // leaves 4
  CHECK(constraints.take(1, closed) == 0);
  closed[3] = 1;  // leaves 2
  CHECK(constraints.take(3, closed) == 2);
  CHECK((closed == Marks{1, 1, 1, 1, 1}));
}

TEST(a_budget_may_be_spent_to_the_last) {
  const std::vector<double> costs(10, 0.1);
  Limits limits;
  limits.costs = costs;
  limits.budget = 1.0;
  Marks closed(10, 0);
  Constraints constraints(limits, 10);
  Index others = constraints.start(closed);
  for (Index row = 0; row < 10; ++row) {
    CHECK(closed[static_cast<std::size_t>(row)] == 0);
    closed[static_cast<std::size_t>(row)] = 1;
    others += constraints.take(row, closed);
  }
  CHECK(others == 0);
}

TEST(decimal_fractions_fit_as_they_are_written) {
  struct Case {
    double cost, budget;
    int fit;
  };
  for (const Case& c : {Case{0.1, 0.3, 3}, Case{0.7, 2.1, 3}, Case{0.1, 1e4, 100000},
                        Case{1e14, 3e14 - 1.0, 2}, Case{1.0, 3.0 - 1e-14, 2}, Case{1.7e308, 1.75e308, 1}}) {
    const auto n = static_cast<std::size_t>(c.fit) + 1;
    const std::vector<double> costs(n, c.cost);
    Limits limits;
    limits.costs = costs;
    limits.budget = c.budget;
    Marks closed(n, 0);
    Constraints constraints(limits, static_cast<Index>(n));
    Index others = constraints.start(closed);
    for (Index row = 0; row < static_cast<Index>(n) && closed[static_cast<std::size_t>(row)] == 0; ++row) {
      CHECK(others == 0);
      closed[static_cast<std::size_t>(row)] = 1;
      others += constraints.take(row, closed);
    }
    CHECK(others == 1);
  }
}

TEST(a_full_group_is_closed) {
  const std::vector<Index> groups{0, 1, 0, 2, 1, 0};
  const std::vector<Index> quotas{2, 0, 5};
  Limits limits;
  limits.groups = groups;
  limits.quotas = quotas;
  Marks closed(6, 0);
  Constraints constraints(limits, 6);
  CHECK(constraints.most(closed) == 3);
  CHECK(constraints.start(closed) == 2);
  CHECK((closed == Marks{0, 1, 0, 0, 1, 0}));
  closed[5] = 1;
  CHECK(constraints.take(5, closed) == 0);
  closed[0] = 1;
  CHECK(constraints.take(0, closed) == 1);
  CHECK((closed == Marks{1, 1, 1, 0, 1, 1}));
}

TEST(bad_limits_are_refused) {
  const std::vector<double> costs{1.0, 0.0};
  const std::vector<Index> groups{0, 2};
  const std::vector<Index> quotas{1, 1};
  Limits limits;
  limits.costs = costs;
  limits.budget = 1.0;
  CHECK_THROWS(check_limits(limits, 2), std::invalid_argument, "costs: row 1 is 0, wanted");
  CHECK_THROWS(check_limits(limits, 3), std::invalid_argument, "costs: got 2 values, wanted 3");
  Limits grouped;
  grouped.groups = groups;
  grouped.quotas = quotas;
  CHECK_THROWS(check_limits(grouped, 2), std::invalid_argument, "groups: row 1 is in group 2, wanted 0 .. 1");
}

int main() { return check::run(); }
