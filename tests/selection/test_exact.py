"""Exact greedy on integer rows: picks and gains equal the oracle's to the last bit, on every backend."""

import numpy as np
import pytest

from helpers.oracle import integer_rows, naive_greedy

# Dyadic weights and bonuses: scores are exact too, so that ties are ties in every arithmetic.
WEIGHT = 0.25
DTYPES = ["float16", "bfloat16", "float32", "float64"]


def dyadic_bonus(n, seed):
    return np.random.default_rng(seed).integers(-400, 400, size=n) / 8


def check(variant, method, rows, k, **options):
    """Select with the engine and with the oracle, compare exactly, return the picks."""
    engine_only = {name: options.pop(name) for name in ("threads", "batch", "block_rows") if name in options}
    found = variant.select(rows, k, method, metric="dot", **options, **engine_only)
    picks, gains = naive_greedy(rows, k, metric="dot", **options)
    assert found.picks.tolist() == picks.tolist()
    np.testing.assert_array_equal(found.gains, gains)
    assert found.picks.dtype == found.fixed.dtype == np.int64
    return picks


@pytest.mark.parametrize("d", [1, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 64, 255, 257, 384, 768, 1000])
def test_every_dimension(variant, method, d):
    rows = integer_rows(48, d, seed=d)
    check(variant, method, rows, 12, weight=WEIGHT, bonus=dyadic_bonus(48, d))


@pytest.mark.parametrize("n", [*range(1, 21), 31, 32, 33, 63, 64, 65])
def test_every_row_of_the_pool_in_order(variant, method, n):
    """k = n: the whole pool is ordered, through all the zero gains at the end."""
    picks = check(variant, method, integer_rows(n, 6, seed=n), n)
    assert sorted(picks.tolist()) == list(range(n))


@pytest.mark.parametrize("n", [127, 128, 129, 1000])
def test_larger_pools(variant, method, n):
    k = 2 if variant.small else 12
    check(variant, method, integer_rows(n, 24, seed=n), k, weight=WEIGHT, bonus=dyadic_bonus(n, n))


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_storage_type(variant, method, dtype):
    check(variant, method, integer_rows(60, 40, seed=4, dtype=dtype), 25)


@pytest.mark.parametrize("floor", [None, 0.0, -1.0, -40.0, 12.0, 1000.0])
def test_every_floor(variant, method, floor):
    """A floor of 1000 is above every similarity: all gains are 0, and the order is that of the rows."""
    rows = integer_rows(50, 9, seed=5)
    rows[49] = 12  # a squared norm of 1296 lets every floor be a possible similarity
    if floor == 1000.0:
        rows[49] = 11  # 1089: above the floor still, so one row does gain
    check(variant, method, rows, 50, floor=floor)


@pytest.mark.parametrize("given", [[0], [49], [3, 17, 40], [40, 3, 17], list(range(0, 50, 2))])
@pytest.mark.parametrize("floor", [None, 2.0])
def test_given_rows_cover_and_are_not_picked(variant, method, given, floor):
    rows = integer_rows(50, 9, seed=6)
    picks = check(variant, method, rows, 50 - len(given), given=given, floor=floor)
    assert sorted([*picks.tolist(), *given]) == list(range(50))


@pytest.mark.parametrize("with_given", [False, True])
@pytest.mark.parametrize("dtype", ["float16", "float32", "bfloat16"])
def test_outside_rows_cover(variant, method, dtype, with_given):
    """Outside rows may come in another storage type than the pool, and be longer."""
    outside = integer_rows(4, 9, seed=8, low=-5, high=5, dtype=dtype)
    options = {"given": [7, 2]} if with_given else {}
    rows = integer_rows(50, 9, seed=7)
    check(variant, method, rows, 30, outside=outside, **options)


@pytest.mark.parametrize("excluded", [[], [0], list(range(10, 49)), [48, 3, 3, 48], list(range(1, 50))])
def test_excluded_rows_still_want_cover_but_are_not_picked(variant, method, excluded):
    rows = integer_rows(50, 9, seed=9)
    k = 50 - len(set(excluded))
    picks = check(variant, method, rows, k, excluded=excluded)
    assert not set(picks.tolist()) & set(excluded)


def test_k_of_zero_selects_nothing(variant, method):
    check(variant, method, integer_rows(10, 4, seed=1), 0)


@pytest.mark.parametrize("rows", [np.ones((40, 8)), np.tile(integer_rows(8, 5, seed=3), (5, 1))])
def test_duplicates_and_ties_go_to_the_smaller_index(variant, method, rows):
    """All-equal rows, and each row five times: no row twice, zero gains in index order."""
    check(variant, method, rows.astype(np.float32), 40)
    check(variant, method, rows.astype(np.float32), 40, weight=WEIGHT, bonus=np.arange(40) % 4 / 2.0)


def test_one_row_of_one_number(variant, method):
    for value in (3.0, -3.0):
        rows = np.array([[value]], np.float32)
        check(variant, method, rows, 1)
        found = variant.select(rows, 1, method)
        assert found.picks.tolist() == [0]
        assert abs(found.gains[0] - 1.0) <= 4 * 2.0**-24  # a product and three roundings of float32


def test_weight_of_zero_is_the_order_of_the_bonus(variant, method):
    bonus = dyadic_bonus(50, 1)
    picks = check(variant, method, integer_rows(50, 9, seed=2), 50, weight=0.0, bonus=bonus)
    assert picks.tolist() == np.argsort(-bonus, kind="stable").tolist()


def test_a_first_gain_below_zero_does_not_mislead_the_second_pick(variant, method):
    """The gain of row 1 is -8 at first and 18 after row 0 is chosen: a bound from the start would hide it."""
    rows = np.vstack([np.ones((1, 4)), -np.ones((1, 4)), np.eye(4)[:3] * 3]).astype(np.float32)
    bonus = np.array([1024.0, 0.0, 0.0, 0.0, 0.0])
    picks = check(variant, method, rows, 5, bonus=bonus)
    assert picks[0] == 0


def test_negative_similarities_everywhere(variant, method):
    """A simplex: every pair of rows is at the same negative similarity."""
    rows = (np.eye(24) * 24 - 1).astype(np.float32)
    assert check(variant, method, rows, 24).tolist() == list(range(24))


@pytest.mark.parametrize("batch", [1, 2, 3, 5, 64, 1000])
@pytest.mark.parametrize("threads", [1, 3])
def test_every_batch_width(cpu, method, batch, threads):
    rows = integer_rows(130, 20, seed=11)
    check(cpu, method, rows, 60, batch=batch, threads=threads, block_rows=16, bonus=dyadic_bonus(130, 3))


def test_many_ties_at_once(variant, method):
    """Rows of two values in two columns: a handful of distinct rows, hundreds of equal scores."""
    rows = integer_rows(90, 2, seed=12, low=-1, high=1)
    check(variant, method, rows, 90)
    check(variant, method, rows, 90, weight=WEIGHT, bonus=np.random.default_rng(0).integers(0, 2, 90) / 4)


@pytest.mark.slow
def test_a_larger_pool_to_the_last_row(cpu, method):
    rows = integer_rows(1100, 32, seed=13)
    check(cpu, method, rows, 1100, threads=2, weight=WEIGHT, bonus=dyadic_bonus(1100, 13))
