"""Embedding that was stopped at any moment goes on to the same bytes."""

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from helpers.embedding_pools import sample_rows, write_pool
from qdit.cli.embed import embed_command
from qdit.embedding import OtherRunError, embed
from qdit.embedding.writer import Writer

RUN = """
import sys, time
from qdit.embedding import embed
from qdit.common import progress
progress._SECONDS = 0
embed(sys.argv[1], "builtin:hash", chunk_rows=16, progress=lambda p: time.sleep(float(sys.argv[2])))
"""

# Ends the process without any clean-up at the n-th time that a file of the embeddings is touched.
DIE = """
import os, sys
left = int(sys.argv.pop(1))
events = ("open", "os.rename", "os.truncate", "os.remove", "os.mkdir", "os.rmdir")
def hook(event, args):
    global left
    if event in events and "embeddings." in str(args[0]):
        left -= 1
        if left < 0:
            os._exit(9)
sys.addaudithook(hook)
"""


@pytest.fixture
def pool(tmp_path):
    return write_pool(tmp_path, sample_rows(100))


@pytest.fixture
def want(tmp_path):
    (tmp_path / "unbroken").mkdir()
    other = write_pool(tmp_path / "unbroken", sample_rows(100))
    embed(other, "builtin:hash", chunk_rows=16)
    return (other / "embeddings.npy").read_bytes()


def start(code, *arguments):
    return subprocess.Popen([sys.executable, "-W", "error", "-c", code, *map(str, arguments)])


@pytest.mark.slow
def test_killed_at_every_file_operation(pool, want, tmp_path):
    """Each operation in turn is the last of a process; the next one finds what it left."""
    whole = ["embeddings.json", "embeddings.npy"]
    for operation in itertools.count():
        copy = tmp_path / f"pool-{operation}"
        shutil.copytree(pool, copy)
        code = start(DIE + RUN, operation, copy, 0).wait(60)
        if code == 0:
            break
        assert code == 9
        there = sorted(path.name for path in copy.glob("embeddings.*"))
        assert "embeddings.json" not in there or "embeddings.npy" in there
        embed(copy, "builtin:hash", chunk_rows=16)
        assert (copy / "embeddings.npy").read_bytes() == want
        assert sorted(path.name for path in copy.glob("*embeddings*")) == whole
    assert operation > 20


def test_killed_amid_the_rows(pool, want):
    marker = pool / "embeddings.partial" / "progress.json"
    for kill in range(3):
        process = start(RUN, pool, 0.2)
        deadline = time.monotonic() + 60
        while done(marker) < 16 * (kill + 1) and time.monotonic() < deadline:
            time.sleep(0.01)
        process.kill()
        assert process.wait() == -signal.SIGKILL
    assert 48 <= done(marker) < 100
    made = embed(pool, "builtin:hash", chunk_rows=16)
    assert (pool / "embeddings.npy").read_bytes() == want
    assert made.manifest["runs"] == 4


def done(marker):
    return json.loads(marker.read_text())["done"] if marker.exists() else 0


class StopError(Exception):
    """Raised in place of a kill."""


def stop_after(rows):
    def callback(progress):
        if progress.rows >= rows:
            raise StopError

    return callback


@pytest.fixture
def stopped(pool, monkeypatch):
    monkeypatch.setattr("qdit.common.progress._SECONDS", 0)
    with pytest.raises(StopError):
        embed(pool, "builtin:hash", chunk_rows=16, progress=stop_after(40))
    return pool


def test_the_rest_alone_is_done(stopped, want, monkeypatch):
    seen = []
    embed(stopped, "builtin:hash", chunk_rows=16, progress=seen.append)
    assert seen[-1].rows == 100 - 32
    assert (stopped / "embeddings.npy").read_bytes() == want


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"template": "instruction"}, "template is 'instruction' now and was 'with_input'"),
        ({"dtype": "float32"}, "dtype is 'float32' now and was 'float16'"),
        ({"normalize": False}, "normalize is False now and was True"),
        ({"chunk_rows": 17}, "chunk_rows is 17 now and was 16"),
    ],
)
def test_other_settings_do_not_go_on(stopped, options, message):
    with pytest.raises(OtherRunError, match=message):
        embed(stopped, "builtin:hash", **({"chunk_rows": 16} | options))
    made = embed(stopped, "builtin:hash", **({"chunk_rows": 16} | options), overwrite=True)
    assert made.manifest["runs"] == 1
    assert not (stopped / "embeddings.partial").exists()


