"""Methods that are not greedy: quality, random, threshold, cluster, each against its definition in NumPy."""

import numpy as np
import pytest

import qdit
from helpers.oracle import clustered_rows, similarity
from qdit.engine import kmeans
from qdit.engine.rows import open_embeddings
from qdit.selection import baselines
from qdit.selection.options import SelectOptions
from qdit.selection.run import prepare

N = 700
X = clustered_rows(N, 24, seed=40, dtype="float32")
Q = np.random.default_rng(41).integers(0, 50, N) / 8  # with ties
GIVEN = [5, 77, 300]


def engine_over(rows):
    return prepare(rows, SelectOptions(alpha=0.0, k=1, threads=2)).engine()


def best_first(free):
    return sorted(free, key=lambda row: (-Q[row], row))


def threshold_by_definition(x, tau, free, given=(), outside=None):
    """Compare every row with every kept one, one by one."""
    sims = similarity(x)
    kept = []
    for row in best_first(free):
        near = [sims[row, other] for other in [*kept, *given]]
        if outside is not None:
            near += similarity(x[[row]], outside)[0].tolist()
        if not near or max(near) <= tau:
            kept.append(row)
    return kept


@pytest.mark.parametrize("method", ["quality", "random", "threshold", "cluster", "k_center", "kmq", "mig"])
@pytest.mark.parametrize("options", [{}, {"given": GIVEN}, {"floor": 0.1}, {"given": X[:3] + 1}], ids=str)
def test_what_is_reported_is_true_of_the_picks(method, options):
    chosen = qdit.select(X, Q, 0.5, 60, method=method, **options)
    assert len(set(chosen.indices.tolist())) == len(chosen) == 60
    assert not set(chosen.indices.tolist()) & set(options["given"] if options.get("given") is GIVEN else ())
    assert chosen.objective == pytest.approx(qdit.objective(X, chosen, Q, 0.5, **options), rel=1e-14)
    assert chosen.coverage == pytest.approx(qdit.coverage(X, chosen, **options), rel=1e-14)
    assert chosen.quality.tolist() == Q[chosen.indices].tolist()
    assert chosen.params["method"] == method


@pytest.mark.parametrize("method", ["quality", "random", "threshold", "cluster", "k_center", "kmq", "mig"])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_threads_change_nothing(method, dtype):
    rows = clustered_rows(N, 24, seed=40, dtype=dtype)
    pool = open_embeddings(rows, dtype="bfloat16") if dtype == "bfloat16" else rows
    runs = [qdit.select(pool, Q, 0.5, 60, method=method, threads=threads) for threads in (1, 2, 5)]
    assert len({(run.indices.tobytes(), run.gains.tobytes()) for run in runs}) == 1
    assert qdit.select(pool, Q, 0.5, 20, method=method).indices.tolist() == runs[0].indices[:20].tolist()


@pytest.mark.parametrize("method", ["quality", "random", "threshold", "cluster", "k_center", "kmq", "mig"])
def test_ignored_rows_are_never_picked(method):
    rows = X.copy()
    rows[[0, 9]] = 0
    quality = Q.copy()
    quality[[0, 9]] = 99
    chosen = qdit.select(rows, quality, 0.5, 698, method=method, tau=1.0, clusters=20, zero_rows="ignore")
    assert sorted(chosen.indices.tolist()) == np.setdiff1d(np.arange(N), [0, 9]).tolist()


def test_quality_is_the_best_first():
    chosen = qdit.select(X, Q, 0.3, 60, method="quality", given=GIVEN)
    assert chosen.indices.tolist() == best_first(np.setdiff1d(np.arange(N), GIVEN))[:60]
    assert qdit.select(X, Q, 1.0, 60, given=GIVEN).indices.tolist() == chosen.indices.tolist()


def test_random_is_uniform_and_a_matter_of_the_seed():
    draws = [qdit.select(X[:40], alpha=0, k=10, method="random", seed=seed).indices for seed in range(400)]
    counts = np.bincount(np.concatenate(draws), minlength=40)
    # 40 counts of a binomial with mean 100 and deviation 8.7
    assert 65 < counts.min() < counts.max() < 135
    first = np.bincount([draw[0] for draw in draws], minlength=40)
    assert first.max() < 30
    assert len({draw.tobytes() for draw in draws}) == 400
    again = qdit.select(X[:40], alpha=0, k=10, method="random", seed=3)
    assert again.indices.tolist() == draws[3].tolist() == [33, 12, 35, 14, 22, 29, 34, 30, 11, 13]


@pytest.mark.parametrize("tau", [-1.0, 0.2, 0.5, 0.9, 1.1])
@pytest.mark.parametrize("batch", [1, 7, 512])
def test_threshold_is_its_definition(tau, batch, monkeypatch):
    monkeypatch.setattr(baselines, "_BATCH", batch)
    want = threshold_by_definition(X, tau, range(N))
    chosen = qdit.select(X, Q, 0.5, N, method="threshold", tau=tau, shortfall="stop")
    assert chosen.indices.tolist() == want
    assert chosen.stats["survivors"] == len(want)


