"""Winning scores, rates and tails over categories, against counts made by hand."""

import math

import numpy as np
import pytest

from helpers.evaluation_files import question
from qdit.evaluation.judge.pairwise import Tally, comparison_values, merge_orders
from qdit.evaluation.sets import groups

W, T, L = 1, 0, -1
OPTIONS = {"draws": 500}


@pytest.mark.parametrize(
    ("first", "second", "want"),
    [
        (W, W, W),
        (W, T, W),
        (T, W, W),
        (W, L, T),
        (L, W, T),
        (T, T, T),
        (L, T, L),
        (T, L, L),
        (L, L, L),
        (None, W, None),
        (L, None, None),
        (None, None, None),
    ],
)
def test_both_orders_of_a_question(first, second, want):
    assert merge_orders(first, second) == want


def test_winning_score_by_hand():
    tally = Tally.of([(W, W), (W, T), (L, T), (W, L)])
    assert tally.counts() == {"won": 4, "tied": 2, "lost": 2, "null": 0}
    assert tally.winning_score(**OPTIONS).mean == (4 - 2) / 8 + 1
    assert tally.win_rate(**OPTIONS).mean == 0.5
    assert tally.lose_rate(**OPTIONS).mean == 0.25
    merged = Tally.of([(W, W), (W, T), (L, T), (W, L)], count="questions")
    assert merged.counts() == {"won": 2, "tied": 1, "lost": 1, "null": 0}
    assert merged.winning_score(**OPTIONS).mean == (2 - 1) / 4 + 1
    assert merged.winning_score(**OPTIONS).n == 4


def test_extremes():
    assert Tally.of([(W, W)] * 3).winning_score(**OPTIONS).mean == 2.0
    assert Tally.of([(L, L)] * 3).winning_score(**OPTIONS).mean == 0.0
    for outcomes in ([(T, T)] * 3, [(W, L)] * 3):
        assert Tally.of(outcomes).winning_score(**OPTIONS).mean == 1.0


def test_nulls_are_counted_and_are_no_ties():
    outcomes = [(W, None), (None, None), (L, W), (W, W)]
    tally = Tally.of(outcomes)
    assert tally.counts() == {"won": 4, "tied": 0, "lost": 1, "null": 3}
    found = tally.winning_score(**OPTIONS)
    assert (found.mean, found.n) == ((4 - 1) / 5 + 1, 3)  # the question without a verdict is none
    merged = Tally.of(outcomes, count="questions")
    assert merged.counts() == {"won": 1, "tied": 1, "lost": 0, "null": 2}
    assert merged.winning_score(**OPTIONS).mean == 1.5


def test_nothing_but_nulls():
    for tally in (Tally.of([(None, None)] * 3, ["a"] * 3), Tally.of([])):
        for found in (tally.winning_score(), tally.win_rate(), tally.worst_lose_rate().rate):
            assert found.n == 0
            assert math.isnan(found.mean)
        assert tally.best_win_rate().categories == ()


def test_intervals_resample_questions_with_both_their_orders():
    tally = Tally.of([(W, W), (L, L)])
    found = tally.winning_score(level=0.4)
    assert (found.mean, found.low, found.high) == (1.0, 1.0, 1.0)
    found = tally.winning_score(level=0.95)
    assert (found.low, found.high) == (0.0, 2.0)
    mixed = Tally.of([(W, L)] * 2).winning_score()
    assert (mixed.low, mixed.high) == (1.0, 1.0)


# winning scores: a 2, b 1.25, c 1, d 1 (both of them), e 0.5
OUTCOMES = [(W, W), (W, W), (W, T), (T, T), (W, L), (T, T), (L, L), (L, W)]
CATEGORIES = ["a", "a", "b", "b", "c", "d", "e", "e"]