def test_another_version_of_the_model_does_not_go_on(stopped, monkeypatch):
    monkeypatch.setattr("qdit.embedding.hashed._VERSION", 2)
    with pytest.raises(OtherRunError, match="the model: version is 2 now and was 1"):
        embed(stopped, "builtin:hash", chunk_rows=16)


def test_keeping_zero_rows_goes_on(tmp_path, monkeypatch):
    rows = sample_rows(100)
    rows[70] = ("???", "")
    pool = write_pool(tmp_path, rows)
    with monkeypatch.context() as patch:  # it shows only when it is encoded
        patch.setattr("qdit.embedding.hashed.HashEncoder.has_vector", staticmethod(lambda text: True))
        with pytest.raises(ValueError, match=r"row 70: the vector .* is zero; .*--zero-rows keep"):
            embed(pool, "builtin:hash", chunk_rows=16)
    made = embed(pool, "builtin:hash", chunk_rows=16, zero_rows="keep")
    assert made.manifest["runs"] == 2
    assert made.manifest["first_zero_rows"] == [70]


def test_damage_is_told(stopped):
    (stopped / "embeddings.partial" / "rows.npy").write_bytes(b"short")
    with pytest.raises(ValueError, match=r"rows.npy: got 5 bytes, wanted \d+; delete"):
        embed(stopped, "builtin:hash", chunk_rows=16)
    (stopped / "embeddings.partial" / "rows.npy").unlink()
    with pytest.raises(ValueError, match=r"rows.npy is missing; delete"):
        embed(stopped, "builtin:hash", chunk_rows=16)
    (stopped / "embeddings.partial" / "progress.json").write_text("{")
    with pytest.raises(ValueError, match="is damaged"):
        embed(stopped, "builtin:hash", chunk_rows=16)
    embed(stopped, "builtin:hash", chunk_rows=16, overwrite=True)


def test_one_run_at_a_time(pool):
    with Writer(pool, {}, 100, "float16"), pytest.raises(RuntimeError, match="another run"):
        embed(pool, "builtin:hash")


def test_a_full_disk_is_told_at_once(pool, monkeypatch):
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage)
    with pytest.raises(OSError, match=r"the rows take [\d,]+ bytes, the disk has 1,000 left"):
        embed(pool, "builtin:hash")


def test_ctrl_c_says_what_is_kept(stopped):
    def interrupt(progress):
        os.kill(os.getpid(), signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt) as caught:
            embed(stopped, "builtin:hash", chunk_rows=16, progress=interrupt)
    finally:
        signal.signal(signal.SIGINT, before)
    assert caught.value.__notes__ == ["repeat the call to go on; 32 of 100 rows are done"]


def test_an_unfinished_run_survives_the_use_of_what_is_there(pool, monkeypatch):
    embed(pool, "builtin:hash")
    monkeypatch.setattr("qdit.common.progress._SECONDS", 0)
    other = {"template": "instruction", "chunk_rows": 16, "overwrite": True}
    with pytest.raises(StopError):
        embed(pool, "builtin:hash", progress=stop_after(40), **other)
    assert embed(pool, "builtin:hash").manifest["settings"]["template"] == "with_input"
    made = embed(pool, "builtin:hash", **other)
    assert made.manifest["runs"] == 2
    assert made.manifest["settings"]["template"] == "instruction"


def test_the_command_goes_on(stopped, want, capsys):
    embed_command(str(stopped), model="builtin:hash", chunk_rows=16, progress=False)
    assert "100 x 384 float16" in capsys.readouterr().out
    assert (stopped / "embeddings.npy").read_bytes() == want
