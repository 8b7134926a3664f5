"""Bad options, quality, given rows and sets of indices are refused with the words they deserve."""

import errno
import os
import re
from typing import Any

import numpy as np
import pytest

import qdit
from qdit.engine import backend

RNG = np.random.default_rng(5)
X = RNG.standard_normal((20, 4)).astype(np.float32)
Q = RNG.random(20)


def refuse(kind: type[Exception], text: str, *args: Any, **options: Any) -> None:
    """Call select and compare the whole message."""
    with pytest.raises(kind) as caught:
        qdit.select(*args, **{"k": 3} | options)
    assert str(caught.value) == text


def changed(array: np.ndarray, where: Any, value: float) -> np.ndarray:
    array = array.copy()
    array[where] = value
    return array


@pytest.mark.parametrize(
    ("quality", "kind", "text"),
    [
        (
            None,
            ValueError,
            "quality: got None with alpha 0.7, wanted one score per row; pass quality or alpha=0",
        ),
        (Q[:19], ValueError, "quality: got shape (19,), wanted (20,), one for each row of embeddings"),
        (
            Q[:, None],
            ValueError,
            "quality: got shape (20, 1), wanted (20,), one for each row of embeddings; "
            "flatten it with numpy.ravel(x)",
        ),
        (np.float64(3), ValueError, "quality: got shape (), wanted (20,), one for each row of embeddings"),
        (
            changed(changed(Q, 4, np.nan), 11, np.inf),
            ValueError,
            "quality: row 4 is nan, wanted a finite number; drop the row or give it a score",
        ),
        (
            changed(Q, 11, -np.inf),
            ValueError,
            "quality: row 11 is -inf, wanted a finite number; drop the row or give it a score",
        ),
        (
            changed(changed(Q, 4, 1.7e308), 11, 1.7e308),
            ValueError,
            "quality: row 4 is 1.7e+308, too large to be added up; rescale the scores",
        ),
        (Q > 0.5, TypeError, "quality: got dtype bool, wanted real numbers; convert to float64"),
        (["a"] * 20, TypeError, "quality: row 0 is 'a', wanted a real number"),
        ([[1]] * 19 + [[2, 3]], TypeError, "quality: row 0 is [1], wanted a real number"),
        ([1.0, None] * 10, TypeError, "quality: row 1 is None, wanted a real number"),
        (
            np.ma.masked_array(Q),
            TypeError,
            "quality: got a masked array, wanted a plain one; fill it or drop the masked rows",
        ),
    ],
)
def test_quality(quality, kind, text):
    refuse(kind, text, X, quality)


