"""How far a selection can be from the best one: an upper bound on what any set of rows reaches.

d is monotone from any non-empty set A on, and a set S of further rows raises it by at most the sum of the
gains d(s|A) (submodularity). The best set O therefore has d(O) <= d(A and O) <= d(A) + the sum of the gains
of the rows of O that are not in A, and

    F(O) <= weight * d(A) + the sum over O of value,    value(o) = bonus(o), plus weight * d(o|A) outside A.

The largest sum that any permitted set can have is the bound. It needs no submodularity at the empty set,
where unclipped cosines have none, and no quality of one sign: the number of rows is fixed, or the empty
choice is permitted. For non-negative quality it is never above F(A) + the k largest current scores (Minoux
1978; Nemhauser, Wolsey & Fisher 1978), which take every row of A twice.
"""

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .._core import Engine
from ..common.types import Floats, Indices
from ..engine.rows import to_float32
from .baselines import free_rows
from .limits import OpenLimits
from .picks import UNKNOWN, Outcome
from .plan import Plan
from .problem import Problem
from .selection import Selection

_BLOCK_ROWS = 4096
_LEAST = 4  # rows for each dimension: with fewer the moments cost more than they save
# What float32 products and fixed point may be off by, as a share of the largest similarity, and of a moment.
_ERROR, _MOMENT_ERROR = 2e-5, 1e-4


def upper_bound(problem: Problem, plan: Plan, ignored: Indices, outcome: Outcome) -> float | None:
    """Return what F of no permitted set exceeds, or None where the gain of a row is unknown."""
    weight = problem.weight(plan.k)
    if len(outcome.indices) == 0:
        return None
    if plan.k == 1 and plan.method.exact and plan.limits.costs is None:
        return outcome.objective(problem, plan.k)  # the first pick is the best there is
    rows = plan.limits.permitted(free_rows(problem, ignored))
    values = problem.bonus.copy()
    if weight > 0:
        rest = np.setdiff1d(rows, outcome.indices)
        if outcome.bounds is None or (outcome.bounds[rest] == UNKNOWN).any():
            return None
        values[rest] += weight * (outcome.bounds[rest] / outcome.scale)
    return weight * outcome.diversity + largest_sum(values, rows, plan.k, plan.limits)


def certified(
    selection: Selection, problem: Problem, plan: Plan, ignored: Indices, bound: float | None
) -> Selection:
    """Return the selection with its upper bound and optimality."""
    if bound is None:
        return selection
    bound = max(bound, selection.objective)  # where they are equal they differ in rounding
    lift = 0.0
    if plan.limits.costs is None:  # else sets differ in size, and a shift would not lift all alike
        lowest = float(problem.bonus[free_rows(problem, ignored)].min())
        lift = plan.k * max(0.0, -lowest)
    return replace(selection, upper_bound=bound, optimality=ratio(selection.objective, bound, lift))


def largest_sum(values: Floats, rows: Indices, k: int, limits: OpenLimits) -> float:
    """Return an upper bound on the sum of `values` over any permitted set of `rows`.

    values: (n,). Without a budget sets have exactly k rows and the bound is reached; with one they have at
        most k, and fractions of rows count.
    """
    order = rows[np.argsort(-values[rows], kind="stable")]
    if limits.groups is not None and limits.quotas is not None:
        order = order[_within_quotas(limits.groups[order], limits.quotas)]
    if limits.costs is None:
        return math.fsum(values[order[:k]].tolist())
    most = math.fsum(np.maximum(values[order[:k]], 0.0).tolist())
    return min(most, fractional_knapsack(values[rows], limits.costs[rows], limits.budget))


def fractional_knapsack(values: Floats, costs: Floats, budget: float) -> float:
    """Return the largest value of fractions of items within the budget (Dantzig 1957)."""
    useful = values > 0
    values, costs = values[useful], costs[useful]
    with np.errstate(over="ignore"):  # a cost of nearly nothing
        order = np.argsort(-values / costs, kind="stable")
    before = np.concatenate([[0.0], np.cumsum(costs[order])])[:-1]
    share = np.clip((budget - before) / costs[order], 0.0, 1.0)
    return math.fsum((share * values[order]).tolist())


def _within_quotas(groups: Indices, quotas: Indices) -> NDArray[np.bool_]:
    """Return which entries come before their group is full; this greedy is optimal for quotas (a matroid)."""
    order = np.argsort(groups, kind="stable")
    ordered = groups[order]
    first = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    rank = np.empty(len(groups), np.int64)
    rank[order] = np.arange(len(groups)) - np.repeat(first, np.diff(np.r_[first, len(groups)]))
    return np.asarray(rank < quotas[groups])


def ratio(objective: float, bound: float, lift: float) -> float | None:
    """Return (objective + lift) / (bound + lift), or None where it would say nothing.

    lift: what raises both to the scale on which quality is never negative.
    """
    if bound <= objective:
        return 1.0
    return (objective + lift) / (bound + lift) if objective + lift > 0 else None


def first_bounds(problem: Problem, engine: Engine) -> Indices | None:
    """Return (n,) fixed-point upper bounds on the gains of all rows before the first pick.

    None where they would not pay, or rows start at no floor. With y_v = s(c, v) - floor the gain of c is the
    sum of max(0, y_v) = (y_v + |y_v|) / 2, and by Cauchy-Schwarz the sum of |y_v| is at most sqrt(n * sum of
    y_v^2). Both sums follow from the sum of all rows and from the d x d matrix of second moments: n * d * d
    work for all candidates together, where their gains are n * n * d. Few similarities of real embeddings are
    below a low floor, so the bound is nearly the gain, and some candidates are enough to find the first pick.

    engine: one that was reset for the problem.
    """
    rows = problem.rows
    if problem.floor is None or len(problem.given) or problem.outside is not None or problem.targeted:
        return None
    if problem.backend != "cpu" or problem.alpha == 1.0 or rows.n < _LEAST * rows.d:
        return None
    bounds = np.full(rows.n, UNKNOWN, np.int64)
    free = np.setdiff1d(np.arange(rows.n), engine.ignored)
    total, moments = np.zeros(rows.d), np.zeros((rows.d, rows.d))
    largest = 0.0
    for part in _parts(free):
        block = _scaled(problem, part)
        total += block.sum(axis=0, dtype=np.float64)
        moments += block.T @ block
        largest = max(largest, float(np.einsum("ij,ij->i", block, block).max()))
    for part in _parts(free):
        block = _scaled(problem, part)
        first = (block @ total.astype(np.float32)).astype(np.float64)
        second = np.einsum("ij,ij->i", block @ moments.astype(np.float32), block).astype(np.float64)
        n, floor = len(free), problem.floor
        squares = np.maximum(0.0, second - 2 * floor * first + n * floor**2)
        squares += _MOMENT_ERROR * (second + n * floor**2)
        most = (first - n * floor + np.sqrt(n * squares)) / 2 + _ERROR * n * largest
        bounds[part] = np.ceil(most * engine.scale).astype(np.int64)
    return bounds


def _parts(free: Indices) -> list[Indices]:
    return [free[start : start + _BLOCK_ROWS] for start in range(0, len(free), _BLOCK_ROWS)]


def _scaled(problem: Problem, part: Indices) -> NDArray[np.float32]:
    whole = part[-1] - part[0] + 1 == len(part)  # a slice is much faster to read
    block = to_float32(problem.rows, slice(part[0], part[-1] + 1) if whole else part)
    if problem.metric == "dot":
        return block
    norms = np.sqrt(np.einsum("ij,ij->i", block, block))
    return np.asarray(block / norms[:, None], np.float32)
