"""Budgets and quotas in the engine: every exact method makes the oracle's picks, on every backend."""

import re

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from helpers.oracle import clustered_rows, integer_rows
from helpers.oracle_constrained import Task, check_constrained, constrained_greedy

many = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
WEIGHT = 0.25


def limits(task, **more):
    """Return a task's limits as options of the engine."""
    options = {"weight": task.weight, "bonus": task.bonuses(), "metric": task.metric, "floor": task.floor}
    options |= {"given": list(task.given) or None, "excluded": list(task.excluded) or None}
    if task.costs is not None:
        options |= {"costs": np.asarray(task.costs, np.float64), "budget": task.budget}
    if task.groups is not None:
        options |= {"groups": np.asarray(task.groups, np.int64), "quotas": np.asarray(task.quotas, np.int64)}
    return options | more


def check(variant, method, task, per_cost=False, **more):
    found = variant.select(task.rows, task.k, method, **limits(task, per_cost=per_cost, **more))
    assert found.picks.tolist() == constrained_greedy(task, per_cost=per_cost).tolist()
    return found


@st.composite
def tasks(draw):
    """Integer rows and dyadic numbers, so that every score is exact; costs are powers of two."""
    n, d = draw(st.integers(1, 24)), draw(st.integers(1, 8))
    seed = draw(st.integers(0, 10_000))
    rng = np.random.default_rng(seed)
    rows = integer_rows(n, d, seed)
    options = {"bonus": rng.integers(-40, 80, size=n) / 4, "weight": draw(st.sampled_from([0.0, WEIGHT]))}
    possible = (rows.astype(float) ** 2).sum(axis=1).max() >= 2  # a floor must be a similarity that can occur
    options["floor"] = draw(st.sampled_from([None, -2.0] if possible else [None]))
    if n > 2 and draw(st.booleans()):
        options["given"] = [int(rng.integers(n))]
    rest = np.setdiff1d(np.arange(n), options.get("given", []))
    kind = draw(st.sampled_from(["budget", "quotas", "both"]))
    k = draw(st.integers(0, len(rest)))
    if kind != "quotas":
        options |= {"costs": 2.0 ** rng.integers(0, 4, size=n), "budget": float(rng.integers(1, 40))}
    if kind != "budget":
        groups = rng.integers(0, 4, size=n)
        quotas = rng.integers(0, 6, size=4)
        options |= {"groups": groups, "quotas": quotas}
        k = min(k, int(np.minimum(np.bincount(groups[rest], minlength=4), quotas).sum()))
    return Task(rows, k, metric="dot", **options)


@many
@given(task=tasks(), per_cost=st.booleans(), batch=st.integers(1, 9), threads=st.integers(1, 3))
def test_any_task_is_solved_as_the_oracle_does(variant, method, task, per_cost, batch, threads):
    per_cost = per_cost and task.costs is not None
    check(variant, method, task, per_cost, batch=batch, threads=threads)


@pytest.mark.parametrize("per_cost", [False, True])
def test_a_budget_on_real_rows_replays(variant, method, per_cost):
    rng = np.random.default_rng(3)
    rows = clustered_rows(150, 24, seed=3)
    task = Task(rows, 150, weight=0.5, bonus=rng.normal(size=150), costs=rng.uniform(1, 9, 150), budget=90.0)
    found = variant.select(rows, 150, method, **limits(task, per_cost=per_cost))
    check_constrained(task, found.picks, per_cost=per_cost)
    assert 5 < len(found.picks) < 90


def test_methods_threads_and_batches_agree_to_the_bit(cpu):
    rng = np.random.default_rng(4)
    rows = clustered_rows(600, 40, seed=4)
    groups = rng.integers(0, 9, 600)
    tasks = [
        Task(rows, 600, weight=0.5, bonus=rng.normal(size=600), costs=rng.uniform(1, 9, 600), budget=300.0),
        Task(rows, 80, weight=0.5, bonus=rng.normal(size=600), groups=groups, quotas=[9] * 9),
    ]
    for task in tasks:
        runs = {
            cpu.select(rows, task.k, method, **limits(task, **schedule)).bits()
            for method in ("naive", "lazy", "exact")
            for schedule in ({}, {"threads": 3, "batch": 5}, {"block_rows": 50, "cache_bytes": 600 * 400})
        }
        assert len(runs) == 1