@pytest.mark.parametrize(
    ("options", "kind", "text"),
    [
        ({"k": 0}, ValueError, "k: got 0, wanted at least 1"),
        ({"k": -3}, ValueError, "k: got -3, wanted at least 1"),
        ({"k": 21}, ValueError, "k: got 21, wanted at most 20 (20 rows); pass a smaller k"),
        (
            {"k": 18, "given": [0, 1, 2]},
            ValueError,
            "k: got 18, wanted at most 17 (20 rows less 3 given); pass a smaller k",
        ),
        (
            {"k": 1.5},
            ValueError,
            "k: got 1.5, wanted an integer of at least 1, or a fraction of the rows between 0 and 1",
        ),
        ({"k": "9"}, TypeError, "k: got '9', wanted an integer, or a fraction of the rows between 0 and 1"),
        (
            {"k": np.array([5])},
            TypeError,
            "k: got array([5]), wanted an integer, or a fraction of the rows between 0 and 1",
        ),
        ({"k": 2**70}, ValueError, "k: got 1180591620717411303424, wanted at most 2**63 - 1"),
        ({"k": True}, TypeError, "k: got True, wanted an integer, or a fraction of the rows between 0 and 1"),
        (
            {"alpha": 1.2},
            ValueError,
            "alpha: got 1.2, wanted a number from 0 (diversity only) to 1 (quality only)",
        ),
        (
            {"alpha": -0.1},
            ValueError,
            "alpha: got -0.1, wanted a number from 0 (diversity only) to 1 (quality only)",
        ),
        ({"alpha": np.nan}, ValueError, "alpha: got nan, wanted a finite number"),
        *(
            ({name: flag}, TypeError, f"{name}: got {flag!r}, wanted {kind}")
            for name, kind in {"alpha": "a number", "floor": "a number", "seed": "an integer"}.items()
            for flag in (True, np.True_, np.array(True))
        ),
        (
            {"k": np.True_},
            TypeError,
            "k: got np.True_, wanted an integer, or a fraction of the rows between 0 and 1",
        ),
        ({"alpha": "0.7"}, TypeError, "alpha: got '0.7', wanted a number"),
        ({"alpha": np.complex128(0.5)}, TypeError, "alpha: got np.complex128(0.5+0j), wanted a number"),
        ({"alpha": np.array([0.5])}, TypeError, "alpha: got array([0.5]), wanted a number"),
        ({"tau": 10**400}, ValueError, "tau: got inf, wanted a finite number"),
        ({"epsilon": 0.0}, ValueError, "epsilon: got 0.0, wanted a number between 0 and 1, both excluded"),
        ({"epsilon": 1.0}, ValueError, "epsilon: got 1.0, wanted a number between 0 and 1, both excluded"),
        ({"epsilon": np.nan}, ValueError, "epsilon: got nan, wanted a finite number"),
        ({"seed": -1}, ValueError, "seed: got -1, wanted at least 0"),
        ({"seed": 0.5}, TypeError, "seed: got 0.5, wanted an integer"),
        ({"threads": 0}, ValueError, "threads: got 0, wanted at least 1"),
        ({"threads": 2**31}, ValueError, "threads: got 2147483648, wanted at most 2**31 - 1"),
        ({"device": 2**31}, ValueError, "device: got 2147483648, wanted at most 2**31 - 1"),
        ({"seed": 2**63}, ValueError, "seed: got 9223372036854775808, wanted at most 2**63 - 1"),
        ({"probes": 2**63}, ValueError, "probes: got 9223372036854775808, wanted at most 2**63 - 1"),
        (
            {"memory_budget": "99999999999999TB"},
            ValueError,
            "memory_budget: got 18446744073709551616, wanted at most 2**63 - 1",
        ),
        (
            {"memory_budget": "9" * 400},
            ValueError,
            "memory_budget: got 18446744073709551616, wanted at most 2**63 - 1",
        ),
        ({"threads": 1.0}, TypeError, "threads: got 1.0, wanted an integer"),
        (
            {"method": "lasy"},
            ValueError,
            "method: got 'lasy', wanted one of 'auto', 'exact', 'lazy', 'naive', 'stochastic', 'sparse', "
            "'quality', 'random', 'threshold', 'cluster', 'k_center', 'kmq', 'mig'; did you mean 'lazy'?",
        ),
        (
            {"backend": "gpu"},
            ValueError,
            "backend: got 'gpu', wanted one of 'auto', 'cpu', 'cuda', 'reference'; did you mean 'cpu'?",
        ),
        (
            {"precision": "half"},
            ValueError,
            "precision: got 'half', wanted one of 'auto', 'float16', 'split'",
        ),
        ({"device": -1}, ValueError, "device: got -1, wanted at least 0"),
        ({"device": "cuda:0"}, TypeError, "device: got 'cuda:0', wanted an integer"),
        (
            {"metric": "cosin"},
            ValueError,
            "metric: got 'cosin', wanted one of 'cosine', 'dot'; did you mean 'cosine'?",
        ),
        ({"zero_rows": None}, ValueError, "zero_rows: got None, wanted one of 'error', 'ignore'"),
        (
            {"gain_scale": "perk"},
            ValueError,
            "gain_scale: got 'perk', wanted one of 'sum', 'per_k', 'balanced'; did you mean 'per_k'?",
        ),
        (
            {"quality_scale": "z"},
            ValueError,
            "quality_scale: got 'z', wanted one of 'raw', 'minmax', 'zscore', 'rank'",
        ),
        ({"floor": np.inf}, ValueError, "floor: got inf, wanted a finite number"),
        (
            {"floor": 1.0000001},
            ValueError,
            "floor: got 1.0000001, wanted a similarity from -1 to 1, or None",
        ),
        (
            {"progress": "yes"},
            TypeError,
            "progress: got 'yes', wanted True, False, None or a callable that takes a Progress",
        ),
        (
            {"memory_budget": "2 GX"},
            ValueError,
            "memory_budget: got '2 GX', wanted bytes or a size such as '512MB' or '2GiB'",
        ),
        (
            {"memory_budget": 0},
            ValueError,
            "memory_budget: got 0 bytes, wanted at least 1, or None for the default",
        ),
        (
            {"memory_budget": 1000, "threads": 2},
            MemoryError,
            "memory_budget: got 1 kB, wanted at least 4 MB for this pool (beside the embeddings); "
            "raise the budget or select from fewer rows",
        ),
    ],
    ids=str,
)
def test_options(options, kind, text):
    refuse(kind, text, X, Q, **options)


