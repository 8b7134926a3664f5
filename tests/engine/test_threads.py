"""Selections side by side: right, and with the interpreter free meanwhile."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import qdit

RNG = np.random.default_rng(6)
POOLS = [RNG.standard_normal((1500, 32)).astype(np.float32) for _ in range(2)]
Q = RNG.random(1500)


@pytest.mark.parametrize("method", ["exact", "lazy", "stochastic", "naive"])
def test_two_selections_at_once_equal_one_after_the_other(method):
    def run(pool):
        return qdit.select(pool, Q, 0.3, 60, method=method, threads=2)

    alone = [run(pool) for pool in POOLS]
    with ThreadPoolExecutor(2) as threads:
        for _ in range(3):
            together = list(threads.map(run, POOLS))
            for a, b in zip(alone, together, strict=True):
                assert a.indices.tobytes() == b.indices.tobytes()
                assert a.gains.tobytes() == b.gains.tobytes()


def test_two_selections_of_one_pool_at_once():
    pool = POOLS[0]
    want = [qdit.select(pool, Q, alpha, 50).indices.tolist() for alpha in (0.0, 0.9)]
    with ThreadPoolExecutor(2) as threads:
        got = threads.map(lambda alpha: qdit.select(pool, Q, alpha, 50).indices.tolist(), (0.0, 0.9))
        assert list(got) == want


def longest_pause(work):
    """Return the seconds that work takes and the longest pause of a thread that ticks every millisecond."""
    ticks = [time.perf_counter()]
    done = threading.Event()

    def tick():
        while not done.is_set():
            time.sleep(0.001)
            ticks.append(time.perf_counter())

    ticker = threading.Thread(target=tick)
    ticker.start()
    start = time.perf_counter()
    work()
    seconds = time.perf_counter() - start
    done.set()
    ticker.join()
    return seconds, float(np.diff(ticks).max())


def test_other_threads_run_during_a_selection():
    pool = RNG.standard_normal((6000, 128)).astype(np.float32)
    seconds, pause = longest_pause(lambda: qdit.select(pool, alpha=0, k=200, threads=1))
    assert seconds > 0.2, "too short a run to tell"
    assert pause < seconds / 2


def test_other_threads_run_while_a_set_is_measured():
    pool = RNG.standard_normal((6000, 256)).astype(np.float32)
    seconds, pause = longest_pause(lambda: qdit.row_coverage(pool, np.arange(4000), threads=1))
    assert seconds > 0.1, "too short a run to tell"
    assert pause < seconds / 2


def test_an_error_in_the_progress_callback_ends_the_run():
    def fail(progress):
        raise LookupError("from the callback")

    with pytest.raises(LookupError, match="from the callback"):
        qdit.select(POOLS[0], Q, 0.3, 60, progress=fail)
