"""What a row may be: refused rows are named, and extreme but legal ones are counted right."""

import numpy as np
import pytest

from helpers import oracle
from helpers.oracle import clustered_rows, integer_rows, stored

DTYPES = ["float16", "bfloat16", "float32", "float64"]


def pool(dtype, n=40, d=19):
    return clustered_rows(n, d, seed=3, dtype=dtype)


def with_value(rows, row, column, value):
    rows = rows.copy()
    rows[row, column] = stored([value], "bfloat16")[0] if rows.dtype == np.uint16 else value
    return rows


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("value", "text"), [(np.nan, "nan"), (np.inf, "inf"), (-np.inf, "-inf")])
def test_a_value_that_is_not_finite_is_named(variant, dtype, value, text):
    for row, column in ((0, 0), (39, 18), (17, 5)):
        with pytest.raises(ValueError, match=rf"row {row} has {text} in column {column}\b"):
            variant.engine(with_value(pool(dtype), row, column, value))
        with pytest.raises(ValueError, match=rf"row {row} has {text} in column {column}\b"):
            variant.engine(with_value(pool(dtype), row, column, value), metric="dot")


@pytest.mark.parametrize("d", [1, 7, 8, 16, 17, 32, 33])
def test_a_nan_is_found_in_every_column(variant, d):
    for column in range(d):
        with pytest.raises(ValueError, match=rf"row 2 has nan in column {column}\b"):
            variant.engine(with_value(pool("float16", 5, d), 2, column, np.nan))


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
def test_the_first_bad_row_is_named_whatever_thread_finds_one_first(variant, threads):
    rows = pool("float32", n=3000)
    rows[[2999, 1500, 411]] = np.nan
    rows[[2000, 600]] = 0.0
    with pytest.raises(ValueError, match=r"row 411 has nan in column 0\b"):
        variant.engine(rows, threads=threads)
    rows[37] = 0.0
    with pytest.raises(ValueError, match="row 37 is all zeros"):
        variant.engine(rows, threads=threads)
    with pytest.raises(ValueError, match=r"row 411 has nan in column 0\b"):
        variant.engine(rows, threads=threads, zero_rows="ignore")


def test_bad_outside_rows_are_named_as_such(variant):
    outside = pool("float32", n=5)
    outside[3, 2] = np.nan
    with pytest.raises(ValueError, match=r"(outside|given).*row 3 has nan in column 2"):
        variant.engine(pool("float32"), outside=outside)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("zero", [0.0, -0.0])
def test_zero_rows_are_refused_under_cosine_only(variant, dtype, zero):
    rows = with_value(pool(dtype), 12, slice(None), zero)
    with pytest.raises(ValueError, match=r'row 12 is all zeros.*zero_rows="ignore"'):
        variant.engine(rows)
    engine = variant.engine(rows, metric="dot")
    assert engine.ignored.tolist() == []
    assert engine.gains(np.array([12])).tolist() == [0]


def test_ignored_zero_rows_change_nothing_for_the_others(variant, method):
    rows = pool("float32", n=60)
    zeros = [0, 13, 14, 59]
    others = np.setdiff1d(np.arange(60), zeros)
    with_zeros = rows.copy()
    with_zeros[zeros] = 0.0
    engine = variant.engine(with_zeros, zero_rows="ignore")
    assert engine.ignored.tolist() == zeros
    found = variant.run(engine, 56, method)
    want = variant.select(rows[others], 56, method)
    assert found.picks.tolist() == others[want.picks].tolist()
    assert found.fixed.tolist() == want.fixed.tolist()
    with pytest.raises(ValueError, match="56 rows that can be picked"):
        variant.run(engine, 57, method)


@pytest.mark.parametrize("floor", [None, -1.0, 0.3])
def test_ignored_zero_rows_with_a_floor_are_never_picked(variant, any_method, floor):
    rows = pool("float16", n=40)
    rows[::4] = 0.0
    found = variant.select(rows, 30, any_method, floor=floor, zero_rows="ignore")
    assert sorted(found.picks.tolist()) == [i for i in range(40) if i % 4]


@pytest.mark.parametrize("floor", [None, -1.0])
def test_ignored_zero_rows_cover_nothing(variant, method, floor):
    """Given or from outside, a row without a direction must not lift the running maximum to 0."""
    rows = -np.abs(pool("float32")) * np.where(np.arange(40) < 20, 1, -1)[:, None].astype(np.float32)
    rows[13] = 0.0
    outside = np.vstack([np.zeros(19), rows[30]]).astype(np.float32)
    options = {"zero_rows": "ignore", "floor": floor}
    want = variant.select(rows, 20, method, outside=outside[1:], excluded=[13], **options)
    for handed_in in ({"outside": outside, "excluded": [13]}, {"outside": outside[1:], "given": [13]}):
        assert variant.select(rows, 20, method, **handed_in, **options).bits() == want.bits()