def test_quotas_of_nothing_and_of_everything(variant, method):
    rows, groups = integer_rows(20, 6, seed=5), np.arange(20) % 4
    found = check(variant, method, Task(rows, 5, metric="dot", groups=groups, quotas=[0, 0, 5, 0]))
    assert found.picks.tolist() == found.picks[groups[found.picks] == 2].tolist()
    check(variant, method, Task(rows, 20, metric="dot", groups=groups, quotas=[5, 5, 5, 2**60]))


def test_a_budget_ends_where_scores_are_not_positive(variant, method):
    rows = integer_rows(20, 6, seed=6)
    bonus = np.where(np.arange(20) < 3, 1.0, -1e6)
    task = Task(rows, 20, weight=0.0, bonus=bonus, metric="dot", costs=np.ones(20), budget=10.0)
    assert check(variant, method, task).picks.tolist() == [0, 1, 2]


def test_stochastic_obeys_quotas(variant):
    rows, groups = integer_rows(60, 6, seed=7), np.arange(60) % 5
    options = {"groups": groups, "quotas": np.array([1, 2, 3, 4, 5]), "epsilon": 0.1, "seed": 3}
    found = variant.select(rows, 15, "stochastic", **options)
    assert np.bincount(groups[found.picks]).tolist() == [1, 2, 3, 4, 5]
    head = variant.select(rows, 15, "stochastic", picks=found.picks[:6], **options)
    assert head.bits() == found.bits()


@pytest.mark.parametrize("kind", ["costs", "groups"])
def test_a_run_cut_anywhere_goes_on_to_the_same_picks(variant, method, kind):
    rng = np.random.default_rng(8)
    rows = clustered_rows(60, 8, seed=8, dtype="float32")
    chosen = {
        "costs": {"costs": rng.uniform(1, 5, 60), "budget": 60.0, "per_cost": True},
        "groups": {"groups": rng.integers(0, 3, 60), "quotas": np.array([4, 20, 3])},
    }[kind]
    k = 60 if kind == "costs" else 20
    whole = variant.select(rows, k, method, **chosen)
    for cut in (0, 1, 7, len(whole.picks)):
        assert variant.select(rows, k, method, picks=whole.picks[:cut], **chosen).bits() == whole.bits()


COSTS, GROUPS, QUOTAS = np.ones(30), np.zeros(30, np.int64), np.array([4])


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"costs": COSTS[:29], "budget": 1.0}, "costs: got 29 values, wanted 30."),
        ({"costs": np.r_[COSTS[:29], -2e-9], "budget": 1.0}, "costs: row 29 is -2e-09, wanted a finite"),
        ({"costs": np.r_[np.nan, COSTS[:29]], "budget": 1.0}, "costs: row 0 is nan, wanted a finite number"),
        ({"costs": COSTS, "budget": 0.0}, "budget: got 0, wanted a finite number above 0."),
        ({"groups": GROUPS[:29], "quotas": QUOTAS}, "groups: got 29 values, wanted 30."),
        ({"groups": GROUPS + 1, "quotas": QUOTAS}, "groups: row 0 is in group 1, wanted 0 .. 0."),
        ({"groups": GROUPS, "quotas": QUOTAS * -1}, "quotas: group 0 has -4, wanted 0 or more."),
        ({"groups": GROUPS, "quotas": QUOTAS}, "k: got 5, wanted at most the 4 rows that can be picked."),
        (
            {"groups": GROUPS, "quotas": QUOTAS - 1, "picks": np.array([1, 2, 3, 4])},
            "k: got 5, wanted at most the 3 rows",
        ),
        (
            {"costs": COSTS, "budget": 2.5, "picks": np.array([1, 2, 3])},
            "picks: row 3 cannot be picked: it is there twice, excluded, ignored or not allowed.",
        ),
        (
            {"costs": COSTS, "budget": 1.0, "method": "stochastic"},
            'costs: method "stochastic" cannot tell how many rows a budget buys; use an exact method.',
        ),
    ],
)
def test_bad_limits_are_refused_by_name(variant, options, text):
    engine = variant.engine(integer_rows(30, 4, seed=9))
    with pytest.raises(ValueError, match=re.escape(text)):
        variant.run(engine, 5, **{"method": "lazy"} | options)
