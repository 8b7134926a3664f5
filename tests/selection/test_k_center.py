"""Method "k_center" against farthest points by definition, in float64."""

import numpy as np
import pytest

import qdit
from helpers.oracle import clustered_rows, similarity
from qdit.selection import centers

N = 530
X = clustered_rows(N, 24, seed=50, dtype="float32")
Q = np.random.default_rng(51).integers(0, 40, N) / 8  # with ties
GIVEN = [5, 77, 300]
GROUPS = np.random.default_rng(52).integers(0, 4, N)
COSTS = np.random.default_rng(53).uniform(0.5, 2.0, N)


def farthest_by_definition(sims, k, *, nearest=None, quality=None, weights=None, given=(), closed=None):
    """Take the row of least similarity to the nearest chosen one, k times; ties: quality, then row.

    nearest: of every row to what is chosen already. closed: of the picks so far, rows that may not be taken.
    """
    n = len(sims)
    tie = np.zeros(n) if quality is None else np.asarray(quality)
    picks = []
    while len(picks) < k:
        if nearest is None:
            far = sims.sum(axis=0)
        elif weights is None:
            far = -nearest
        else:
            far = weights * np.sqrt(np.maximum(0, 2 - 2 * nearest))
        shut = [*picks, *given] + ([] if closed is None else list(closed(picks)))
        rows = np.setdiff1d(np.arange(n), shut)
        if not len(rows):
            break
        best = min(rows.tolist(), key=lambda row: (-far[row], -tie[row], row))
        picks.append(best)
        nearest = sims[:, best] if nearest is None else np.maximum(nearest, sims[:, best])
    return picks


@pytest.mark.parametrize("sizes", [(1, 1), (2, 7), (64, 2048)], ids=str)
@pytest.mark.parametrize("start", ["nothing", "given", "outside", "floor"])
def test_it_takes_the_farthest_row_again_and_again(start, sizes, monkeypatch):
    monkeypatch.setattr(centers, "_FEWEST", sizes[0])
    monkeypatch.setattr(centers, "_MOST", sizes[1])
    sims = similarity(X)
    options, want = {
        "nothing": ({}, {}),
        "given": ({"given": GIVEN}, {"nearest": sims[:, GIVEN].max(axis=1), "given": GIVEN}),
        "outside": ({"given": X[:2] + 1}, {"nearest": similarity(X, X[:2] + 1).max(axis=1)}),
        "floor": ({"floor": 0.1}, {"nearest": np.full(N, 0.1)}),
    }[start]
    chosen = qdit.select(X, Q, 0.5, 200, method="k_center", **options)
    assert chosen.indices.tolist() == farthest_by_definition(sims, 200, quality=Q, **want)
    nearest = np.maximum(want.get("nearest", -1), sims[:, chosen.indices].max(axis=1))
    assert chosen.stats["least_similarity"] == pytest.approx(nearest.min(), abs=1e-6)
    assert chosen.objective == pytest.approx(qdit.objective(X, chosen, Q, 0.5, **options), rel=1e-14)


@pytest.mark.parametrize("backend", ["cpu", "reference"])
@pytest.mark.parametrize("quality", [None, Q[:150]], ids=["rows decide", "quality decides"])
def test_ties(backend, quality):
    """Small whole numbers under "dot": similarities are exact, and many are equal."""
    rows = np.random.default_rng(3).integers(-1, 2, (150, 5)).astype(np.float32)
    chosen = qdit.select(rows, quality, 0, 150, method="k_center", metric="dot", backend=backend)
    want = farthest_by_definition(similarity(rows, metric="dot"), 150, quality=quality)
    assert chosen.indices.tolist() == want


