"""Bounds on the gains before the first pick under a floor: never below a gain, and they change no pick."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import qdit
from qdit.selection.bounds import first_bounds
from qdit.selection.options import ObjectiveOptions
from qdit.selection.picks import UNKNOWN
from qdit.selection.problem import make_problem


def problem(rows, **changes):
    return make_problem(rows, ObjectiveOptions(**{"alpha": 0.0, "floor": 0.0, "backend": "cpu"} | changes))


def pool(n, d, shift, seed=0, dtype=np.float32):
    rng = np.random.default_rng(seed)
    return (rng.standard_normal((n, d)) + shift * rng.standard_normal(d)).astype(dtype)


@settings(deadline=None, max_examples=40)
@given(
    n=st.integers(40, 400),
    d=st.integers(1, 10),
    shift=st.floats(0, 3),
    floor=st.floats(-1, 1),
    metric=st.sampled_from(["cosine", "dot"]),
    seed=st.integers(0, 99),
)
def test_no_gain_is_above_its_bound(n, d, shift, floor, metric, seed):
    rows = pool(n, d, shift, seed)
    task = problem(rows, metric=metric, floor=floor)
    engine = task.engine(threads=2)
    bounds = first_bounds(task, engine)
    assert (engine.gains(np.arange(n)) <= bounds).all()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_bounds_are_tight_where_similarities_are_above_the_floor(dtype):
    rows = pool(3000, 24, 1.5, dtype=dtype)
    task = problem(rows)
    engine = task.engine(threads=1)
    gains = engine.gains(np.arange(3000))
    assert (first_bounds(task, engine) >= gains.max()).sum() < 300


def test_rows_of_zeros_are_left_out():
    rows = pool(300, 8, 1.0)
    rows[[4, 70]] = 0
    task = problem(rows, zero_rows="ignore")
    bounds = first_bounds(task, task.engine(threads=1))
    assert np.flatnonzero(bounds == UNKNOWN).tolist() == [4, 70]


@pytest.mark.parametrize("changes", [{"floor": None}, {"given": [3]}, {"given": np.ones((1, 8))}])
def test_none_where_they_would_not_pay(changes):
    task = problem(pool(300, 8, 1.0), **changes)
    assert first_bounds(task, task.engine(threads=1)) is None
    small = problem(pool(30, 8, 1.0))
    assert first_bounds(small, small.engine(threads=1)) is None


def test_none_on_a_device_whose_rows_may_not_be_in_cpu_memory():
    task = problem(pool(300, 8, 1.0))
    engine = task.engine(threads=1)
    assert first_bounds(task, engine) is not None
    assert first_bounds(replace(task, backend="cuda"), engine) is None


@pytest.mark.filterwarnings("ignore:alpha. diversity has hardly any weight")
@pytest.mark.parametrize("method", ["exact", "lazy"])
@pytest.mark.parametrize("floor", [-0.5, 0.0, 0.4, 1.0])
def test_the_picks_are_those_of_naive(method, floor):
    rows = pool(1500, 12, 1.0)
    quality = np.random.default_rng(1).random(1500)
    got = qdit.select(rows, quality, 0.5, 60, method=method, floor=floor)
    want = qdit.select(rows, quality, 0.5, 60, method="naive", floor=floor)
    assert got.indices.tolist() == want.indices.tolist()
    assert got.gains.tobytes() == want.gains.tobytes()


def test_they_save_half_of_the_products():
    rows = pool(4000, 16, 1.5)
    got = qdit.select(rows, alpha=0, k=50, method="exact", floor=0.0)
    assert got.stats["products"] < 0.8


def test_quotas_and_a_single_pick():
    rows = pool(500, 8, 1.0)
    options = {"floor": 0.0, "groups": np.arange(500) % 2, "quota": 1}
    got = qdit.select(rows, alpha=0, k=2, method="exact", **options)
    assert got.indices.tolist() == qdit.select(rows, alpha=0, k=2, method="naive", **options).indices.tolist()
    one = qdit.select(rows, alpha=0, k=1, method="exact", floor=0.0)
    assert one.indices.tolist() == qdit.select(rows, alpha=0, k=1, method="naive", floor=0.0).indices.tolist()
