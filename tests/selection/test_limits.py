"""Budgets and quotas through `qdit.select`: results, what is reported, resumption, and refusals."""

import itertools

import numpy as np
import pytest

import qdit
from helpers.oracle_constrained import Task, check_constrained, constrained_greedy
from qdit.selection import picking

N = 90
RNG = np.random.default_rng(50)
X = RNG.standard_normal((N, 8)).astype(np.float32)
Q = RNG.random(N)
TOKENS = RNG.integers(1, 30, N)
SOURCES = np.array(["web", "book", "code"])[RNG.integers(0, 3, N)]
METHODS = ["exact", "lazy", "naive"]


def budget_task(**options):
    return Task(X, N, **{"weight": 0.5, "bonus": 0.5 * Q, "costs": TOKENS, "budget": 200.0} | options)


@pytest.mark.parametrize("options", [{}, {"given": [3, 8]}, {"floor": 0.0}], ids=str)
@pytest.mark.parametrize("method", METHODS)
def test_a_budget_takes_the_better_of_two_orders(method, options):
    chosen = qdit.select(X, Q, 0.5, method=method, costs=TOKENS, budget=200, **options)
    task = budget_task(**options)
    ratio, plain = (constrained_greedy(task, per_cost=per_cost) for per_cost in (True, False))
    values = [task.objective(ratio), task.objective(plain)]
    stats = chosen.stats
    assert stats["objective_by_score_per_cost"] == pytest.approx(values[0], rel=1e-6)
    assert stats["objective_by_score"] == pytest.approx(values[1], rel=1e-6)
    assert stats["order"] == ("score per cost" if values[0] >= values[1] else "score")
    check_constrained(task, chosen.indices, per_cost=values[0] >= values[1])
    assert chosen.objective == max(stats["objective_by_score_per_cost"], stats["objective_by_score"])
    assert stats["cost"] == TOKENS[chosen.indices].sum() <= 200
    assert chosen.params["budget"] == 200.0
    assert chosen.objective <= chosen.upper_bound
    assert set(chosen.inputs) >= {"embeddings", "quality", "costs"}


def test_the_score_order_can_win():
    """One dear row is worth more than all the cheap ones that fit beside each other."""
    quality = np.r_[11.0, np.full(N - 1, 0.21)]
    costs = np.r_[100.0, np.full(N - 1, 1.9)]
    chosen = qdit.select(X, quality, 1.0, costs=costs, budget=100)
    assert chosen.stats["order"] == "score"
    assert chosen.indices.tolist() == [0]
    assert chosen.stats["objective_by_score_per_cost"] == pytest.approx(52 * 0.21)
    chosen = qdit.select(X, quality * np.r_[0.9, np.ones(N - 1)], 1.0, costs=costs, budget=100)
    assert chosen.stats["order"] == "score per cost"
    assert chosen.indices.tolist() == list(range(1, 53))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("quality", [None, np.full(8, -1.0)], ids=["none", "negative"])
def test_rows_whose_similarities_cancel_out_can_be_bought(method, quality):
    """The first gain is 0, what it makes room for is not."""
    rows = np.r_[np.eye(4), -np.eye(4)].astype(np.float32)
    alpha = 0.0 if quality is None else 0.25
    chosen = qdit.select(rows, quality, alpha, method=method, costs=np.ones(8), budget=4)
    assert chosen.indices.tolist() == qdit.select(rows, quality, alpha, 4, method=method).indices.tolist()
    assert chosen.objective == (4 if quality is None else 2)
    assert chosen.objective <= chosen.upper_bound
    with pytest.raises(ValueError, match="no rows that it buys raise the objective; given rows or the floor"):
        qdit.select(rows, None, 0.0, 3, given=range(5), costs=np.ones(8), budget=4, metric="dot", floor=1.0)


@pytest.mark.parametrize(
    ("cost", "budget", "fit"), [(0.1, 0.3, 3), (0.7, 2.1, 3), (0.1, 5.0, 50), (1, 3 - 1e-9, 2)]
)
def test_decimal_fractions_fit_as_they_are_written(cost, budget, fit):
    chosen = qdit.select(X, Q, 0.5, costs=np.full(N, cost), budget=budget)
    assert len(chosen) == fit
    assert chosen.stats["cost"] == pytest.approx(fit * cost)
    tiny = qdit.select(X, Q, 0.5, costs=np.full(N, 5e-324), budget=5e-323)
    assert len(tiny) == 10
    alone = qdit.select(X, Q, 0.5, costs=np.full(N, np.nextafter(budget, 9)), budget=budget)
    assert len(alone) == 1


def test_k_is_an_upper_limit_under_a_budget():
    few = qdit.select(X, Q, 0.5, 7, costs=TOKENS, budget=200)
    assert len(few) == 7
    assert few.params["k"] == 7
    all_of_it = qdit.select(X, Q, 0.5, costs=TOKENS, budget=1e9)
    assert len(all_of_it) == N


