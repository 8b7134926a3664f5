"""Rows that are not to be picked: represented still, or not."""

import numpy as np
import pytest

import qdit
from helpers.oracle import integer_rows, naive_greedy
from qdit.selection.options import SelectOptions

N, K = 120, 15
X = integer_rows(N, 6, seed=3)
Q = np.random.default_rng(3).integers(0, 9, N).astype(float)
OUT = np.random.default_rng(4).choice(N, 40, replace=False)
DOT = {"metric": "dot", "threads": 1}


@pytest.mark.parametrize("method", ["exact", "lazy", "naive"])
@pytest.mark.parametrize("backend", ["cpu", "reference"])
@pytest.mark.parametrize("alpha", [0.0, 0.4])
def test_excluded_rows_are_covered_and_never_picked(method, backend, alpha):
    if backend == "reference" and method == "exact":
        pytest.skip("reference has no exact")
    quality = None if alpha == 0 else Q
    one = qdit.select(X, quality, alpha, K, exclude=OUT, method=method, backend=backend, **DOT)
    wanted, gains = naive_greedy(X, K, weight=1 - alpha, bonus=alpha * Q, metric="dot", excluded=OUT)
    assert one.indices.tolist() == wanted.tolist()
    assert one.gains.tolist() == gains.tolist()
    assert one.params["excluded_rows"] == 40
    assert one.params["exclude_mode"] == "covered"
    assert one.upper_bound >= one.objective


@pytest.mark.parametrize("method", ["exact", "lazy", "naive"])
def test_dropped_rows_are_not_covered_either(method):
    left = np.setdiff1d(np.arange(N), OUT)
    one = qdit.select(X, Q, 0.4, K, exclude=OUT, exclude_mode="dropped", method=method, **DOT)
    alone = qdit.select(X[left], Q[left], 0.4, K, method=method, **DOT)
    assert one.indices.tolist() == left[alone.indices].tolist()
    assert one.gains.tobytes() == alone.gains.tobytes()
    assert one.coverage == alone.coverage
    weights = np.arange(1.0, N + 1)
    one = qdit.select(X, Q, 0.4, K, exclude=OUT, exclude_mode="dropped", weights=weights, **DOT)
    alone = qdit.select(X[left], Q[left], 0.4, K, weights=weights[left], **DOT)
    assert one.indices.tolist() == left[alone.indices].tolist()


@pytest.mark.parametrize(
    "method", ["stochastic", "quality", "random", "threshold", "cluster", "k_center", "kmq", "sparse"]
)
def test_no_method_picks_them(method):
    x = np.random.default_rng(5).standard_normal((N, 8)).astype(np.float32)
    one = qdit.select(x, Q, 0.5, 60, exclude=OUT, method=method, clusters=4, threads=1)
    assert len(one) == 60
    assert not np.isin(one.indices, OUT).any()


def test_nothing_excluded_is_as_ever():
    plain = qdit.select(X, Q, 0.4, K, **DOT)
    for mode in ("covered", "dropped"):
        one = qdit.select(X, Q, 0.4, K, exclude=[], exclude_mode=mode, **DOT)
        assert one.indices.tobytes() == plain.indices.tobytes()
        assert dict(one.params) == dict(plain.params)
        assert dict(one.inputs) == dict(plain.inputs)


def test_with_given_groups_and_a_sweep():
    groups = np.arange(N) % 3
    options = {"exclude": OUT, "given": [OUT[0], 7], "groups": groups, "quota": 4, **DOT}
    found = qdit.sweep(X, Q, [0.0, 0.5], 12, **options)
    for alpha, one in found.items():
        assert one.indices.tolist() == qdit.select(X, Q, alpha, 12, **options).indices.tolist()
        assert not np.isin(one.indices, [*OUT, 7]).any()
        assert np.bincount(groups[one.indices]).tolist() == [4, 4, 4]
    with pytest.raises(ValueError, match=r"wanted at most 80 \(120 rows less 2 given and 38 excluded\)"):
        qdit.select(X, Q, 0.5, 100, exclude=OUT, given=[OUT[0], 7], **DOT)


def test_a_checkpoint_knows_them(tmp_path):
    first = qdit.select(X, Q, 0.4, K, exclude=OUT, checkpoint=tmp_path, **DOT)
    again = qdit.select(X, Q, 0.4, K, exclude=np.sort(OUT), checkpoint=tmp_path, **DOT)
    assert again.indices.tolist() == first.indices.tolist()
    for options in ({"exclude": OUT[1:]}, {}, {"exclude": OUT, "exclude_mode": "dropped"}):
        with pytest.raises(ValueError, match="exclude"):
            qdit.select(X, Q, 0.4, K, checkpoint=tmp_path, **options, **DOT)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"exclude": [3, N]}, "exclude: position 1 is row 120, wanted 0 to 119"),
        ({"exclude": [3, 3]}, "exclude: position 1 is row 3 again"),
        ({"exclude": [0.5]}, "exclude: got dtype float64"),
        ({"exclude": np.ones(N, bool)}, "exclude: got dtype bool.*flatnonzero"),
        ({"exclude": [1], "exclude_mode": "gone"}, "exclude_mode: got 'gone'"),
        ({"exclude": np.arange(N), "exclude_mode": "dropped"}, "exclude: got all 120 rows"),
        ({"exclude": [1], "exclude_mode": "dropped", "represent": [2]}, "'dropped' with represent"),
        ({"exclude": [1], "exclude_mode": "dropped", "method": "sparse"}, "covers the pool, row by row"),
    ],
    ids=str,
)
def test_errors(options, message):
    with pytest.raises((ValueError, TypeError), match=message):
        qdit.select(X, Q, 0.5, 5, **options, **DOT)


def test_a_file_and_a_selection_are_row_numbers(tmp_path):
    np.save(tmp_path / "out.npy", OUT)
    first = qdit.select(X, Q, 0.4, K, **DOT)
    for exclude in (tmp_path / "out.npy", first):
        rows = OUT if exclude is not first else first.indices
        one = qdit.select(X, Q, 0.4, K, exclude=exclude, **DOT)
        assert one.indices.tolist() == qdit.select(X, Q, 0.4, K, exclude=rows, **DOT).indices.tolist()
    assert SelectOptions(exclude=str(tmp_path / "out.npy")).exclude_mode == "covered"