@pytest.mark.parametrize(
    ("given", "kind", "text"),
    [
        ([3, 20], ValueError, "given: position 1 is row 20, wanted 0 to 19"),
        ([3, -1], ValueError, "given: position 1 is row -1, wanted 0 to 19"),
        ([3, 5, 7, 5], ValueError, "given: position 3 is row 5 again, it was at position 1; drop repeats"),
        ([0.0, 1.0], TypeError, "given: got dtype float64, wanted integer row numbers"),
        (
            np.ones(20, bool),
            TypeError,
            "given: got dtype bool, wanted integer row numbers; "
            "turn a mask into row numbers with numpy.flatnonzero(x)",
        ),
        ([[1, 2]], ValueError, "given: got shape (1, 2), wanted row numbers of 1 dimension"),
        (X[:2, :3].copy(), ValueError, "given: got rows of 3 dimensions, wanted 4 as in embeddings"),
        (
            changed(X[:3], (1, 2), np.nan),
            ValueError,
            "given: row 1 has nan in column 2; every value must be finite. Repair or remove the row.",
        ),
        (
            X[:, :4][::-1],
            ValueError,
            "given: got negative strides (-16, 4), wanted C-contiguous rows with strides (16, 4); "
            "make them so with numpy.ascontiguousarray(x)",
        ),
    ],
)
def test_given(given, kind, text):
    refuse(kind, text, X, Q, given=given)


def test_a_selection_is_its_rows():
    chosen = qdit.select(X, Q, k=5)
    rows = chosen.indices
    for options in ({}, {"floor": 0.0}):
        want = qdit.select(X, Q, k=4, given=rows, **options)
        assert qdit.select(X, Q, k=4, given=chosen, **options).indices.tolist() == want.indices.tolist()
    others = np.setdiff1d(np.arange(20), rows)[:3]
    assert qdit.objective(X, others, Q, given=chosen) == qdit.objective(X, others, Q, given=rows)
    assert qdit.coverage(X, others, given=chosen) == qdit.coverage(X, [*rows, *others])


@pytest.mark.parametrize(
    ("indices", "kind", "text"),
    [
        ([], ValueError, "indices: got no rows, wanted at least one"),
        ([2, 2], ValueError, "indices: position 1 is row 2 again, it was at position 0; drop repeats"),
        ([25], ValueError, "indices: position 0 is row 25, wanted 0 to 19"),
        ([1.5], TypeError, "indices: got dtype float64, wanted integer row numbers"),
    ],
)
@pytest.mark.parametrize("measure", [qdit.objective, qdit.coverage, qdit.row_coverage])
def test_indices_of_a_set(measure, indices, kind, text):
    options = {"alpha": 0} if measure is qdit.objective else {}
    with pytest.raises(kind) as caught:
        measure(X, indices, **options)
    assert str(caught.value) == text


def test_a_small_budget_says_what_is_enough():
    with pytest.raises(MemoryError) as caught:
        qdit.select(X, Q, k=3, memory_budget=10)
    needed = re.search(r"at least (\S+ \S+) for", str(caught.value))
    assert needed is not None
    value, unit = needed[1].split()
    # the text is rounded to three digits
    enough = f"{float(value) * 1.01}{unit}"
    assert len(qdit.select(X, Q, k=3, memory_budget=enough)) == 3


def test_threads_that_cannot_be_started(monkeypatch):
    def start(*_given, **_options):
        raise RuntimeError(os.strerror(errno.EAGAIN))

    monkeypatch.setattr(backend, "Engine", start)
    text = "threads: got 100000, more than may run here; pass fewer"
    refuse(RuntimeError, text, X, Q, threads=100_000, backend="cpu")