@pytest.mark.parametrize("backend", ["cpu", "reference"])
def test_threshold_keeps_away_from_given_rows(backend):
    x, free = X[:150], np.setdiff1d(np.arange(150), GIVEN[:2])
    options = {"method": "threshold", "shortfall": "stop", "backend": backend}
    chosen = qdit.select(x, Q[:150], 0.5, 148, given=GIVEN[:2], **options)
    assert chosen.indices.tolist() == threshold_by_definition(x, 0.5, free, GIVEN[:2])
    chosen = qdit.select(x, Q[:150], 0.5, 150, given=x[:2] - 1, floor=0.5, **options)
    assert chosen.indices.tolist() == threshold_by_definition(x, 0.5, range(150), outside=x[:2] - 1)


def test_threshold_with_too_few_survivors():
    survivors = threshold_by_definition(X, 0.5, range(N))
    k = len(survivors) + 30
    options = {"method": "threshold", "tau": 0.5}
    filled = qdit.select(X, Q, 0.5, k, **options)
    rest = [row for row in best_first(range(N)) if row not in survivors]
    assert filled.indices.tolist() == survivors + rest[:30]
    assert (filled.stats["survivors"], filled.stats["filled"]) == (len(survivors), 30)
    assert (filled.params["tau"], filled.params["shortfall"]) == (0.5, "fill")
    stopped = qdit.select(X, Q, 0.5, k, shortfall="stop", **options)
    assert stopped.indices.tolist() == survivors
    assert (stopped.stats["survivors"], stopped.stats["filled"]) == (len(survivors), 0)
    with pytest.raises(ValueError) as caught:
        qdit.select(X, Q, 0.5, k, shortfall="error", **options)
    assert str(caught.value) == (
        f"tau: only {len(survivors)} rows are left that are no more similar than tau, wanted k = {k}; "
        "raise tau, pass a smaller k, or shortfall='fill' or 'stop'"
    )
    enough = qdit.select(X, Q, 0.5, 5, shortfall="error", **options)
    assert enough.indices.tolist() == survivors[:5]
    assert enough.stats["survivors"] == 5


def test_cluster_takes_equally_many_of_each_by_quality():
    found = kmeans.spherical(open_embeddings(X), engine_over(X), 12, 0)
    chosen = qdit.select(X, Q, 0.5, 60, method="cluster", clusters=12)
    sizes = np.bincount(found.labels, minlength=12)
    assert sizes.min() >= 5
    for cluster in range(12):
        members = [row for row in best_first(range(N)) if found.labels[row] == cluster]
        mine = [row for row in chosen.indices.tolist() if found.labels[row] == cluster]
        assert mine == members[:5]
    assert chosen.stats["short_clusters"] == chosen.stats["filled"] == 0


def test_cluster_fills_what_small_clusters_lack_in_turn():
    labels = np.array([0] * 2 + [1] * 10 + [2] * 8)
    quality = np.arange(20.0)
    rows = np.argsort(-quality)
    order = baselines.in_turn(rows, labels).tolist()
    assert order[:3] == [19, 11, 1]
    assert order[3:6] == [18, 10, 0]
    assert order[6:10] == [17, 9, 16, 8]
    assert sorted(order) == list(range(20))
    chosen = qdit.select(X, Q, 0.5, 650, method="cluster", clusters=12)
    assert chosen.stats["short_clusters"] > 0
    assert chosen.stats["filled"] > 0


NO_LIMITS = "knows no constraints; use 'exact', 'lazy' or 'naive', or drop them"


@pytest.mark.parametrize(
    ("method", "options", "kind", "text"),
    [
        ("random", {"costs": np.ones(N), "budget": 5}, ValueError, f"costs: method 'random' {NO_LIMITS}"),
        ("cluster", {"groups": [1] * N, "quota": 5}, ValueError, f"groups: method 'cluster' {NO_LIMITS}"),
        (
            "threshold",
            {"quality": None, "alpha": 0},
            ValueError,
            "quality: got None with method 'threshold', wanted one score per row",
        ),
        (
            "threshold",
            {"floor": 0.6},
            ValueError,
            "floor: got 0.6, wanted at most tau = 0.5; every row starts at the floor",
        ),
        ("threshold", {"tau": "x"}, TypeError, "tau: got 'x', wanted a number"),
        (
            "threshold",
            {"shortfall": "fil"},
            ValueError,
            "shortfall: got 'fil', wanted one of 'fill', 'stop', 'error'; did you mean 'fill'?",
        ),
        ("cluster", {"clusters": 0}, ValueError, "clusters: got 0, wanted at least 1"),
        (
            "cluster",
            {"clusters": 701},
            ValueError,
            "clusters: got 701, wanted at most the 700 rows to pick from",
        ),
        ("random", {"k": 701}, ValueError, "k: got 701, wanted at most 700 (700 rows); pass a smaller k"),
    ],
)
def test_refusals(method, options, kind, text):
    arguments = {"quality": Q, "alpha": 0.5, "k": 9, "method": method} | options
    with pytest.raises(kind) as caught:
        qdit.select(X, **arguments)
    assert str(caught.value) == text
