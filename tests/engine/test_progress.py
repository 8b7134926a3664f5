"""Progress, interruption and resumption of a run."""

import signal
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from helpers.oracle import clustered_rows, integer_rows

UNKNOWN = np.iinfo(np.int64).max


class StopHereError(Exception):
    pass


class Recorder:
    """Collects what on_progress is told, with the bounds as they are at that moment; may stop the run."""

    def __init__(self, bounds=None, stop_at=None):
        self.calls, self.saved, self.bounds, self.stop_at = [], [], bounds, stop_at

    def __call__(self, indices, gains, evaluations):
        self.calls.append((indices.copy(), gains.copy(), evaluations))
        if self.bounds is not None:
            self.saved.append((len(self.picks), self.bounds.copy()))
        if self.stop_at is not None and len(self.picks) >= self.stop_at:
            raise StopHereError

    @property
    def picks(self):
        return np.concatenate([call[0] for call in self.calls])

    @property
    def gains(self):
        return np.concatenate([call[1] for call in self.calls])


def unknown_bounds(n):
    return np.full(n, UNKNOWN)


@pytest.mark.parametrize("interval", [0.0, 1e-4, 3600.0])
def test_progress_delivers_every_pick_once_in_order(variant, any_method, interval):
    recorder = Recorder()
    found = variant.select(
        clustered_rows(90, 16, seed=1), 30, any_method, on_progress=recorder, interval=interval
    )
    assert recorder.picks.tolist() == found.picks.tolist()
    assert recorder.gains.tolist() == found.fixed.tolist()
    evaluations = [call[2] for call in recorder.calls]
    assert evaluations == sorted(evaluations)
    assert evaluations[-1] > 0
    if interval == 0.0:  # what a device picks by itself is told several picks at a time
        assert len(recorder.calls) >= (3 if variant.backend == "cuda" else 30)
    if interval == 3600.0:
        assert len(recorder.calls) <= 2


def test_progress_delivers_replayed_picks_too(variant, any_method):
    rows = clustered_rows(90, 16, seed=1)
    whole = variant.select(rows, 30, any_method)
    recorder = Recorder()
    variant.select(rows, 30, any_method, picks=whole.picks[:12], on_progress=recorder, interval=0.0)
    assert recorder.picks.tolist() == whole.picks.tolist()
    assert recorder.gains.tolist() == whole.fixed.tolist()


@pytest.mark.parametrize("stop_at", [0, 1, 7, 29, 30])
@pytest.mark.parametrize("error", [StopHereError, KeyboardInterrupt])
def test_what_progress_raises_ends_the_run_and_leaves_the_engine_usable(variant, any_method, stop_at, error):
    engine = variant.engine(clustered_rows(90, 16, seed=1))
    want = variant.run(engine, 30, any_method)

    class Stopper(Recorder):
        def __call__(self, *told):
            try:
                super().__call__(*told)
            except StopHereError:
                raise error from None

    recorder = Stopper(stop_at=stop_at)
    with pytest.raises(error):
        variant.run(engine, 30, any_method, on_progress=recorder, interval=0.0)
    assert recorder.picks.tolist() == want.picks[: len(recorder.picks)].tolist()
    assert variant.run(engine, 30, any_method).bits() == want.bits()


