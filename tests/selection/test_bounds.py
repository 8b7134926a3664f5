"""The upper bound: never below the true optimum, found by looking at every set; tight where it must be."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import qdit
from helpers.oracle import integer_rows
from helpers.oracle_constrained import Task
from qdit import Selection
from qdit.selection.bounds import fractional_knapsack, largest_sum, ratio
from qdit.selection.limits import OpenLimits

METHODS = ["naive", "lazy", "exact"]
RNG = np.random.default_rng(2)
X = RNG.standard_normal((300, 16)).astype(np.float32)
Q = RNG.normal(size=300)


@st.composite
def tasks(draw):
    """A pool of at most nine rows with everything that shapes a bound."""
    n = draw(st.integers(2, 9))
    seed = draw(st.integers(0, 10_000))
    rng = np.random.default_rng(seed)
    rows = integer_rows(n, draw(st.integers(1, 5)), seed)
    alpha = draw(st.sampled_from([0.0, 0.25, 0.5, 1.0]))
    shift = draw(st.sampled_from([-20.0, 0.0, 20.0]))  # all negative, mixed, all positive
    quality = rng.integers(-16, 16, size=n) / 4 + shift
    limits = {}
    kind = draw(st.sampled_from(["none", "budget", "quotas", "both"]))
    k = draw(st.integers(1, min(4, n - 1)))
    given_rows = [int(rng.integers(n))] if draw(st.booleans()) else None
    if kind in ("budget", "both"):
        limits |= {"costs": rng.integers(1, 6, size=n).astype(float), "budget": float(rng.integers(5, 15))}
    if kind in ("quotas", "both"):
        limits |= {"groups": rng.integers(0, 3, size=n), "quota": {}}
        limits["quota"] = {int(g): int(rng.integers(1, 4)) for g in np.unique(limits["groups"])}
    floor = draw(st.sampled_from([None, 0.0, -3.0]))
    if floor is not None:
        rows[0] = 3  # a squared norm that lets the floor be a similarity
    return rows, quality, alpha, k, given_rows, floor, limits


def brute_force(rows, quality, alpha, k, given_rows, floor, limits):
    options = {name: limits[name] for name in ("costs", "budget", "groups") if name in limits}
    if "quota" in limits:
        options["quotas"] = [limits["quota"].get(g, 0) for g in range(3)]
    return Task(
        rows,
        k,
        weight=1 - alpha,
        bonus=alpha * quality,
        metric="dot",
        floor=floor,
        given=given_rows or (),
        **options,
    )


@settings(max_examples=300)
@given(task=tasks(), method=st.sampled_from([*METHODS, "stochastic"]))
def test_no_permitted_set_exceeds_the_bound(task, method):
    rows, quality, alpha, k, given_rows, floor, limits = task
    if method == "stochastic" and "costs" in limits:
        return
    options = {"metric": "dot", "floor": floor, "given": given_rows, "method": method, "threads": 1}
    try:
        chosen = qdit.select(rows, quality, alpha, k, **options, **limits)
    except ValueError as error:
        assert "quotas allow" in str(error) or "raise the objective" in str(error)  # noqa: PT017
        return
    best = brute_force(*task).best_objective()
    assert chosen.objective <= best + 1e-9
    if chosen.upper_bound is None:
        assert method != "exact" or len(chosen) == 1
        assert chosen.optimality is None
        return
    assert chosen.upper_bound >= best - 1e-9
    if chosen.optimality is not None:
        lift = 0.0 if "costs" in limits else k * max(0.0, -alpha * _free(quality, given_rows).min())
        assert 0 < chosen.optimality <= 1
        assert chosen.objective + lift >= chosen.optimality * (best + lift) - 1e-9


def _free(quality, given_rows):
    return np.delete(quality, given_rows or [])


@pytest.mark.parametrize("options", [{}, {"given": [4, 7]}, {"floor": 0.0}, {"gain_scale": "per_k"}], ids=str)
@pytest.mark.parametrize("method", METHODS)
def test_it_is_at_most_the_textbook_bound_and_most_tight_with_exact_gains(method, options):
    """F(A) plus the k largest current scores of the rest, with quality shifted to be non-negative."""
    chosen = qdit.select(X, Q, 0.5, 25, method=method, **options)
    values = [
        qdit.objective(X, [*chosen.indices, row], Q, 0.5, **options) - chosen.objective
        for row in np.setdiff1d(np.arange(300), [*chosen.indices, *options.get("given", [])])
    ]
    if "gain_scale" not in options:  # objective() scales by the number of rows it is given
        textbook = chosen.objective + math.fsum(sorted(values)[-25:]) + 25 * 0.5 * -Q.min()
        exact = qdit.select(X, Q, 0.5, 25, method="exact", **options)
        assert exact.upper_bound <= textbook + 1e-9
        assert exact.upper_bound <= chosen.upper_bound + 1e-9
    assert chosen.objective < chosen.upper_bound
    assert 0.6 < chosen.optimality < 1


@pytest.mark.parametrize("method", METHODS)
def test_the_bound_does_not_depend_on_threads(method):
    runs = {qdit.select(X, Q, 0.5, 25, method=method, threads=t).upper_bound for t in (1, 2, 5)}
    assert len(runs) == 1


def test_what_is_certainly_optimal_is_called_so():
    for method in METHODS:
        assert qdit.select(X, Q, 0.5, 1, method=method).optimality == 1.0
        assert qdit.select(X, Q, 1.0, 9, method=method).optimality == 1.0
    everything = qdit.select(X, Q, 0.5, 300)
    assert everything.upper_bound == pytest.approx(everything.objective, rel=1e-12)


def test_where_there_is_none():
    for method in ("stochastic", "random", "quality"):
        chosen = qdit.select(X, Q, 0.5, 9, method=method, epsilon=0.9)
        assert chosen.upper_bound is chosen.optimality is None
    chosen = qdit.select(X, Q, 0.5, 9)
    assert chosen[:5].upper_bound is chosen[:5].optimality is None
    assert chosen[:9].upper_bound == chosen.upper_bound


def test_a_resumed_run_has_one_too(tmp_path):
    for method in METHODS:
        qdit.select(X, Q, 0.5, 9, method=method, checkpoint=tmp_path / method)
        resumed = qdit.select(X, Q, 0.5, 20, method=method, checkpoint=tmp_path / method)
        want = qdit.select(X, Q, 0.5, 20, method="exact")
        assert resumed.upper_bound >= want.upper_bound - 1e-9


def test_it_is_saved(tmp_path):
    chosen = qdit.select(X, Q, 0.5, 9)
    again = Selection.load(chosen.save(tmp_path))
    assert (again.upper_bound, again.optimality) == (chosen.upper_bound, chosen.optimality)


def test_fractions_of_items():
    values, costs = np.array([6.0, 10.0, 12.0, -1.0]), np.array([1.0, 2.0, 3.0, 1.0])
    assert fractional_knapsack(values, costs, 5.0) == 6 + 10 + 12 * 2 / 3
    assert fractional_knapsack(values, costs, 100.0) == 28
    assert fractional_knapsack(values[3:], costs[3:], 5.0) == 0


def test_largest_sums():
    values, rows = np.array([5.0, 4.0, 3.0, -2.0]), np.arange(4)
    assert largest_sum(values, rows, 2, OpenLimits()) == 9
    assert largest_sum(values, rows[1:], 3, OpenLimits()) == 5
    quotas = OpenLimits(groups=np.array([0, 0, 1, 1]), labels=(0, 1), quotas=np.array([1, 2]))
    assert largest_sum(values, rows, 2, quotas) == 8
    assert largest_sum(values, rows, 3, quotas) == 6
    budget = OpenLimits(costs=np.ones(4), budget=2.5)
    assert largest_sum(values, rows, 4, budget) == 10.5
    assert largest_sum(values, rows, 1, budget) == 5


def test_ratios():
    assert ratio(8.0, 10.0, 0.0) == 0.8
    assert ratio(-3.0, -1.0, 4.0) == pytest.approx(1 / 3)
    assert ratio(5.0, 5.0, 0.0) == 1.0
    assert ratio(-3.0, 1.0, 0.0) is None
