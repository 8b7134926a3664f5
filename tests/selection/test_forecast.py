"""The forecast of a run: how many evaluations, how long."""

import time

import numpy as np
import pytest

import qdit
from qdit.selection.forecast import estimate, expected_evaluations
from qdit.selection.options import SelectOptions
from qdit.selection.run import prepare

X = np.random.default_rng(3).standard_normal((2000, 64)).astype(np.float32)


def job(method, k, alpha=0.0):
    options = SelectOptions(quality=np.ones(len(X)), alpha=alpha, k=k, method=method, threads=1)
    return prepare(X, options)


def test_evaluations_of_methods_that_can_be_counted():
    naive = job("naive", 50)
    assert expected_evaluations(naive.plan, naive.problem) == sum(2000 - t for t in range(50))
    counted = qdit.select(X, alpha=0, k=50, method="naive").stats["evaluations"]
    assert counted == sum(2000 - t for t in range(50))
    stochastic = job("stochastic", 50)
    assert expected_evaluations(stochastic.plan, stochastic.problem) == 50 * 185  # ceil(2000 / 50 * ln 100)
    exact = job("exact", 50)
    assert expected_evaluations(exact.plan, exact.problem) == 0.65 * 2000
    best = job("lazy", 50, alpha=1.0)
    assert expected_evaluations(best.plan, best.problem) == 0


def test_a_lazy_run_is_never_more_than_a_naive_one():
    for k in (1, 2, 3, 500):
        lazy, naive = job("lazy", k), job("naive", k)
        most = expected_evaluations(naive.plan, naive.problem)
        assert expected_evaluations(lazy.plan, lazy.problem) <= most


@pytest.mark.parametrize("method", ["exact", "lazy", "naive", "stochastic"])
def test_a_calibration_is_short_and_finite(method):
    start = time.perf_counter()
    found = estimate(job(method, 100))
    assert time.perf_counter() - start < 5
    assert 0 < found.seconds_per_evaluation < 1
    assert 0 < found.seconds_per_pick < 1
    assert found.seconds == pytest.approx(
        found.evaluations * found.seconds_per_evaluation
        + (0 if method == "exact" else 100) * found.seconds_per_pick
    )
    assert found.memory_needed > 2000 * 64