def test_tails_over_categories_by_hand():
    tally = Tally.of(OUTCOMES, CATEGORIES)
    worst = tally.worst_lose_rate(0.4, **OPTIONS)
    assert worst.categories == ("e", "c")  # of equal scores c, with more losses, goes before d
    assert worst.rate.mean == (3 / 4 + 1 / 2) / 2
    assert worst.rate.n == 3
    best = tally.best_win_rate(0.4, **OPTIONS)
    assert best.categories == ("a", "b")
    assert best.rate.mean == (1 + 1 / 4) / 2
    assert tally.worst_lose_rate(0.5, **OPTIONS).categories == ("e", "c", "d")  # ceil of 2.5
    assert tally.best_win_rate(0.5, **OPTIONS).categories == ("a", "b", "c")
    assert tally.worst_lose_rate(1.0, **OPTIONS).rate.mean == (3 / 4 + 1 / 2 + 0 + 0 + 0) / 5


def test_categories_count_once_whatever_their_size():
    outcomes = [(L, L)] * 9 + [(W, W)] + [(L, L), (W, W)] + [(W, W)] * 5
    tally = Tally.of(outcomes, ["big"] * 10 + ["small"] * 2 + ["good"] * 5)
    worst = tally.worst_lose_rate(0.4, **OPTIONS)
    assert worst.categories == ("big", "small")
    assert worst.rate.mean == pytest.approx((0.9 + 0.5) / 2)


def test_one_category_and_none():
    one = Tally.of([(W, L), (L, L)], ["a", "a"])
    assert one.worst_lose_rate(**OPTIONS).rate.mean == 0.75
    assert one.best_win_rate(**OPTIONS).rate.mean == 0.25
    assert one.worst_lose_rate(**OPTIONS).categories == ("a",)
    assert Tally.of([(W, L)]).worst_lose_rate().categories == ()


def test_questions_and_categories_without_a_verdict_are_in_no_tail():
    tally = Tally.of([(W, W), (None, None), (None, None), (L, None)], ["a", "a", "b", "c"])
    worst = tally.worst_lose_rate(0.4, **OPTIONS)
    assert worst.categories == ("c",)
    assert worst.rate.mean == 1.0


def test_tail_intervals_stay_within_their_categories():
    """Resampled within e (3/4 lost: 1/2, 3/4 or 1) and c (1/2, always)."""
    found = Tally.of(OUTCOMES, CATEGORIES).worst_lose_rate(0.4, level=0.95).rate
    assert (found.low, found.high) == ((0.5 + 0.5) / 2, (1 + 0.5) / 2)


def test_wrong_categories():
    with pytest.raises(ValueError, match="categories: got 1, wanted 2, one for each question"):
        Tally.of([(W, W)] * 2, ["a"])
    with pytest.raises(ValueError, match="count: got 'rows', wanted one of 'orders', 'questions'"):
        Tally.of([(W, W)], count="rows")
    with pytest.raises(ValueError, match=r"share: got 0\.0"):
        Tally.of([(W, W)], ["a"]).worst_lose_rate(0.0)


def test_values_of_each_group():
    asked = [question(i, set="wizardlm") for i in range(6)] + [question(i, set="koala") for i in range(2)]
    outcomes = [(W, W), (L, L), (T, T)] * 2 + [(L, W), (None, L)]
    tally = Tally.of(outcomes, [one.category for one in asked[:6]] + [None] * 2)
    found = {
        (one.set, one.category, one.metric): one.value
        for one in comparison_values(tally, groups(asked), "new", "old", **OPTIONS)
    }
    assert found[None, None, "winning score"].mean == pytest.approx((5 - 6) / 15 + 1)
    assert found["wizardlm", None, "winning score"].mean == 1.0
    assert found["koala", None, "lose rate"].mean == pytest.approx(2 / 3)
    assert found["wizardlm", "c0", "win rate"].mean == 1.0
    assert found["wizardlm", None, "lose rate, worst 40% of categories"].mean == 0.5  # of c1 and c2
    assert found[None, None, "wizardlm: win rate, best 40% of categories"].mean == 0.5
    assert not any(of_set == "koala" and "40%" in metric for of_set, _, metric in found)


def test_a_fair_judge_covers_the_truth():
    """95% intervals hold the true winning score of 1 about 95 times in 100."""
    random = np.random.default_rng(0)
    inside = 0
    for seed in range(100):
        tally = Tally.of(random.integers(-1, 2, (80, 2)).tolist())
        found = tally.winning_score(draws=300, seed=seed)
        inside += found.low <= 1.0 <= found.high
    assert 88 <= inside <= 100
