"""Processes that encode together: their answers in order, their errors, and how each of them ends."""

import os
import select
import signal
import subprocess
import sys
from functools import partial

import numpy as np
import pytest

from helpers.children import child_environment
from helpers.encoders import broken, counting, failing
from qdit.embedding.workers import Workers

PARTS = [["a" * (10 * i + j) for j in range(2, 5)] for i in range(7)]
WANT = [[len(text), 4] for part in PARTS for text in part]

PARENT = """
from functools import partial
from helpers.encoders import counting
from qdit.embedding.workers import Workers
workers = Workers([partial(counting, 1)] * 2)
print(*(process.pid for process in workers._started.values()), flush=True)
input()
"""


def processes_of(workers):
    return list(workers._started.values())


def test_answers_come_in_order():
    told = []
    with Workers([partial(counting, 1)] * 2) as workers:
        for _ in range(2):
            np.testing.assert_array_equal(workers.encode(PARTS, 4, told.append), WANT)
        processes = processes_of(workers)
    assert told == [3 * i for i in range(1, 8)] * 2
    assert all(process.poll() is not None for process in processes)


def test_an_error_is_that_of_the_process_and_the_others_go_on():
    with Workers([failing] * 2) as workers:
        with pytest.raises(RuntimeError, match=r"FailedError: cannot take \['a'\]"):
            workers.encode([*PARTS, ["a"], *PARTS], 4, lambda done: None)
        np.testing.assert_array_equal(workers.encode(PARTS, 4, lambda done: None), WANT)


def test_a_process_that_is_killed_is_told():
    with Workers([failing] * 2) as workers:
        processes = processes_of(workers)
        with pytest.raises(ChildProcessError, match=r"process \d+, .* killed by SIGKILL; repeat the call"):
            workers.encode([*PARTS, [""], *PARTS], 4, lambda done: None)
    assert all(process.poll() is not None for process in processes)


def test_a_process_that_was_killed_before_is_told():
    with Workers([failing]) as workers:
        processes_of(workers)[0].kill()
        processes_of(workers)[0].wait()
        with pytest.raises(ChildProcessError, match="was killed by SIGKILL"):
            workers.encode(PARTS, 4, lambda done: None)


def test_one_that_cannot_start_is_told():
    with pytest.raises(FileNotFoundError, match="no such model"):
        Workers([partial(counting, 1), broken])


def test_ctrl_c_ends_all():
    def interrupt(done):
        raise KeyboardInterrupt

    workers = Workers([partial(counting, 1)] * 2)
    processes = processes_of(workers)
    with pytest.raises(KeyboardInterrupt), workers:
        workers.encode(PARTS, 4, interrupt)
    assert all(process.poll() is not None for process in processes)
    assert all(os.getpgid(0) != process.pid for process in processes)


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="needs handles of processes (Linux)")
def test_they_end_with_the_process_that_started_them():
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT],
        env=child_environment(__file__),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with parent:
        handles = [os.pidfd_open(int(pid)) for pid in parent.stdout.readline().split()]
        parent.send_signal(signal.SIGKILL)
    try:
        assert len(handles) == 2
        for handle in handles:
            assert select.select([handle], [], [], 60)[0] == [handle]
    finally:
        for handle in handles:
            os.close(handle)