def test_subnormal_float16_values_count_in_full(variant):
    """Whole multiples of 2^-24, the step below the normal range: a power of four apart from whole numbers."""
    whole = integer_rows(40, 21, seed=5, low=-800, high=800)
    rows = (whole * 2.0**-24).astype(np.float16)
    assert np.all(np.abs(rows) < np.finfo(np.float16).smallest_normal)
    found = variant.select(rows, 40, metric="dot")
    assert found.bits() == variant.select(whole, 40, metric="dot").bits()
    picks, gains = oracle.naive_greedy(whole, 40, metric="dot")
    assert found.picks.tolist() == picks.tolist()
    np.testing.assert_array_equal(found.gains * 2.0**48, gains)


@pytest.mark.parametrize("value", [2.0**-24, 2.0**-14, 2048.0, 2.0**15])
def test_cosine_of_every_magnitude_of_float16_has_the_same_bits(variant, value):
    rows = integer_rows(33, 64, seed=6, low=-1, high=1)
    scaled = (rows * value).astype(np.float16)
    assert variant.select(scaled, 20).bits() == variant.select(rows, 20).bits()


def test_the_largest_float16_does_not_overflow(variant, method):
    rows = np.where(integer_rows(33, 1000, seed=6) > 0, 65504.0, -65504.0).astype(np.float16)
    for metric in ("cosine", "dot"):
        found = variant.select(rows, 20, method, metric=metric)
        oracle.replay(rows, found.picks, k=20, metric=metric, gains=found.gains, rtol=variant.rtol)


@pytest.mark.parametrize("exponent", [-34, -20, 20, 34])
def test_cosine_ignores_a_power_of_two_on_each_row(variant, method, exponent):
    """Scaling by powers of two is exact in float32, so the picks and gains keep their bits."""
    rows = clustered_rows(70, 24, seed=7, dtype="float32")
    factors = np.ldexp(1.0, np.random.default_rng(1).integers(min(exponent, 0), max(exponent, 0), 70))
    scaled = (rows * factors[:, None]).astype(np.float32)
    assert np.array_equal(scaled / factors[:, None], rows)
    assert variant.select(scaled, 30, method).bits() == variant.select(rows, 30, method).bits()


@pytest.mark.parametrize("factor", [1e-20, 1e20])
def test_norms_beyond_safe_products_are_refused_with_the_row(variant, factor):
    rows = pool("float32")
    rows[7] *= np.float32(factor)
    with pytest.raises(ValueError, match="row 7 has the norm"):
        variant.engine(rows)


@pytest.mark.parametrize("factor", [1e-15, 1e-17, 1e-30, 1e-60])
def test_dot_of_rows_all_too_short_is_refused(variant, factor):
    with pytest.raises(ValueError, match=r"has the norm .*, outside of 1e-12 .. 1e\+12"):
        variant.engine(pool("float64") * factor, metric="dot")
    variant.engine(np.zeros((4, 3)), metric="dot")  # similar to nothing, as they are


@pytest.mark.parametrize("factor", [2.0**-36, 2.0**30])
def test_dot_picks_the_same_whatever_the_unit(variant, method, factor):
    rows = pool("float32")
    want, got = (
        variant.run(variant.engine(x, metric="dot"), 12, method) for x in (rows, rows * np.float32(factor))
    )
    assert got.picks.tolist() == want.picks.tolist()
    assert (got.gains / factor**2).tolist() == want.gains.tolist()


def test_float64_beyond_float32_is_refused_not_clipped(variant):
    rows = pool("float64")
    rows[9, 4] = 1e39
    with pytest.raises(ValueError, match=r"row 9 has 1e\+39 in column 4"):
        variant.engine(rows)


@pytest.mark.parametrize("spread", [1e-3, 1e3])
def test_dot_with_norms_of_many_sizes_replays(variant, method, spread):
    """Long rows set the fixed-point step; what it rounds away is allowed for, and nothing else."""
    rng = np.random.default_rng(8)
    rows = clustered_rows(120, 24, seed=8, dtype="float32")
    rows *= (spread ** rng.uniform(0, 1, size=(120, 1))).astype(np.float32)
    engine = variant.engine(rows, metric="dot")
    found = variant.run(engine, 40, method)
    largest = float((oracle.as_float64(rows) ** 2).sum(axis=1).max())
    # Half a step of the fixed point, and three roundings of float32 relative to the longest row.
    error = 0.5 / engine.scale + max(3 * 2.0**-24, variant.pair_error(24, "float32")) * largest
    oracle.replay(
        rows,
        found.picks,
        k=40,
        metric="dot",
        rtol=0.0,
        pair_error=error,
        gains=found.gains,
        gains_rtol=0.0,
        gains_pair_error=error,
    )
