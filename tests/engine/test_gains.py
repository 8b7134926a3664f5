"""Gains, commits and coverage of every backend against float64."""

import numpy as np
import pytest

from helpers import oracle
from helpers.oracle import clustered_rows, integer_rows, stored

DIMENSIONS = [1, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 64, 255, 256, 257, 384, 511, 513, 768, 1000]
POOL_SIZES = [*range(1, 41), 63, 64, 65, 127, 128, 129, 1000, 1003]
DTYPES = ["float16", "bfloat16", "float32", "float64"]
STARTS = {
    "nothing": {},
    "floor 0": {"floor": 0.0},
    "floor -1": {"floor": -1.0},
    "floor 0.3": {"floor": 0.3},
    "outside": {"outside": 3},
    "outside over floor": {"outside": 2, "floor": 0.3},
}


def pair_error(variant, engine, largest=1.0, dtype="float16"):
    """Return how far a fixed-point similarity may be from its float64 value."""
    return 0.5 / engine.scale + largest * variant.pair_error(engine.d, dtype)


def check_exactly(engine, rows, candidates):
    """Compare gains, commits and coverage of integer rows under "dot" with the definition, bit by bit."""
    sims = oracle.similarity(rows, metric="dot")
    best = None
    for step in range(3):
        want = oracle.gains_over(sims[candidates], best)
        np.testing.assert_array_equal(engine.gains(candidates) / engine.scale, want)
        pick = candidates[step * 7 % len(candidates)]
        np.testing.assert_array_equal(
            engine.commit(np.array([pick])) / engine.scale, oracle.gains_over(sims[[pick]], best)
        )
        best = oracle.raise_maximum(best, [sims[pick]])
        np.testing.assert_array_equal(engine.row_coverage(), best)
        assert engine.coverage() / engine.scale == best.sum()


@pytest.mark.parametrize("d", DIMENSIONS)
def test_integer_rows_are_exact_at_every_dimension(variant, d):
    rows = integer_rows(37, d, seed=d)
    check_exactly(variant.engine(rows, metric="dot"), rows, np.arange(37))


