"""Rows that are encoded in order of length: where they are written, what is gone on from, what is counted."""

import json
import signal
import subprocess
import sys

import numpy as np
import pytest

from helpers.children import child_environment
from helpers.embedding_pools import write_pool
from helpers.encoders import LengthEncoder
from qdit.embedding import OtherRunError, embed

N, CHUNK, WINDOW = 100, 8, 30
HOW = {"chunk_rows": CHUNK, "window_rows": WINDOW, "normalize": False, "dtype": "float32"}
TEXTS = [f"{'word ' * (i * 37 % 11)}{i}" for i in range(N)]

KILLED = """
import os, signal, sys
from helpers.encoders import LengthEncoder
from qdit.common import progress
from qdit.embedding import embed, job
progress._SECONDS = 0
LengthEncoder.calls, LengthEncoder.windows = [], []
job.encoder_class = lambda options: LengthEncoder

def kill(moment):
    if moment.rows >= int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)

embed(sys.argv[1], "lengths", progress=kill, **eval(sys.argv[3]))
"""


@pytest.fixture
def encoder(monkeypatch):
    """The encoder that `embed` takes in these tests."""
    kind = type("Fresh", (LengthEncoder,), {"calls": [], "windows": []})
    monkeypatch.setattr("qdit.embedding.job.encoder_class", lambda options: kind)
    monkeypatch.setattr("qdit.common.progress._SECONDS", 0)
    return kind


@pytest.fixture
def pool(tmp_path):
    return write_pool(tmp_path, [(text, "") for text in TEXTS])


@pytest.fixture
def want(tmp_path, encoder):
    (tmp_path / "unbroken").mkdir()
    other = write_pool(tmp_path / "unbroken", [(text, "") for text in TEXTS])
    made = embed(other, "lengths", **HOW)
    calls, encoder.calls[:] = list(encoder.calls), []
    return (other / "embeddings.npy").read_bytes(), calls, made.manifest


def test_each_row_has_the_vector_of_its_text(pool, encoder):
    rows = embed(pool, "lengths", **HOW).rows.array
    assert rows[:, 0].tolist() == [len(text) for text in TEXTS]
    assert rows[:, 1].tolist() == list(range(N))


def test_texts_of_a_window_come_longest_first(want):
    for first in range(0, N, WINDOW):
        calls = want[1][first // WINDOW * 4 : first // WINDOW * 4 + 4]
        texts = [text for call in calls for text in call]
        assert texts == sorted(TEXTS[first : first + WINDOW], key=len, reverse=True)
        assert {len(call) for call in calls[:-1]} <= {CHUNK, N % WINDOW - CHUNK}


def test_no_more_texts_than_a_window_are_held(pool, encoder):
    embed(pool, "lengths", **HOW)
    assert encoder.windows == [30, 30, 30, 10]


@pytest.mark.parametrize("rows", [1, 8, 17, 30, 46, 99])
def test_killed_amid_a_window_it_goes_on_to_the_same_bytes(pool, want, encoder, rows):
    command = [sys.executable, "-c", KILLED, str(pool), str(rows), repr(HOW)]
    code = subprocess.run(command, env=child_environment(__file__), timeout=60).returncode
    assert code == -signal.SIGKILL
    marker = pool / "embeddings.partial" / "progress.json"
    done = json.loads(marker.read_text())["done"] if marker.exists() else 0
    assert max(0, rows - CHUNK) <= done < rows
    made = embed(pool, "lengths", **HOW)
    assert (pool / "embeddings.npy").read_bytes() == want[0]
    assert encoder.calls == want[1][len(want[1]) - len(encoder.calls) :]
    assert sum(map(len, encoder.calls)) == N - done
    for name in ("cut_rows", "first_cut_rows", "zero_rows"):
        assert made.manifest[name] == want[2][name]


def test_texts_that_are_cut_are_counted(want):
    long = [i for i, text in enumerate(TEXTS) if len(text) > 40]
    assert want[2]["cut_rows"] == len(long) > 20
    assert set(want[2]["first_cut_rows"]) <= set(long)
    assert want[2]["first_cut_rows"] == sorted(want[2]["first_cut_rows"])


class StopError(Exception):
    """Raised in place of a kill."""


@pytest.fixture
def stopped(pool, encoder):
    def stop(moment):
        if moment.rows > WINDOW + CHUNK:
            raise StopError

    with pytest.raises(StopError):
        embed(pool, "lengths", progress=stop, **HOW)
    encoder.calls.clear()
    return pool


def test_other_windows_do_not_go_on(stopped):
    with pytest.raises(OtherRunError, match="window_rows is 50 now and was 30"):
        embed(stopped, "lengths", **HOW | {"window_rows": 50})


def test_a_run_of_before_windows_goes_on_behind_its_rows(stopped, encoder):
    marker = stopped / "embeddings.partial" / "progress.json"
    found = json.loads(marker.read_text())
    found["done"] = WINDOW  # rows that are done in a row
    del found["window"], found["identity"]["window_rows"]
    marker.write_text(json.dumps(found))
    rows = embed(stopped, "lengths", **HOW).rows.array
    assert rows[:, 1].tolist() == list(range(N))
    assert sum(map(len, encoder.calls)) == N - WINDOW


def test_a_finished_run_of_before_is_taken_as_it_is(pool, want, encoder):
    first = embed(pool, "lengths", **HOW)
    manifest = pool / "embeddings.json"
    found = json.loads(manifest.read_text())
    for name in ("window_rows", "backend", "prompt_name", "max_tokens"):
        del found["settings"][name]
    manifest.write_text(json.dumps(found))
    assert embed(pool, "lengths", **HOW).rows.array.tobytes() == first.rows.array.tobytes()
    with pytest.raises(OtherRunError, match="max_tokens is 9 now and was None"):
        embed(pool, "lengths", **HOW, max_tokens=9)


def test_progress_tells_the_share_of_the_work(pool, encoder):
    seen = []
    embed(pool, "lengths", progress=seen.append, **HOW)
    assert [moment.rows for moment in seen[:5]] == [8, 16, 24, 30, 38]
    shares = [moment.share for moment in seen]
    assert shares == sorted(shares)
    assert seen[0].share > seen[0].rows / N  # longer texts come first
    assert seen[3].share == pytest.approx(0.3)
    assert shares[-1] == 1


def test_progress_of_the_rest_begins_at_nothing(stopped):
    seen = []
    embed(stopped, "lengths", progress=seen.append, **HOW)
    assert 0 < seen[0].share < 0.2
    assert seen[-1].rows == N - WINDOW - CHUNK


def test_blank_texts_among_sorted_ones_stay_at_their_rows(tmp_path, encoder):
    texts = [" " if i % 9 == 4 else text for i, text in enumerate(TEXTS)]
    pool = write_pool(tmp_path, [("a", text) for text in texts])
    made = embed(pool, "lengths", template="{input}", zero_rows="keep", **HOW)
    blank = [i for i in range(N) if i % 9 == 4]
    assert np.flatnonzero(~made.rows.array.any(axis=1)).tolist() == blank
    assert made.manifest["first_zero_rows"] == blank
    filled = [i for i in range(N) if i % 9 != 4]
    assert made.rows.array[filled, 1].tolist() == filled
