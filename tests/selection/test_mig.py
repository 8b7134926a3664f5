"""Method "mig" against greedy information gain by definition, in float64."""

import json

import numpy as np
import pytest

import qdit
from helpers.oracle import clustered_rows, unit_rows
from qdit.engine import kmeans
from qdit.engine.rows import open_embeddings
from qdit.selection.labels import open_labels
from qdit.selection.options import SelectOptions
from qdit.selection.run import prepare

N = 260
X = clustered_rows(N, 16, seed=60, dtype="float32")
RNG = np.random.default_rng(61)
Q = RNG.integers(1, 40, N) / 8  # with ties
TAGS = [sorted(RNG.choice(9, RNG.integers(0, 4), replace=False).tolist()) for _ in range(N)]
GROUPS = RNG.integers(0, 3, N)


def shares_by_definition(x, rows_of, threshold, strength):
    """Return the propagation matrix A of equations 3 and 6; rows_of: of each label its rows."""
    unit = unit_rows(x, "cosine")
    means = np.array([unit[rows].sum(axis=0) for rows in rows_of])
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    w = means @ means.T
    w = np.where(w >= threshold, w, 0)
    np.fill_diagonal(w, 1)
    a = strength * w
    np.fill_diagonal(a, 1)
    return a / a.sum(axis=1, keepdims=True)


def greedy_by_definition(a, v, scores, k, exponent, *, given=(), closed=None):
    """Evaluate E with every row at every pick. v: (n, labels) zeros and ones."""
    raw = (scores[:, None] * v)[list(given)].sum(axis=0)

    def information(raised):
        return ((raised @ a.T) ** exponent).sum(axis=-1)

    picks = []
    while len(picks) < k:
        shut = [*picks, *given] + ([] if closed is None else list(closed(picks)))
        rows = np.setdiff1d(np.arange(len(v)), shut)
        gains = information(raw + scores[rows, None] * v[rows]) - information(raw)
        best = int(rows[np.flatnonzero(gains >= gains.max() - 1e-11)[0]])
        picks.append(best)
        raw = raw + scores[best] * v[best]
    return picks, information(raw)


def tags_of(tags, count):
    v = np.zeros((len(tags), count))
    for row, some in enumerate(tags):
        v[row, some] = 1
    return v


@pytest.mark.parametrize("exponent", [0.3, 0.8, 1.0])
@pytest.mark.parametrize(("threshold", "strength"), [(0.9, 1.0), (0.2, 1.0), (0.2, 0.3), (0.2, 0.0)])
def test_each_pick_adds_the_most_information(threshold, strength, exponent):
    options = {"label_threshold": threshold, "propagation": strength, "exponent": exponent}
    chosen = qdit.select(X, Q, 0.5, 80, method="mig", labels=TAGS, **options)
    v = tags_of(TAGS, 9)
    a = shares_by_definition(X, [np.flatnonzero(v[:, p]) for p in range(9)], threshold, strength)
    want, information = greedy_by_definition(a, v, Q, 80, exponent)
    assert chosen.indices.tolist() == want
    assert chosen.stats["information"] == pytest.approx(information, rel=1e-5)
    assert (chosen.stats["labels"], chosen.stats["labels_informed"]) == (9, 9)
    assert chosen.params["label_threshold"] == threshold
    w = a > 0
    assert chosen.stats["label_edges"] == (w.sum() - 9) // 2 or strength == 0


def test_cells_of_k_means_are_labels():
    chosen = qdit.select(X, Q, 0.5, 80, method="mig", clusters=12, label_threshold=0.3)
    engine = prepare(X, SelectOptions(alpha=0.0, k=1, threads=1)).engine()
    cells = kmeans.spherical(open_embeddings(X), engine, 12, 0).labels
    a = shares_by_definition(X, [np.flatnonzero(cells == p) for p in range(12)], 0.3, 1.0)
    want, _ = greedy_by_definition(a, np.eye(12)[cells], Q, 80, 0.8)
    assert chosen.indices.tolist() == want


def test_without_quality_labels_are_spread():
    labels = np.arange(N) % 13
    chosen = qdit.select(X, alpha=0, k=39, method="mig", labels=labels, propagation=0.0)
    assert np.bincount(labels[chosen.indices]).tolist() == [3] * 13
    assert chosen.indices[:13].tolist() == list(range(13))


def test_given_rows_inform():
    v = tags_of(TAGS, 9)
    a = shares_by_definition(X, [np.flatnonzero(v[:, p]) for p in range(9)], 0.2, 1.0)
    given = [4, 80, 81]
    chosen = qdit.select(X, Q, 0.5, 60, method="mig", labels=TAGS, label_threshold=0.2, given=given)
    assert chosen.indices.tolist() == greedy_by_definition(a, v, Q, 60, 0.8, given=given)[0]


