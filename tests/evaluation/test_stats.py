"""Means, tails and intervals, against numbers worked out by hand and by another bootstrap."""

import math

import numpy as np
import pytest

from qdit.evaluation.stats import (
    NOTHING,
    Interval,
    bootstrap,
    mean_interval,
    ratio_interval,
    tail_interval,
    tail_mean,
    tail_size,
)


@pytest.mark.parametrize(
    ("n", "share", "want"),
    [
        (1, 0.1, 1),
        (5, 0.1, 1),
        (10, 0.1, 1),
        (11, 0.1, 2),
        (30, 0.1, 3),
        (100, 0.07, 7),
        (29, 0.4, 12),
        (4, 1, 4),
    ],
)
def test_tails_have_at_least_their_share_of_rows(n, share, want):
    assert tail_size(n, share) == want


def test_tail_means_by_hand():
    values = [3.0, -1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0, 5.0, 3.0, 5.0]  # 11: two rows are 10%
    assert tail_mean(values, 0.1) == (-1 + 1) / 2
    assert tail_mean(values, 0.1, worst=False) == (9 + 6) / 2
    assert tail_mean(values, 0.4, worst=False) == (9 + 6 + 5 + 5 + 5) / 5
    assert tail_mean(values, 1) == pytest.approx(np.mean(values))
    assert tail_mean([7.0, 2.0, 5.0], 0.1) == 2.0  # fewer than 10: the single worst
    assert tail_mean([4.0] * 12, 0.1) == 4.0


def test_no_values():
    assert math.isnan(tail_mean([], 0.1))
    for found in (mean_interval([]), tail_interval([], 0.1), ratio_interval([], [])):
        assert found is NOTHING
        assert found.n == 0
        assert math.isnan(found.mean)
        assert found.json() == {"mean": None, "low": None, "high": None, "n": 0}


def test_one_value_and_equal_values():
    assert mean_interval([2.5]) == Interval(2.5, 2.5, 2.5, 1)
    assert mean_interval([2.5] * 7) == Interval(2.5, 2.5, 2.5, 7)
    assert tail_interval([2.5] * 7, 0.1) == Interval(2.5, 2.5, 2.5, 7)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize(
    "statistic", [mean_interval, lambda v: tail_mean(v, 0.1), lambda v: tail_interval(v, 0.1)]
)
def test_numbers_that_are_none_are_refused(statistic, bad):
    with pytest.raises(ValueError, match=f"1 of 3 are not finite, the first is {bad} at 1; leave them out"):
        statistic([1.0, bad, 2.0])


def test_two_values_by_hand():
    """Of 0 and 1 the mean of a resample is 0, 0.5, 1 with shares 1/4, 1/2, 1/4."""
    assert mean_interval([0.0, 1.0], level=0.4) == Interval(0.5, 0.5, 0.5, 2)
    assert mean_interval([0.0, 1.0], level=0.95) == Interval(0.5, 0.0, 1.0, 2)
    # the worst of both is 1 with share 1/4
    assert tail_interval([0.0, 1.0], 0.1, level=0.4) == Interval(0.0, 0.0, 0.0, 2)
    assert tail_interval([0.0, 1.0], 0.1, worst=False, level=0.4) == Interval(1.0, 1.0, 1.0, 2)


def test_intervals_are_those_of_the_normal_law():
    values = np.random.default_rng(1).normal(3.0, 2.0, 400)
    found = mean_interval(values)
    error = values.std(ddof=1) / 20
    assert found.mean == values.mean()
    assert found.low == pytest.approx(values.mean() - 1.96 * error, abs=0.1 * error)
    assert found.high == pytest.approx(values.mean() + 1.96 * error, abs=0.1 * error)
    narrow = mean_interval(values, level=0.5)
    assert found.low < narrow.low < narrow.high < found.high


def test_tail_intervals_against_a_plain_loop():
    values = np.random.default_rng(2).exponential(size=57)
    random = np.random.default_rng(5)
    means = [np.sort(random.choice(values, 57))[:6].mean() for _ in range(4000)]
    found = tail_interval(values, 0.1)
    assert found.mean == pytest.approx(np.sort(values)[:6].mean())
    np.testing.assert_allclose([found.low, found.high], np.quantile(means, [0.025, 0.975]), rtol=0.1)
    assert found.n == 57


def test_the_seed_decides():
    values = np.arange(50.0)
    assert mean_interval(values) == mean_interval(values)
    assert mean_interval(values, seed=1) != mean_interval(values, seed=2)
    assert mean_interval(list(values)) == mean_interval(values)


def test_large_samples_are_drawn_in_blocks():
    values = np.random.default_rng(3).normal(size=30_000)
    found = mean_interval(values, draws=200)  # some 35 resamples at a time
    assert found.high - found.low == pytest.approx(2 * 1.96 / math.sqrt(30_000), rel=0.2)


def test_ratios_by_hand():
    assert ratio_interval([1, 2, 0], [2, 2, 2]) == mean_interval([0.5, 1.0, 0.0])
    found = ratio_interval([1.0, 0.0], [2.0, 1.0], level=0.4)  # 0, 1/3 or 1/2
    assert (found.mean, found.low, found.high) == (1 / 3, 1 / 3, 1 / 3)
    with pytest.raises(ValueError, match="wanted 2 numbers above 0"):
        ratio_interval([1.0, 0.0], [2.0, 0.0])
    with pytest.raises(ValueError, match="denominators"):
        ratio_interval([1.0, 0.0], [2.0])


def test_strata_are_resampled_by_themselves():
    values = np.array([0.0, 0.0, 10.0, 10.0, 10.0, 5.0])
    drawn = []
    bootstrap(6, lambda rows: drawn.append(rows) or values[rows].mean(1), draws=100, strata=[2, 3, 1])
    rows = np.concatenate(drawn)
    assert ((rows[:, :2] < 2) & (rows[:, :2] >= 0)).all()
    assert ((rows[:, 2:5] >= 2) & (rows[:, 2:5] < 5)).all()
    assert (rows[:, 5] == 5).all()
    assert len(np.unique(rows[:, 0])) == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"draws": 0}, "draws: got 0"),
        ({"level": 1.0}, "level: got 1.0"),
        ({"level": math.nan}, "level: got nan"),
        ({"seed": -1}, "seed: got -1"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        mean_interval([1.0, 2.0], **options)
    for share in (0, 1.1, math.nan):
        with pytest.raises(ValueError, match="share: got"):
            tail_mean([1.0], share)
    with pytest.raises(ValueError, match=r"values: got shape \(1, 2\), wanted \(n,\)"):
        mean_interval([[1.0, 2.0]])


def test_json_and_back():
    found = mean_interval([1.0, 2.0, 4.0])
    assert Interval.from_json(found.json()) == found
    empty = Interval.from_json(NOTHING.json())
    assert math.isnan(empty.low)
    for value in (None, 3, {"mean": 1}, {"mean": "x", "low": 1, "high": 1, "n": 1}):
        with pytest.raises(ValueError, match="wanted an object with mean, low, high and n"):
            Interval.from_json(value)