@pytest.mark.parametrize("method", [*METHODS, "stochastic"])
@pytest.mark.parametrize("mode", ["at_most", "exact"])
def test_quotas_are_kept(method, mode):
    quota = {"web": 2, "book": 6, "code": 0}
    chosen = qdit.select(
        X, Q, 0.5, 8, method=method, groups=SOURCES, quota=quota, quota_mode=mode, epsilon=0.1
    )
    assert {name: int((SOURCES[chosen.indices] == name).sum()) for name in quota} == quota
    assert chosen.params["quota"] == quota
    assert chosen.params["quota_mode"] == mode
    if method != "stochastic":
        labels = sorted(quota)
        groups = np.array([labels.index(name) for name in SOURCES])
        task = Task(X, 8, weight=0.5, bonus=0.5 * Q, groups=groups, quotas=[quota[name] for name in labels])
        check_constrained(task, chosen.indices)


def test_quota_forms_mean_the_same():
    numbers = np.array([{"book": 7, "code": -1, "web": 3}[name] for name in SOURCES])
    runs = [
        qdit.select(X, Q, 0.5, 12, groups=groups, quota=quota).indices.tolist()
        for groups, quota in [
            (SOURCES, 4),
            (SOURCES.astype(object), {"web": 4, "book": 4, "code": 4}),
            (numbers, {7: 4, -1: 4, 3: 4}),
            (numbers.astype(np.int16), {"7": 4, "-1": 4, "3": 4}),
            (list(SOURCES), np.int64(4)),
        ]
    ]
    assert all(run == runs[0] for run in runs)


def test_groups_that_are_not_named_have_no_limit():
    chosen = qdit.select(X, Q, 0.5, 50, groups=SOURCES, quota={"web": 1})
    assert (SOURCES[chosen.indices] == "web").sum() == 1
    assert chosen.params["quota"] == {"web": 1}


def test_exact_quotas_add_up_to_k():
    chosen = qdit.select(X, Q, 0.5, groups=SOURCES, quota=3, quota_mode="exact")
    assert len(chosen) == chosen.params["k"] == 9


def test_budget_and_quotas_together():
    chosen = qdit.select(X, Q, 0.5, costs=TOKENS, budget=150, groups=SOURCES, quota={"web": 3})
    assert chosen.stats["cost"] <= 150
    assert (SOURCES[chosen.indices] == "web").sum() <= 3


def test_files(tmp_path):
    np.save(tmp_path / "costs.npy", TOKENS.astype(np.int32))
    np.save(tmp_path / "groups.npy", SOURCES)
    chosen = qdit.select(
        *(X, Q, 0.5), costs=tmp_path / "costs.npy", budget=99, groups=str(tmp_path / "groups.npy"), quota=9
    )
    want = qdit.select(X, Q, 0.5, costs=TOKENS, budget=99, groups=SOURCES, quota=9)
    assert chosen.indices.tolist() == want.indices.tolist()


class StopRun(Exception):  # noqa: N818
    """Ends a run from its progress callback."""


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "limits",
    [{"costs": TOKENS, "budget": 200}, {"groups": SOURCES, "quota": {"web": 2}, "k": 20}],
    ids=["budget", "quota"],
)
def test_a_stopped_run_goes_on_to_the_same_picks(tmp_path, method, limits, monkeypatch):
    monkeypatch.setattr(picking, "_INTERVAL_SECONDS", 0.0)
    options = {"method": method, "threads": 1, **limits}
    want = qdit.select(X, Q, 0.5, **options)
    for stop in (3, 14, 30, 60, 90, 120):
        calls = itertools.count()

        def progress(_, stop=stop, calls=calls):
            if next(calls) > stop:
                raise StopRun

        try:
            qdit.select(X, Q, 0.5, checkpoint=tmp_path, progress=progress, **options)
        except StopRun:
            assert (tmp_path / "picks.bin").exists() or stop == 3
    got = qdit.select(X, Q, 0.5, checkpoint=tmp_path, **options)
    for name in ("indices", "gains", "scores"):
        assert getattr(got, name).tobytes() == getattr(want, name).tobytes()
    again = qdit.select(X, Q, 0.5, checkpoint=tmp_path, **options)
    assert again.stats == got.stats


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"budget": 201}, "budget is 201.0 now and was 200.0"),
        ({"costs": TOKENS + 1}, "costs is "),
        ({"groups": SOURCES[::-1].copy()}, "groups is "),
        ({"quota": 8}, "quota.book is "),
        ({"k": 30}, "k is 30 now and was 40"),
    ],
)
def test_limits_are_part_of_what_a_checkpoint_is_of(tmp_path, change, text):
    limits = {"costs": TOKENS, "budget": 200, "groups": SOURCES, "quota": 9, "k": 40}
    qdit.select(X, Q, 0.5, checkpoint=tmp_path, **limits)
    with pytest.raises(ValueError) as caught:
        qdit.select(X, Q, 0.5, checkpoint=tmp_path, **limits | change)
    assert text in str(caught.value)


