"""Stochastic greedy: the samples, the picks given the samples, and the same again from (seed, step)."""

import math

import numpy as np
import pytest

from helpers.oracle import FLOAT32_PAIR, clustered_rows, integer_rows, naive_greedy, replay
from qdit import _core


def sample(step, count, *, n=200, taken=(), seed=0):
    marked = np.zeros(n, bool)
    marked[list(taken)] = True
    return _core.sample_candidates(seed, step, marked, count)


def draw_for(n, k, epsilon, seed):
    """Return the draw of a run as the oracle wants it."""
    count = math.ceil(n / k * math.log(1 / epsilon))

    def draw(step, taken):
        return _core.sample_candidates(seed, step, taken, min(count, int((~taken).sum())))

    return draw


@pytest.mark.parametrize("count", [0, 1, 2, 50, 99, 100, 101, 149, 150, 151, 10_000])
def test_samples_are_distinct_free_and_ascending(count):
    taken = range(0, 200, 4)
    for step in range(20):
        drawn = sample(step, count, taken=taken)
        assert drawn.dtype == np.int64
        assert len(drawn) == min(count, 150)
        assert np.all(np.diff(drawn) > 0)
        assert not set(drawn.tolist()) & set(taken)
        assert set(drawn.tolist()) <= set(range(200))


def test_samples_follow_from_seed_and_step_alone():
    want = sample(7, 20, seed=3)
    sample(8, 20, seed=3)
    assert sample(7, 20, seed=3).tolist() == want.tolist()
    others = [sample(step, 20, seed=seed).tolist() for step, seed in ((6, 3), (8, 3), (7, 2), (7, 4), (3, 7))]
    assert want.tolist() not in others
    assert len({tuple(other) for other in others}) == len(others)


@pytest.mark.parametrize("seed", [0, 1, 2**63, 2**64 - 1])
def test_every_seed_of_64_bits_draws(seed):
    assert len(sample(0, 10, seed=seed)) == 10


@pytest.mark.parametrize("count", [1, 15, 40, 70])  # below and above half of the free rows
def test_samples_are_uniform_over_the_free_rows(count):
    """Chi-square of how often each of 80 free rows is drawn in 4,000 steps.

    Without replacement the counts vary less, by 1 - count / 80, and together like 80/79 * chi2(79), of which
    the 1 - 1e-6 quantile is 80 * (1 - 2 / (9 * 79) + 4.753 * sqrt(2 / (9 * 79)))**3 = 156 (Wilson, Hilferty).
    """
    taken = range(80, 100)
    hits = np.zeros(100)
    for step in range(4000):
        hits[sample(step, count, n=100, taken=taken, seed=5)] += 1
    expected = 4000 * count / 80
    statistic = ((hits[:80] - expected) ** 2 / expected).sum() / (1 - count / 80)
    assert statistic < 156
    assert hits[80:].sum() == 0


def test_pairs_of_rows_are_drawn_independently():
    """Neighbouring rows are drawn together as often as distant ones: no stride shows."""
    count, steps = 30, 4000
    drawn = np.zeros((steps, 100))
    for step in range(steps):
        drawn[step, sample(step, count, n=100, seed=9)] = 1
    share = count / 100
    together = share * (count - 1) / 99
    for stride in (1, 2, 3, 7, 50):
        pairs = (drawn * np.roll(drawn, stride, axis=1)).sum(axis=1)
        # The mean over 4,000 steps of about 9 pairs each: five standard errors of the observed spread.
        assert abs(pairs.mean() - 100 * together) <= 5 * pairs.std() / np.sqrt(steps)
    follow = (drawn[1:] * drawn[:-1]).sum(axis=1)  # nor does one step lean on the one before
    assert abs(follow.mean() - 100 * share**2) <= 5 * follow.std() / np.sqrt(steps - 1)


