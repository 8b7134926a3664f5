"""Exact greedy on real-valued rows, judged by the replay certificate, and lazy against naive."""

import numpy as np
import pytest

from conftest import dtype_name
from helpers.oracle import FLOAT32_PAIR, clustered_rows, replay

DTYPES = ["float16", "bfloat16", "float32", "float64"]
QUALITY = np.random.default_rng(20).normal(-2.3, 0.7, size=1500)
STARTS = {
    "nothing": {},
    "floor 0": {"floor": 0.0},
    "floor -1": {"floor": -1.0},
    "floor 0.3": {"floor": 0.3},
    "given": {"given": [3, 400, 77]},
    "given over floor": {"given": [3], "floor": 0.3},
    "outside": {"outside": clustered_rows(5, 48, seed=21)},
    "outside and given": {"outside": clustered_rows(5, 48, seed=21), "given": [0]},
    "excluded": {"excluded": list(range(0, 500, 3))},
}


def size_for(variant, method="lazy"):
    """Return (n, k): plain loops, and evaluating everything at every step, get a smaller pool."""
    if variant.small:
        return 120, 30
    return (500, 120) if method == "lazy" else (250, 40)


def certify(variant, method, rows, k, alpha, quality, **options):
    """Select and replay at the variant's tolerance; the gains are held to what its similarities can tell."""
    bonus = alpha * quality.astype(np.float64)
    found = variant.select(rows, k, method, weight=1 - alpha, bonus=bonus, **options)
    pair = max(FLOAT32_PAIR, variant.pair_error(rows.shape[1], dtype_name(rows)))
    tolerances = {"rtol": variant.rtol, "gains_rtol": variant.rtol, "gains_pair_error": pair}
    replay(rows, found.picks, quality, alpha, k=k, gains=found.gains, **tolerances, **options)
    return found


@pytest.mark.parametrize("alpha", [0.0, 0.3, 0.7, 0.95, 1.0])
@pytest.mark.parametrize("dtype", DTYPES)
def test_clustered_rows_replay(variant, method, dtype, alpha):
    n, k = size_for(variant, method)
    certify(variant, method, clustered_rows(n, 48, seed=22, dtype=dtype), k, alpha, QUALITY[:n])


@pytest.mark.parametrize("start", STARTS)
def test_every_start_replays(variant, method, start):
    n, k = size_for(variant, method)
    options = dict(STARTS[start])
    for name in ("given", "excluded"):
        if name in options:
            options[name] = [row for row in options[name] if row < n]
    certify(variant, method, clustered_rows(n, 48, seed=23), k, 0.5, QUALITY[:n], **options)


@pytest.mark.parametrize("d", [1, 2, 5, 257, 768])
def test_dimensions_replay(variant, method, d):
    n, k = size_for(variant, method)
    n, k = min(n, 300), min(k, 60)
    certify(variant, method, clustered_rows(n, d, seed=d), k, 0.6, QUALITY[:n])


def test_lazy_equals_naive_to_the_last_bit(variant):
    n, k = size_for(variant, "naive")
    rows = clustered_rows(n, 40, seed=24, dtype="float32")
    for options in (
        {},
        {"weight": 0.4, "bonus": QUALITY[:n]},
        {"floor": 0.1},
        {"given": [1, 5]},
        {"metric": "dot"},
    ):
        lazy, naive = (variant.select(rows, k, method, **options) for method in ("lazy", "naive"))
        assert lazy.bits() == naive.bits()


def test_lazy_equals_naive_to_the_last_row_with_duplicates(variant):
    """Every row three times: the last two thirds of the gains are zero or rounding."""
    rows = np.tile(clustered_rows(40, 17, seed=25), (3, 1))
    lazy, naive = (variant.select(rows, 120, method) for method in ("lazy", "naive"))
    assert lazy.bits() == naive.bits()
    assert sorted(lazy.picks.tolist()) == list(range(120))
    # Equal rows have equal similarities bit by bit, so a duplicate adds exactly nothing.
    assert lazy.fixed[40:].tolist() == [0] * 80
    assert lazy.picks[40:].tolist() == sorted(lazy.picks[40:].tolist())


def test_near_duplicates_replay_within_the_resolution(variant, method):
    """Rows a few float16 steps apart: late gains sink below what float32 can tell."""
    n = 120
    rows = np.repeat(clustered_rows(n // 4, 24, seed=26), 4, axis=0)
    rows = (rows * (1 + np.random.default_rng(0).integers(-1, 2, rows.shape) * 2.0**-10)).astype(np.float16)
    found = variant.select(rows, n, method)
    pair = max(FLOAT32_PAIR, variant.pair_error(24))
    errors = {"rtol": 0.0, "pair_error": pair, "gains_rtol": 0.0, "gains_pair_error": pair}
    replay(rows, found.picks, k=n, gains=found.gains, **errors)


def test_lazy_evaluates_far_less_than_naive(cpu):
    rows = clustered_rows(1500, 48, seed=27)
    engine = cpu.engine(rows)
    cpu.run(engine, 300, "lazy")
    # naive would need about 300 * 1500; plain lazy greedy about 4 n (design: 4.3 n over the first 200 picks).
    assert engine.stats()["evaluations"] < 20 * 1500
