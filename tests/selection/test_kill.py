"""Kill -9 at any moment, Ctrl-C: what is left goes on to byte-identical picks."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import qdit

RUN = """
import sys, time, numpy as np, qdit
from qdit.engine import blocks
from qdit.selection import checkpoint, picking
picking._INTERVAL_SECONDS = 0.0
blocks._FIRST_CHUNK = blocks._MAX_CHUNK = 4
checkpoint._SNAPSHOT_SECONDS = checkpoint._SNAPSHOT_SHARE = 0
folder, alpha, method = sys.argv[1:]
x = np.load(folder + "/x.npy", mmap_mode="r")
got = qdit.select(x, folder + "/q.npy", float(alpha), 150, method=method, threads=2,
                  checkpoint=folder + "/cp", progress=lambda p: time.sleep(0.002))
np.save(folder + "/got.npy", got.indices)
"""

# Ends the process without any clean-up at the n-th time that a file of the checkpoint is touched.
DIE = """
import os, sys
left = int(sys.argv.pop(1))
def hook(event, args):
    global left
    if event in ("open", "os.rename", "os.truncate", "os.remove", "os.mkdir") and "/cp" in str(args[0]):
        left -= 1
        if left < 0:
            os._exit(9)
sys.addaudithook(hook)
"""


@pytest.fixture(params=[("0.5", "exact"), ("0.5", "lazy"), ("1.0", "lazy"), ("0.5", "stochastic")], ids=str)
def job(request, tmp_path):
    """The folder with the inputs, the arguments, and the picks of an unbroken run."""
    rng = np.random.default_rng(4)
    x, q = rng.standard_normal((600, 24)).astype(np.float16), rng.random(600)
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "q.npy", q)
    alpha, method = request.param
    want = qdit.select(x, q, float(alpha), 150, method=method)
    return tmp_path, [str(tmp_path), alpha, method], want


def start(code, arguments, **options):
    return subprocess.Popen([sys.executable, "-W", "error", "-c", code, *arguments], **options)


def size(path):
    return path.stat().st_size if path.exists() else 0


@pytest.mark.slow
def test_killed_at_random_moments(job):
    folder, arguments, want = job
    journal = folder / "cp" / "picks.bin"
    moments = random.Random(8)
    kills = 0
    for attempt in range(12):
        before = size(journal)
        process = start(RUN, arguments)
        if attempt % 3:  # amid the picks
            while process.poll() is None and size(journal) == before:
                time.sleep(0.002)
            time.sleep(moments.uniform(0, 0.05))
        else:
            time.sleep(moments.uniform(0.05, 0.5))
        process.kill()
        kills += process.wait() == -signal.SIGKILL
    assert kills >= 3
    assert start(RUN, arguments).wait(60) == 0
    assert np.load(folder / "got.npy").tobytes() == want.indices.tobytes()


@pytest.mark.slow
def test_killed_at_every_file_operation(job):
    """Every operation is the last of one process; the next one finds what it left."""
    folder, arguments, want = job
    codes = [start(DIE + RUN, [str(operation), *arguments]).wait(60) for operation in range(16)]
    assert codes[:12] == [9] * 12
    assert start(RUN, arguments).wait(60) == 0
    assert np.load(folder / "got.npy").tobytes() == want.indices.tobytes()


@contextlib.contextmanager
def heeding_ctrl_c():
    """Python's usual reaction to Ctrl-C, also where the tests run in the background of a shell without it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.slow
@pytest.mark.parametrize("phase", ["first pass", "picking"])
def test_ctrl_c_stops_within_a_second_and_the_run_goes_on(tmp_path, phase, request):
    rng = np.random.default_rng(4)
    n, k = (60_000, 40) if phase == "first pass" else (12_000, 6_000)
    x = rng.standard_normal((n, 256)).astype(np.float16)
    np.save(tmp_path / "x.npy", x)
    command = [sys.executable, "-m", "qdit", "select", str(tmp_path / "x.npy"), "--alpha", "0", "--k", str(k)]
    command += ["--out", str(tmp_path / "out"), "--threads", "1", "--method"]
    command += ["lazy"] if phase == "first pass" else ["naive"]
    with heeding_ctrl_c():
        process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    request.addfinalizer(process.kill)
    journal = tmp_path / "out" / "checkpoint" / "picks.bin"
    deadline = time.monotonic() + 60
    while not (journal.exists() and journal.stat().st_size >= 24) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert process.poll() is None
    time.sleep(0.3)
    sent = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert time.monotonic() - sent < 1.0
    assert process.returncode == 130
    hint = (
        f"qdit: interrupted; repeat the call to go on from the checkpoint {tmp_path / 'out' / 'checkpoint'}"
    )
    assert errors.splitlines()[-1] == hint
    assert not (tmp_path / "out" / "manifest.json").exists()
    before = journal.stat().st_size // 24
    assert 1 <= before < k
    if phase == "picking":
        resumed = qdit.select(
            tmp_path / "x.npy", alpha=0, k=before + 5, method="naive", checkpoint=journal.parent
        )
        want = qdit.select(x, alpha=0, k=before + 5)
        assert resumed.stats["resumed_picks"] == before
        assert resumed.indices.tobytes() == want.indices.tobytes()


def test_an_interrupt_without_a_checkpoint_says_so():
    x = np.random.default_rng(4).standard_normal((500, 16)).astype(np.float32)

    def interrupt(progress):
        os.kill(os.getpid(), signal.SIGINT)

    with heeding_ctrl_c(), pytest.raises(KeyboardInterrupt) as caught:
        qdit.select(x, alpha=0, k=400, progress=interrupt)
    assert caught.value.__notes__ == ["nothing was kept; with a checkpoint directory the run could go on"]