BAD = np.ones(N)
BAD[4] = -1


@pytest.mark.parametrize(
    ("options", "kind", "text"),
    [
        ({"costs": TOKENS}, ValueError, "costs and budget: got one of them, wanted both or neither"),
        ({"quota": 3}, ValueError, "groups and quota: got one of them, wanted both or neither"),
        (
            {"costs": TOKENS[:9], "budget": 3},
            ValueError,
            "costs: got shape (9,), wanted (90,), one for each row of embeddings",
        ),
        ({"costs": BAD, "budget": 3}, ValueError, "costs: row 4 is -1.0, wanted a finite number above 0"),
        (
            {"costs": SOURCES, "budget": 3},
            TypeError,
            "costs: got dtype str128, wanted real numbers; convert to float64",
        ),
        ({"costs": TOKENS, "budget": 0}, ValueError, "budget: got 0.0, wanted a number above 0"),
        ({"costs": TOKENS, "budget": "1"}, TypeError, "budget: got '1', wanted a number"),
        (
            {"costs": TOKENS, "budget": 9, "given": range(N)},
            ValueError,
            "k: got 1, wanted at most 0 (90 rows less 90 given); pass a smaller k",
        ),
        (
            {"costs": TOKENS, "budget": 0.5},
            ValueError,
            "budget: got 0.5, wanted at least 1, the cost of the cheapest row",
        ),
        (
            {"costs": TOKENS, "budget": 50, "method": "stochastic"},
            ValueError,
            "costs: method 'stochastic' cannot tell how many rows a budget buys; "
            "use 'exact', 'lazy' or 'naive'",
        ),
        (
            {"costs": TOKENS, "budget": 50, "gain_scale": "per_k"},
            ValueError,
            "k: got None with a budget and gain_scale='per_k', wanted the rows to expect",
        ),
        (
            {"costs": TOKENS, "budget": 50, "alpha": 1.0, "quality": Q - 2},
            ValueError,
            "budget: no rows that it buys raise the objective; "
            "shift the quality, for instance with quality_scale='minmax'",
        ),
        ({"groups": Q, "quota": 3}, TypeError, "groups: got dtype float64, wanted integers or strings"),
        ({"groups": SOURCES, "quota": -1}, ValueError, "quota: got -1, wanted at least 0"),
        (
            {"groups": SOURCES, "quota": {"web": 2**63}},
            ValueError,
            "quota of 'web': got 9223372036854775808, wanted at most 2**63 - 1",
        ),
        (
            {"groups": SOURCES, "quota": 2**62, "quota_mode": "exact", "k": 9},
            ValueError,
            "k: got 9, wanted 13,835,058,055,282,163,712, the sum of the exact quotas, or None",
        ),
        ({"groups": SOURCES, "quota": 1.5}, TypeError, "quota: got 1.5, wanted an integer"),
        (
            {"groups": SOURCES, "quota": {"web": -2}},
            ValueError,
            "quota of 'web': got -2, wanted at least 0",
        ),
        (
            {"groups": SOURCES, "quota": {"wev": 2}},
            ValueError,
            "quota: got group 'wev', which no row is in; there are 'book', 'code', 'web'",
        ),
        (
            {"groups": SOURCES, "quota": {"web": 2}, "quota_mode": "exact"},
            ValueError,
            "quota: group 'book' has none, wanted one for every group under quota_mode='exact' "
            "(0 to leave it out)",
        ),
        (
            {"groups": SOURCES, "quota": 2, "quota_mode": "exactly"},
            ValueError,
            "quota_mode: got 'exactly', wanted one of 'at_most', 'exact'; did you mean 'exact'?",
        ),
        (
            {"groups": SOURCES, "quota": 2, "quota_mode": "exact", "k": 7},
            ValueError,
            "k: got 7, wanted 6, the sum of the exact quotas, or None",
        ),
        (
            {"groups": SOURCES, "quota": 0, "quota_mode": "exact"},
            ValueError,
            "quota: got quotas that add up to 0, wanted at least 1",
        ),
        (
            {"groups": SOURCES, "quota": 25, "k": 76},
            ValueError,
            "k: got 76, wanted at most 75, the most that the quotas allow",
        ),
        (
            {"groups": [0] * 88 + [1] * 2, "quota": 3, "quota_mode": "exact"},
            ValueError,
            "quota: got 3 for group 1, wanted at most the 2 rows of it that can be picked",
        ),
        (
            {"groups": SOURCES, "quota": 2, "quota_mode": "exact", "costs": TOKENS, "budget": 50},
            ValueError,
            "quota_mode: got 'exact' with a budget, wanted 'at_most'; a budget may not reach for every quota",
        ),
    ],
)
def test_refusals(options, kind, text):
    arguments = {"quality": Q, "alpha": 0.5} | options
    with pytest.raises(kind) as caught:
        qdit.select(X, **arguments)
    assert str(caught.value) == text