@pytest.mark.parametrize("epsilon", [0.5, 0.1, 0.01, 1e-9])
@pytest.mark.parametrize("k", [1, 7, 30, 90])
def test_picks_are_the_best_of_each_sample(variant, k, epsilon):
    rows = integer_rows(90, 12, seed=1)
    bonus = np.random.default_rng(2).integers(-100, 100, size=90) / 8
    for seed in (0, 12345):
        draw = draw_for(90, k, epsilon, seed)
        found = variant.select(
            rows, k, "stochastic", metric="dot", weight=0.25, bonus=bonus, epsilon=epsilon, seed=seed
        )
        picks, gains = naive_greedy(rows, k, metric="dot", weight=0.25, bonus=bonus, draw=draw)
        assert found.picks.tolist() == picks.tolist()
        np.testing.assert_array_equal(found.gains, gains)


@pytest.mark.parametrize(
    "start",
    [
        {"given": [3, 50]},
        {"excluded": list(range(40))},
        {"floor": 0.0},
        {"given": [3], "excluded": [4, 5], "floor": 5.0},
    ],
)
def test_samples_leave_out_given_and_excluded_rows(variant, start):
    rows = integer_rows(90, 12, seed=3)
    found = variant.select(rows, 20, "stochastic", metric="dot", epsilon=0.2, seed=4, **start)
    picks, gains = naive_greedy(rows, 20, metric="dot", draw=draw_for(90, 20, 0.2, 4), **start)
    assert found.picks.tolist() == picks.tolist()
    np.testing.assert_array_equal(found.gains, gains)


def test_ignored_rows_are_never_drawn(variant):
    rows = clustered_rows(90, 12, seed=5, dtype="float32")
    rows[::3] = 0.0
    found = variant.select(rows, 60, "stochastic", zero_rows="ignore", epsilon=0.5)
    assert sorted(found.picks.tolist()) == [i for i in range(90) if i % 3]
    draw = draw_for(90, 60, 0.5, 0)
    pair = max(FLOAT32_PAIR, variant.pair_error(12, "float32"))
    replay(rows, found.picks, k=60, excluded=range(0, 90, 3), draw=draw, pair_error=pair)


def test_real_rows_replay_against_their_samples(variant):
    n, k = (120, 30) if variant.small else (600, 150)
    rows = clustered_rows(n, 48, seed=6)
    quality = np.random.default_rng(7).normal(-2.3, 0.7, size=n)
    found = variant.select(rows, k, "stochastic", weight=0.3, bonus=0.7 * quality, epsilon=0.05, seed=8)
    draw = draw_for(n, k, 0.05, 8)
    pair = max(FLOAT32_PAIR, variant.pair_error(rows.shape[1]))
    tolerances = {"rtol": variant.rtol, "gains_rtol": variant.rtol, "gains_pair_error": pair}
    replay(rows, found.picks, quality, 0.7, k=k, draw=draw, gains=found.gains, **tolerances)


def test_a_sample_of_everything_is_exact_greedy(variant, method):
    rows = clustered_rows(80, 16, seed=9)
    whole = variant.select(rows, 5, "stochastic", epsilon=1e-12)
    assert whole.bits() == variant.select(rows, 5, method).bits()


def test_the_seed_decides(variant):
    rows = clustered_rows(100, 16, seed=10)
    runs = [variant.select(rows, 20, "stochastic", epsilon=0.3, seed=seed).bits() for seed in (1, 1, 2)]
    assert runs[0] == runs[1] != runs[2]


def test_stale_bounds_save_evaluations(cpu):
    """A sampled candidate whose stale bound is below the best is not evaluated again."""
    rows = clustered_rows(1500, 32, seed=11)
    engine = cpu.engine(rows, batch=1)
    cpu.run(engine, 150, "stochastic", epsilon=0.01)
    size = math.ceil(1500 / 150 * math.log(100))
    assert engine.stats()["evaluations"] < 0.75 * size * 150


@pytest.mark.parametrize("epsilon", [0.0, 1.0, -0.1, 1.5, math.nan, math.inf])
def test_epsilon_outside_of_0_and_1_is_refused(variant, epsilon):
    engine = variant.engine(clustered_rows(20, 4, seed=12))
    with pytest.raises(ValueError, match="epsilon: got"):
        variant.run(engine, 5, "stochastic", epsilon=epsilon)
