"""Maxima of other rows than the pool's, and of rows that have weights: every backend against float64."""

import numpy as np
import pytest

from helpers.oracle import stored
from helpers.oracle_targeted import targeted_certificate, targeted_greedy, targeted_rows
from qdit import _core

METHODS = ["naive", "lazy", "exact", "stochastic"]
# rows, dimensions, represented rows: one of each, fewer and more than tiles and blocks and the pool have
SHAPES = [(1, 1, 1), (7, 3, 1), (17, 5, 40), (33, 257, 16), (65, 16, 129), (130, 9, 5)]
STARTS = [{}, {"floor": 0.0}, {"given": [0, 3]}, {"outside": 2}, {"floor": -0.25, "given": [1], "outside": 3}]


def pool(n, d, m, seed=0):
    """Return rows, represented rows and weights."""
    rng = np.random.default_rng(seed)
    return (
        rng.standard_normal((n, d)).astype(np.float32),
        rng.standard_normal((m, d)).astype(np.float16),
        rng.lognormal(sigma=1.5, size=m),
    )


def starts(start, n, d, seed=9):
    """Return what is chosen before the first pick, with rows in place of their number."""
    start = {**start, "given": [row for row in start.get("given", []) if row < n - 1]}
    if "outside" in start:
        start["outside"] = (
            np.random.default_rng(seed).standard_normal((start["outside"], d)).astype(np.float32)
        )
    return start


def refuse_cuda(variant):
    if variant.backend == "cuda":
        pytest.skip("backend cuda covers the pool only")


