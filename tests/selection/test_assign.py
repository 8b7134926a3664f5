"""What each chosen row stands for, against a float64 product."""

import numpy as np
import pytest

import qdit
from qdit.engine.rows import Rows

RNG = np.random.default_rng(41)
X = RNG.standard_normal((301, 19)).astype(np.float32)
X[50] = X[200]  # copies of each other, both chosen below
CHOSEN = np.array([200, 3, 50, 120, 77])


def product(rows, chosen, metric="cosine"):
    a, b = rows.astype(np.float64), chosen.astype(np.float64)
    if metric == "cosine":
        a, b = (x / np.where((n := np.linalg.norm(x, axis=1)) > 0, n, 1)[:, None] for x in (a, b))
    return a @ b.T


@pytest.mark.parametrize("backend", ["cpu", "reference"])
@pytest.mark.parametrize("metric", ["cosine", "dot"])
def test_every_row_goes_to_the_most_similar_chosen_one(backend, metric):
    weights = RNG.random(301) + 0.1
    found = qdit.assign(X, CHOSEN, weights=weights, metric=metric, backend=backend, threads=2)
    s = product(X, X[CHOSEN], metric)
    where = [CHOSEN.tolist().index(row) for row in found.nearest.tolist()]
    assert found.similarity == pytest.approx(s.max(axis=1), abs=1e-4)
    assert s[np.arange(301), where] == pytest.approx(s.max(axis=1), abs=1e-4)
    assert found.sizes.tolist() == np.bincount(where, minlength=5).tolist()
    assert found.weights == pytest.approx(np.bincount(where, weights, 5))
    assert (found.sizes.sum(), found.weights.sum()) == (301, pytest.approx(weights.sum()))
    if metric == "cosine":
        assert found.nearest[CHOSEN].tolist() == CHOSEN.tolist()


def test_without_weights_each_row_counts_one():
    found = qdit.assign(X, CHOSEN)
    assert found.weights.tolist() == found.sizes.tolist()
    assert found.weights.dtype == np.float64


def test_other_rows():
    others = RNG.standard_normal((7, 19))
    found = qdit.assign(X, CHOSEN, represent=others, weights=[1, 2, 3, 4, 5, 6, 7])
    s = product(others, X[CHOSEN])
    assert found.nearest.tolist() == CHOSEN[s.argmax(axis=1)].tolist()
    assert found.sizes.sum() == 7
    assert found.weights.sum() == 28
    with pytest.raises(ValueError, match="represent: got rows of 3 columns, wanted 19"):
        qdit.assign(X, CHOSEN, represent=others[:, :3].copy())


def test_rows_of_zeros_go_to_nobody():
    rows = X.copy()
    rows[9] = 0
    with pytest.raises(ValueError, match="row 9"):
        qdit.assign(rows, CHOSEN)
    found = qdit.assign(rows, CHOSEN, zero_rows="ignore")
    assert found.nearest[9] == -1
    assert np.isnan(found.similarity[9])
    assert found.sizes.sum() == 300


def test_of_a_selection_in_any_dtype(tmp_path):
    sel = qdit.select(X, alpha=0, k=12)
    whole = sel.assign(X)
    assert whole.sizes.sum() == 301
    assert whole.similarity.mean() == pytest.approx(sel.coverage, abs=1e-6)
    np.save(tmp_path / "x.npy", X.astype(np.float16))
    half = sel.assign(tmp_path / "x.npy", threads=1)
    assert (half.nearest == whole.nearest).mean() > 0.98
    bits = Rows((X.view(np.uint32) >> 16).astype(np.uint16), "bfloat16")
    assert (sel.assign(bits).nearest == whole.nearest).mean() > 0.9


def test_blocks_change_nothing():
    from qdit.selection.assign import AssignOptions, nearest_of

    rows, asked = qdit.open_embeddings(X), AssignOptions()
    whole = nearest_of(rows, rows, CHOSEN, asked)
    parts = nearest_of(rows, rows, CHOSEN, asked, block=2)
    assert all(np.array_equal(a, b) for a, b in zip(whole, parts, strict=True))


@pytest.mark.parametrize(
    ("chosen", "options", "text"),
    [
        ([], {}, "indices: got no rows"),
        ([3, 3], {}, "indices"),
        ([400], {}, "indices"),
        ([1], {"weights": [1.0] * 300}, r"weights: got shape \(300,\), wanted \(301,\)"),
        ([1], {"weights": [1.0] * 300 + [0]}, "weights: row 300 is 0.0, wanted a finite number above 0"),
        ([1], {"metric": "l2"}, "metric"),
    ],
)
def test_bad_input(chosen, options, text):
    with pytest.raises(ValueError, match=text):
        qdit.assign(X, chosen, **options)