def test_limits():
    v = tags_of(TAGS, 9)
    a = shares_by_definition(X, [np.flatnonzero(v[:, p]) for p in range(9)], 0.9, 1.0)

    def full(picks):
        return np.flatnonzero(np.bincount(GROUPS[picks], minlength=3)[GROUPS] >= 7) if picks else ()

    chosen = qdit.select(X, Q, 0.5, 21, method="mig", labels=TAGS, groups=GROUPS, quota=7)
    assert chosen.indices.tolist() == greedy_by_definition(a, v, Q, 21, 0.8, closed=full)[0]
    costs = np.r_[np.ones(N // 2), np.full(N - N // 2, 2.5)]
    paid = qdit.select(X, Q, 0.5, method="mig", labels=TAGS, costs=costs, budget=30.0)
    assert 28 <= costs[paid.indices].sum() == paid.stats["cost"] <= 30


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_threads_change_nothing_and_prefixes_are_contained(threads):
    options = {"method": "mig", "clusters": 9, "threads": threads}
    chosen = qdit.select(X, Q, 0.5, 100, **options)
    assert chosen.indices.tolist() == qdit.select(X, Q, 0.5, 100, method="mig", clusters=9).indices.tolist()
    assert qdit.select(X, Q, 0.5, 30, **options).indices.tolist() == chosen.indices[:30].tolist()


def test_labels_come_in_many_forms(tmp_path):
    one = [f"t{i % 5}" for i in range(N)]
    np.save(tmp_path / "one.npy", np.array(one))
    (tmp_path / "one.jsonl").write_text("".join(json.dumps(tag) + "\n" for tag in one))
    forms = [one, np.array(one), tmp_path / "one.npy", str(tmp_path / "one.jsonl"), [[tag] for tag in one]]
    found = [qdit.select(X, Q, 0.5, 40, method="mig", labels=form) for form in forms]
    assert len({run.indices.tobytes() for run in found}) == 1
    assert len({run.inputs["labels"]["sha256"] for run in found}) == 1
    lists = np.empty(N, object)
    lists[:] = [tuple(tags) for tags in TAGS]
    same = [open_labels(form, N) for form in (TAGS, lists, [tags[::-1] + tags for tags in TAGS])]
    assert len({(labels.names, labels.codes.tobytes(), labels.starts.tobytes()) for labels in same}) == 1
    some = open_labels(["a", None, "b"], 3)
    assert (some.names, some.starts.tolist()) == (("a", "b"), [0, 1, 1, 2])
    missing = open_labels([["a"], None, [], ["b", "a"]], 4)
    assert (missing.names, missing.starts.tolist(), missing.codes.tolist()) == (
        ("a", "b"),
        [0, 1, 1, 1, 3],
        [0, 0, 1],
    )


def test_other_labels_are_another_run(tmp_path):
    qdit.select(X, Q, 0.5, 20, method="mig", labels=TAGS, checkpoint=tmp_path)
    with pytest.raises(ValueError, match=r"labels is '[0-9a-f]{56}\.\.\. now and was"):
        qdit.select(X, Q, 0.5, 20, method="mig", labels=TAGS[::-1], checkpoint=tmp_path)


@pytest.mark.parametrize(
    ("options", "kind", "text"),
    [
        (
            {"labels": TAGS[:-1]},
            ValueError,
            "labels: got 259 rows, wanted 260, one for each row of embeddings",
        ),
        (
            {"labels": [["a"], [1]] * (N // 2)},
            TypeError,
            "labels: got integers and strings, wanted labels of one kind",
        ),
        (
            {"labels": [["a"], [0.5]] * (N // 2)},
            TypeError,
            "labels: row 1 has 0.5, wanted integers or strings",
        ),
        (
            {"labels": [[]] * N},
            ValueError,
            "labels: no row has any, wanted some; leave labels out to take k-means cells",
        ),
        (
            {"labels": TAGS, "method": "exact"},
            ValueError,
            "labels: method 'exact' takes none; use 'mig', or drop them",
        ),
        ({"exponent": 0}, ValueError, "exponent: got 0.0, wanted a number above 0, at most 1"),
        (
            {"label_threshold": 1.5},
            ValueError,
            "label_threshold: got 1.5, wanted a number above 0, at most 1",
        ),
        ({"propagation": -1}, ValueError, "propagation: got -1.0, wanted a number from 0 on"),
        ({"clusters": 261}, ValueError, "clusters: got 261, wanted at most the 260 rows to pick from"),
    ],
)
def test_refusals(options, kind, text):
    with pytest.raises(kind) as caught:
        qdit.select(X, **{"quality": Q, "alpha": 0.5, "k": 9, "method": "mig"} | options)
    assert str(caught.value) == text