@pytest.mark.parametrize("weighted", [False, True], ids=["alike", "weighted"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("method", METHODS)
def test_picks_are_those_of_a_float64_greedy(variant, method, shape, weighted):
    refuse_cuda(variant)
    rows, represented, weights = pool(*shape)
    n, k = len(rows), min(len(rows), 12)
    bonus = np.random.default_rng(1).random(n)
    options = {"weight": 0.5, "bonus": bonus}
    target = {"represented": represented, "weights": weights if weighted else None}
    got = variant.select(rows, k, method, **target, **options)
    draw = None
    if method == "stochastic":
        size = min(n, int(np.ceil(n / k * np.log(1 / 0.01))))

        def draw(step, taken):
            return _core.sample_candidates(0, step, taken, size)

    picks, gains = targeted_greedy(rows, represented, k, weights=target["weights"], **options, draw=draw)
    assert got.picks.tolist() == picks.tolist()
    np.testing.assert_allclose(got.gains, gains, rtol=1e-5, atol=1e-5 * weights.sum())


@pytest.mark.parametrize("start", STARTS, ids=lambda start: "-".join(start) or "nothing")
@pytest.mark.parametrize("metric", ["cosine", "dot"])
def test_what_is_chosen_already_covers_represented_rows(variant, method, metric, start):
    refuse_cuda(variant)
    rows, represented, weights = pool(40, 6, 23)
    start = starts(start, *rows.shape)
    target = {"represented": represented, "weights": weights, "metric": metric}
    got = variant.select(rows, 8, method, **target, **start)
    picks, gains = targeted_greedy(rows, represented, 8, weights=weights, metric=metric, **start)
    assert got.picks.tolist() == picks.tolist()
    np.testing.assert_allclose(got.gains, gains, rtol=1e-5, atol=1e-4)
    engine = variant.engine(rows, **{k: v for k, v in {**target, **start}.items() if k != "given"})
    engine.reset(np.array(start["given"], np.int64))
    engine.commit(got.picks)
    near = targeted_rows(rows, represented, picks, metric=metric, **start)
    np.testing.assert_allclose(engine.row_coverage(), near, atol=1e-5)
    assert engine.coverage() / engine.sum_scale == pytest.approx(float(near @ weights), rel=1e-6)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_represented_rows_have_a_type_of_their_own(variant, dtype):
    refuse_cuda(variant)
    rows, represented, _ = pool(50, 12, 31)
    represented = stored(represented, dtype)
    got = variant.select(rows, 9, "exact", represented=represented)
    assert got.picks.tolist() == targeted_greedy(rows, represented, 9)[0].tolist()


def test_ties_go_to_the_smaller_row(variant, method):
    """Whole numbers under dot, so that float64 and fixed point are exact; each row is there twice."""
    refuse_cuda(variant)
    rng = np.random.default_rng(2)
    rows = np.tile(rng.integers(-3, 4, (30, 4)), (2, 1)).astype(np.float32)
    represented = np.tile(rng.integers(-3, 4, (9, 4)), (3, 1)).astype(np.float32)
    weights = np.tile(rng.integers(1, 4, 9), 3).astype(np.float64)
    for target in ({}, {"weights": weights}):
        got = variant.select(rows, 60, method, represented=represented, metric="dot", **target)
        picks, gains = targeted_greedy(rows, represented, 60, metric="dot", **target)
        assert got.picks.tolist() == picks.tolist()
        assert got.gains.tolist() == gains.tolist()


@pytest.mark.parametrize(
    ("method", "memory"), [("naive", 0), ("lazy", 0), ("exact", 0), ("exact", 20_000), ("exact", 1 << 28)]
)
@pytest.mark.parametrize("target", ["others", "pool"])
def test_no_pick_is_beaten_in_a_replay(cpu, method, target, memory):
    """Enough rows for lists that start above the maxima, where memory is short."""
    rows, represented, _ = pool(1100, 24, 300, seed=3)
    rows[1000:] = rows[:100]
    represented = represented if target == "others" else None
    weights = np.random.default_rng(4).lognormal(size=len(rows) if represented is None else 300)
    got = cpu.select(rows, 25, method, represented=represented, weights=weights, memory=memory, threads=2)
    others = rows if represented is None else represented
    assert targeted_certificate(rows, others, got.picks.tolist(), weights=weights) <= 1e-6


def test_the_pool_itself_and_weights_of_one_change_no_bit(variant, any_method):
    refuse_cuda(variant)
    rows, _, _ = pool(90, 33, 1)
    same = [{"represented": rows.copy()}, {"weights": np.ones(90)}, {"weights": np.full(90, 1.0)}]
    same.append({"represented": rows.copy(), "weights": np.ones(90)})
    want = variant.select(rows, 20, any_method, floor=-0.1, given=[5])
    for target in same:
        assert variant.select(rows, 20, any_method, floor=-0.1, given=[5], **target).bits() == want.bits()


def test_bits_do_not_depend_on_threads_blocks_memory_method_or_instruction_set(cpu_levels):
    rows, represented, weights = pool(300, 20, 143, seed=5)
    rows = rows.astype(np.float16)
    ways = [{}, {"threads": 3}, {"block_rows": 7}, {"batch": 5}, {"cache_bytes": 1 << 20}, {"memory": 30_000}]
    for target in ({"represented": represented, "weights": weights}, {"weights": np.resize(weights, 300)}):
        found = {
            level.select(rows, 20, method, **target, **way).bits()
            for level in cpu_levels
            for method in ("naive", "lazy", "exact")
            for way in ways
        }
        assert len(found) == 1


def test_bounds_by_prefixes_leave_weighted_gains_as_they_are(cpu, method, monkeypatch):
    rng = np.random.default_rng(6)
    rows = (rng.standard_normal((700, 300)) * 0.98 ** np.arange(300)).astype(np.float32)
    weights = rng.lognormal(size=700)
    found = set()
    for columns in ("0", "64"):
        monkeypatch.setenv("QDIT_PREFIX", columns)
        found.add(cpu.select(rows, 100, method, weights=weights, cache_bytes=1 << 22, memory=1 << 22).bits())
    assert len(found) == 1


def test_weights_become_integers_of_one_power_of_two(variant):
    refuse_cuda(variant)
    rows = np.eye(4, dtype=np.float32)
    whole = variant.engine(rows, weights=np.array([0.5, 1.0, 2.0, 3.0]))
    assert whole.sum_scale == 2 * whole.scale
    tiny = variant.engine(rows, weights=np.array([1e-20, 1e-3, 1.0, 1.0]))
    tiny.reset()
    tiny.commit(np.array([3, 0]))
    # no weight is rounded to nothing, and none by more than a half of a unit
    unit = tiny.scale / tiny.sum_scale
    assert unit <= 2.0**-30
    assert tiny.gains(np.array([1])) / tiny.sum_scale == pytest.approx(1e-3, abs=unit)
    assert tiny.coverage() / tiny.sum_scale == pytest.approx(1.0, abs=2 * unit)
    assert variant.engine(rows, weights=np.full(4, 3.0)).sum_scale == whole.scale


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weights": np.array([1.0, 0.0, 1.0])}, "weights: row 1 is 0, wanted a finite number above 0."),
        ({"weights": np.array([1.0, 1.0, np.inf])}, "weights: row 2 is inf"),
        ({"weights": np.ones(2)}, "weights: wanted 3, one for each represented row."),
        ({"weights": np.full(3, 1e30)}, "weights: they add up to 3e\\+30"),
        ({"represented": np.ones((2, 5), np.float32)}, "represent: got rows of 5 columns, wanted 4"),
        ({"represented": np.zeros((2, 4), np.float32)}, "represent: row 0 is all zeros"),
        ({"represented": np.full((2, 4), np.nan, np.float32)}, "represent: row 0"),
    ],
)
def test_bad_represented_rows_and_weights_are_named(variant, options, message):
    refuse_cuda(variant)
    with pytest.raises(ValueError, match=message):
        variant.engine(np.ones((3, 4), np.float32), **options)