def test_copies_of_one_row_come_in_order():
    chosen = qdit.select(np.ones((90, 3), np.float32), alpha=0, k=90, method="k_center")
    assert chosen.indices.tolist() == list(range(90))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_threads_change_nothing_and_prefixes_are_contained(dtype):
    rows = X.astype(dtype)
    runs = [qdit.select(rows, Q, 0.5, 150, method="k_center", threads=threads) for threads in (1, 2, 5)]
    assert len({(run.indices.tobytes(), run.gains.tobytes()) for run in runs}) == 1
    assert qdit.select(rows, Q, 0.5, 40, method="k_center").indices.tolist() == runs[0].indices[:40].tolist()


def test_quality_as_weight_of_distances():
    chosen = qdit.select(X, Q, 0.5, 150, method="k_center", distance_weight="quality")
    assert chosen.params["distance_weight"] == "quality"
    assert chosen.indices.tolist() == farthest_by_definition(similarity(X), 150, quality=Q, weights=Q)
    plain = qdit.select(X, Q, 0.5, 150, method="k_center")
    assert Q[chosen.indices].mean() > Q[plain.indices].mean() + 0.5


def test_quotas():
    quota = {0: 12, 1: 0, 2: 30}

    def closed(picks):
        counts = np.bincount(GROUPS[picks], minlength=4) if picks else np.zeros(4)
        full = [group for group, most in quota.items() if counts[group] >= most]
        return np.flatnonzero(np.isin(GROUPS, full))

    chosen = qdit.select(X, Q, 0.5, 60, method="k_center", groups=GROUPS, quota=quota)
    want = farthest_by_definition(similarity(X), 60, quality=Q, closed=closed)
    assert chosen.indices.tolist() == want
    exact = dict.fromkeys(range(4), 9)
    chosen = qdit.select(X, Q, 0.5, method="k_center", groups=GROUPS, quota=exact, quota_mode="exact")
    assert np.bincount(GROUPS[chosen.indices]).tolist() == [9, 9, 9, 9]


def test_budget():
    def closed(picks):
        return np.flatnonzero(COSTS[picks].sum() + COSTS > 40.0)

    chosen = qdit.select(X, Q, 0.5, method="k_center", costs=COSTS, budget=40.0)
    want = farthest_by_definition(similarity(X), N, quality=Q, closed=closed)
    assert chosen.indices.tolist() == want
    assert chosen.stats["cost"] == pytest.approx(COSTS[want].sum())
    assert chosen.stats["cost"] <= 40.0


@pytest.mark.parametrize("method", ["k_center", "kmq", "mig"])
@pytest.mark.parametrize(("budget", "rows"), [(0.3, 3), (50.0, 500), (0.1, 1)])
def test_costs_add_up_as_decimals_do(method, budget, rows):
    paid = qdit.select(X, Q, 0.5, method=method, costs=np.full(N, 0.1), budget=budget)
    assert len(paid) == rows


def test_rows_of_zeros_are_left_out():
    rows = X.copy()
    rows[[0, 9]] = 0
    chosen = qdit.select(rows, alpha=0, k=N - 2, method="k_center", zero_rows="ignore")
    assert sorted(chosen.indices.tolist()) == np.setdiff1d(np.arange(N), [0, 9]).tolist()
    assert chosen.stats["least_similarity"] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (
            {"quality": None, "alpha": 0},
            "quality: got None with distance_weight='quality', wanted one score per row",
        ),
        (
            {"quality": Q - 1},
            "quality: row 11 is -1, wanted at least 0 with method 'k_center', which multiplies by it; use "
            "quality_scale 'minmax' or 'rank'",
        ),
        (
            {"metric": "dot"},
            "distance_weight: got 'quality' with metric 'dot', which is no distance; use metric 'cosine', or "
            "distance_weight 'none'",
        ),
    ],
)
def test_refusals(options, text):
    row = int(np.flatnonzero(Q < 1)[0])
    bad = f"row {row} is {Q[row] - 1:g}"
    asked = {"quality": Q, "alpha": 0.5, "k": 9, "method": "k_center", "distance_weight": "quality"}
    with pytest.raises(ValueError) as caught:
        qdit.select(X, **asked | options)
    assert str(caught.value) == text.replace("row 11 is -1", bad)