@pytest.mark.parametrize("n", POOL_SIZES)
def test_integer_rows_are_exact_at_every_pool_size(variant, n):
    rows = integer_rows(n, 17, seed=n)
    candidates = np.arange(n) if n < 100 else np.r_[0, 1, n // 2, n - 2, n - 1]
    check_exactly(variant.engine(rows, metric="dot"), rows, candidates)


@pytest.mark.parametrize("dtype", DTYPES)
def test_integer_rows_are_exact_in_every_storage_type(variant, dtype):
    rows = integer_rows(70, 33, seed=2, dtype=dtype)
    check_exactly(variant.engine(rows, metric="dot"), rows, np.arange(70))


@pytest.mark.parametrize("metric", ["cosine", "dot"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("d", [1, 33, 384])
def test_gains_agree_with_float64(variant, dtype, metric, d):
    rng = np.random.default_rng(d)
    rows = clustered_rows(150, d, seed=d, dtype=dtype)
    if dtype in ("float32", "float64"):  # use all the bits that the type has
        rows = (rows * rng.uniform(0.9, 1.1, size=rows.shape)).astype(dtype)
    engine = variant.engine(rows, metric=metric)
    as_read = rows.astype(np.float32) if dtype == "float64" and variant.backend != "reference" else rows
    unit = oracle.unit_rows(as_read, metric)
    sims = unit @ unit.T
    best = None
    for pick in (140, 3, 77):
        # A pair adds max(0, s - m): two similarities, each with its own error.
        allowed = 150 * 2 * pair_error(variant, engine, float(np.diag(sims).max()), dtype)
        error = np.abs(engine.gains(np.arange(150)) / engine.scale - oracle.gains_over(sims, best))
        assert error.max() <= allowed
        engine.commit(np.array([pick]))
        best = oracle.raise_maximum(best, [sims[pick]])
        assert np.abs(engine.row_coverage() - best).max() <= allowed / 300


@pytest.mark.parametrize("start", STARTS)
def test_commit_raises_the_coverage_by_the_gain(variant, start):
    options = dict(STARTS[start])
    if "outside" in options:
        options["outside"] = clustered_rows(options["outside"], 24, seed=9)
    engine = variant.engine(clustered_rows(90, 24, seed=1), **options)
    engine.reset(np.array([5, 60]) if start == "floor 0" else None)
    everyone = np.arange(90)
    for pick in (17, 3, 17, 89, 0):
        before, gains = engine.coverage(), engine.gains(everyone)
        increase = engine.commit(np.array([pick]))
        if before == 0 and start == "nothing":
            # The first gain is one product with the sum of all rows, not a sum of n rounded similarities.
            assert abs(int(increase[0] - gains[pick])) <= 90 * pair_error(variant, engine) * engine.scale
        else:
            assert increase.tolist() == [gains[pick]]
        assert engine.coverage() == before + increase[0]
        assert engine.coverage() == sum(np.rint(engine.row_coverage() * engine.scale).astype(int).tolist())
    assert engine.commit(np.array([17])).tolist() == [0]


def test_commit_in_one_call_equals_commits_one_by_one(variant):
    rows = clustered_rows(80, 20, seed=4)
    order = np.array([7, 70, 7, 12, 0, 41])
    together, single = variant.engine(rows), variant.engine(rows)
    increases = together.commit(order)
    assert increases.tolist() == [int(single.commit(order[i : i + 1])[0]) for i in range(len(order))]
    assert increases[2] == 0
    np.testing.assert_array_equal(together.row_coverage(), single.row_coverage())


@pytest.mark.parametrize("start", STARTS)
def test_reset_starts_from_the_given_maximum(variant, start):
    rows = clustered_rows(60, 20, seed=8)
    options = dict(STARTS[start])
    if "outside" in options:
        options["outside"] = clustered_rows(options["outside"], 20, seed=9)
    engine = variant.engine(rows, **options)
    for given in ([], [3], [50, 3, 59], []):
        engine.reset(np.array(given, np.int64))
        want = oracle.start_maximum(rows, given=given, **options)
        want = np.zeros(60) if want is None else want
        assert np.abs(engine.row_coverage() - want).max() <= pair_error(variant, engine)
        assert engine.coverage() == np.rint(engine.row_coverage() * engine.scale).sum()


def test_outside_rows_longer_than_the_pool_stay_exact(variant):
    """Under "dot" the fixed-point range must hold products with outside rows too."""
    rows = integer_rows(40, 9, seed=1)
    outside = integer_rows(3, 9, seed=2, low=-300, high=300)
    engine = variant.engine(rows, metric="dot", outside=outside)
    engine.reset()
    want = oracle.similarity(outside, rows, metric="dot").max(axis=0)
    np.testing.assert_array_equal(engine.row_coverage(), want)
    np.testing.assert_array_equal(
        engine.gains(np.arange(40)) / engine.scale,
        oracle.gains_over(oracle.similarity(rows, metric="dot"), want),
    )


def test_candidates_come_in_any_order_and_number(variant):
    rows = integer_rows(50, 12, seed=3)
    engine = variant.engine(rows, metric="dot", batch=4)
    engine.commit(np.array([20]))
    want = engine.gains(np.arange(50))
    for candidates in ([], [49], [3, 3, 3], list(range(49, -1, -1)), [0, 49] * 40):
        assert engine.gains(np.array(candidates, np.int64)).tolist() == want[candidates].tolist()


@pytest.mark.parametrize("bad", [-1, 50, 2**40])
def test_rows_outside_the_pool_are_refused(variant, bad):
    engine = variant.engine(integer_rows(50, 12, seed=3), metric="dot")
    calls = (engine.gains, engine.commit, engine.reset)
    for call in calls:
        with pytest.raises(ValueError, match=rf"position 1 is row {bad}, wanted 0 \.\. 49"):
            call(np.array([0, bad]))
    engine.reset()
    assert engine.coverage() == 0


@pytest.mark.parametrize("d", [4, 64])  # norms that are powers of two: cosines of exactly 1 and -1
def test_opposite_rows_have_negative_gains_only_at_the_start(variant, d):
    """Unclipped similarities: a first gain may be negative, and m starts below zero then."""
    rows = np.vstack([np.ones((1, d)), -np.ones((9, d))]).astype(np.float32)
    engine = variant.engine(rows)
    assert (engine.gains(np.array([0, 1])) / engine.scale).tolist() == [-8.0, 8.0]
    assert (engine.commit(np.array([0])) / engine.scale).tolist() == [-8.0]
    assert engine.row_coverage().tolist() == [1.0] + [-1.0] * 9
    assert (engine.gains(np.array([0, 1])) / engine.scale).tolist() == [0.0, 18.0]


def test_scale_is_a_power_of_two_that_the_largest_similarity_fits(variant):
    for rows in (integer_rows(9, 5, seed=1), integer_rows(9, 5, seed=1) * 1000):
        for metric in ("cosine", "dot"):
            engine = variant.engine(rows, metric=metric)
            mantissa, _ = np.frexp(engine.scale)
            assert mantissa == 0.5
            largest = oracle.similarity(rows, metric=metric).max()
            assert engine.scale * largest <= 2**36 * (1 + 1e-9)
    assert variant.engine(stored(np.ones((2, 2)), "float32")).scale >= 2**26