@pytest.mark.parametrize("floor", [None, 0.2])
def test_resuming_anywhere_ends_with_the_same_picks(variant, any_method, floor):
    """From every state that progress shows, with the bounds of that moment, older ones, and none."""
    rows = clustered_rows(60, 16, seed=2)
    options = {"weight": 0.5, "bonus": np.random.default_rng(0).normal(size=60), "epsilon": 0.2, "seed": 3}
    bounds = unknown_bounds(60)
    recorder = Recorder(bounds)
    engine = variant.engine(rows, floor=floor)
    whole = variant.run(engine, 25, any_method, on_progress=recorder, interval=0.0, bounds=bounds, **options)
    shown = {picks for picks, _ in recorder.saved}
    if variant.backend == "cuda":  # a device shows several of its picks at a time
        assert {0, 25} < shown
    else:
        assert shown == set(range(26))
    for done, saved in recorder.saved[:: max(1, len(recorder.saved) // 60)]:
        for later in {done, min(done + 4, 25), 25}:
            again = variant.run(
                engine, 25, any_method, picks=whole.picks[:later], bounds=saved.copy(), **options
            )
            assert again.bits() == whole.bits()
        assert variant.run(engine, 25, any_method, picks=whole.picks[:done], **options).bits() == whole.bits()


@pytest.mark.parametrize("floor", [None, 0.0])
def test_resuming_a_pool_of_opposite_rows(variant, any_method, floor):
    """First gains are far below second ones here: bounds saved before the first pick must not be trusted."""
    half = clustered_rows(30, 9, seed=3, dtype="float32")
    rows = np.vstack([half, -half, integer_rows(5, 9, seed=1)])
    bounds = unknown_bounds(65)
    recorder = Recorder(bounds)
    engine = variant.engine(rows, floor=floor, batch=4)
    whole = variant.run(engine, 40, any_method, on_progress=recorder, interval=0.0, bounds=bounds)
    for done, saved in recorder.saved[:: max(1, len(recorder.saved) // 40)]:
        for later in {done, min(done + 1, 40), min(done + 9, 40)}:
            again = variant.run(engine, 40, any_method, picks=whole.picks[:later], bounds=saved.copy())
            assert again.bits() == whole.bits()


@pytest.mark.parametrize("start", [{}, {"floor": 0.1}, {"given": [4, 9]}])
def test_bounds_are_upper_bounds_at_every_moment(variant, any_method, start):
    """At every report each known bound is at least the gain over what is chosen by then."""
    rows = clustered_rows(60, 16, seed=4)
    given = start.get("given", [])
    bounds = unknown_bounds(60)
    recorder = Recorder(bounds)
    floor = start.get("floor")
    whole = variant.select(
        rows,
        20,
        any_method,
        floor=floor,
        given=given or None,
        bounds=bounds,
        on_progress=recorder,
        interval=0.0,
    )
    judge = variant.engine(rows, floor=floor)
    known = 0
    for done, saved in recorder.saved[:: max(1, len(recorder.saved) // 40)]:
        judge.reset(np.array(given, np.int64) if given else None)
        judge.commit(whole.picks[:done])
        rest = np.setdiff1d(np.arange(60), [*whole.picks[:done], *given])
        assert np.all(saved[rest] >= judge.gains(rest))
        known += int((saved[rest] < UNKNOWN).sum())
    assert known > 0


@pytest.mark.parametrize("start", [{}, {"given": [4, 9]}, {"floor": 0.1}])
def test_saved_bounds_save_evaluations(cpu, start):
    given = start.get("given")
    engine = cpu.engine(clustered_rows(600, 16, seed=5), floor=start.get("floor"))
    bounds = unknown_bounds(600)
    whole = cpu.run(engine, 60, "lazy", bounds=bounds, given=given)
    cost = []
    for saved in (bounds, unknown_bounds(600)):
        before = engine.stats()["evaluations"]
        longer = cpu.run(engine, 61, "lazy", picks=whole.picks, bounds=saved, given=given)
        assert longer.picks[:60].tolist() == whole.picks.tolist()
        cost.append(engine.stats()["evaluations"] - before)
    assert cost[1] >= 600 - 62
    assert cost[0] < cost[1] / 2


@pytest.mark.parametrize(
    ("picks", "text"),
    [
        ([1, 1], "row 1 cannot be picked"),
        ([1, 20], "position 1 is row 20"),
        ([-1], "position 0 is row -1"),
        ([7], "row 7 cannot be picked"),
        ([0, 1, 2, 3, 4, 5], "at most k = 5"),
    ],
)
def test_picks_that_this_run_cannot_have_made_are_refused(variant, any_method, picks, text):
    engine = variant.engine(clustered_rows(20, 4, seed=6))
    with pytest.raises(ValueError, match=text):
        variant.run(engine, 5, any_method, picks=np.array(picks), excluded=[7])
    assert len(variant.run(engine, 5, any_method).picks) == 5


@pytest.fixture
def alarm():
    """Return a function that makes a signal handler raise StopHereError some seconds later."""

    def ring(*_):
        raise StopHereError

    before = signal.signal(signal.SIGALRM, ring)
    yield lambda seconds: signal.setitimer(signal.ITIMER_REAL, seconds)
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("call", ["gains", "commit", "reset"])
def test_a_signal_ends_a_long_call_within_a_second_and_leaves_the_engine_usable(variant, alarm, call):
    if variant.backend == "cuda" and variant.small:
        pytest.skip("one launch of emulated kernels takes longer than that")
    rows = clustered_rows(1200, 256, seed=7)
    # a device is through with full batches in no time; with narrow ones it waits for the host in between
    engine = variant.engine(rows, threads=2, batch=4 if variant.backend == "cuda" else 0)
    want = [variant.run(engine, 3).bits(), engine.coverage()]
    engine.reset(np.array([5]))
    endless = np.tile(np.arange(1200), 40 if variant.backend == "reference" else 2000)  # ten seconds and more
    alarm(0.2)
    start = time.perf_counter()
    with pytest.raises(StopHereError):
        getattr(engine, call)(endless)
    assert time.perf_counter() - start < 1.2
    if call != "gains":
        with pytest.raises(RuntimeError, match=r"reset\(\) first"):
            engine.coverage()
    assert [variant.run(engine, 3).bits(), engine.coverage()] == want


def test_one_call_at_a_time(variant):
    """A callback must not turn the state that its own run works on; nor may another thread."""
    engine = variant.engine(clustered_rows(40, 8, seed=8))
    want = variant.run(engine, 10).bits()

    def meddle(*_):
        for call in (engine.reset, engine.coverage, lambda: engine.commit(np.array([1]))):
            with pytest.raises(RuntimeError, match="one call at a time"):
                call()
        with ThreadPoolExecutor(1) as other, pytest.raises(RuntimeError, match="one call at a time"):
            other.submit(engine.reset).result()

    assert variant.run(engine, 10, on_progress=meddle, interval=0.0).bits() == want


def test_two_engines_in_two_threads(variant):
    pools = [clustered_rows(150, 24, seed=seed) for seed in (1, 2)]
    want = [variant.select(rows, 20).bits() for rows in pools]
    with ThreadPoolExecutor(2) as threads:
        jobs = [threads.submit(variant.select, rows, 20, threads=2) for rows in pools * 3]
        assert [job.result().bits() for job in jobs] == want * 3
