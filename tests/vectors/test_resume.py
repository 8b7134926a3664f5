"""Conversions that are stopped in any way go on, to the same bytes."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from helpers.oracle import clustered_rows
from qdit.vectors import convert, convert_embeddings

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

N, D = 600, 8
ROWS = clustered_rows(N, D, seed=1, dtype="float32")
ROWS[50] = 0


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for part in range(3):
        inside = slice(part * 200, part * 200 + 200)
        table = pa.table({"id": [f"ünï {i}" for i in range(N)][inside], "v": ROWS[inside].tolist()})
        pq.write_table(table, folder / f"{part}.parquet", row_group_size=70)
    return folder


class StoppedError(Exception):
    pass


def contents(folder):
    found = {path.name: path.read_bytes() for path in folder.glob("out*") if path.suffix != ".json"}
    assert found
    return found


@pytest.mark.parametrize("blocks", [1, 3, 7])
def test_a_stopped_run_goes_on(source, tmp_path, blocks, monkeypatch):
    whole = tmp_path / "whole"
    whole.mkdir()
    convert_embeddings(source, whole / "out.npy", bad_rows="zero", block_rows=64)
    append, done = convert.PartialFile.append, []

    def stop_after(self, *arguments):
        append(self, *arguments)
        done.append(1)
        if len(done) == blocks:
            raise StoppedError

    monkeypatch.setattr(convert.PartialFile, "append", stop_after)
    with pytest.raises(StoppedError):
        convert_embeddings(source, tmp_path / "out.npy", bad_rows="zero", block_rows=64)
    assert not (tmp_path / "out.npy").exists()
    seen = []
    monkeypatch.setattr(
        convert.PartialFile,
        "append",
        lambda self, rows, *rest: (seen.append(len(rows)), append(self, rows, *rest))[1],
    )
    made = convert_embeddings(source, tmp_path / "out.npy", bad_rows="zero", block_rows=100)
    assert sum(seen) < N
    assert contents(tmp_path) == contents(whole)
    assert [found["row"] for found in made.bad] == [50]
    assert list(tmp_path.glob(".out*")) == []


@pytest.mark.parametrize("moved", ["out.ids.jsonl", "out.npy"])
def test_a_run_stopped_while_files_move_goes_on(source, tmp_path, moved, monkeypatch):
    whole = tmp_path / "whole"
    whole.mkdir()
    convert_embeddings(source, whole / "out.npy", bad_rows="zero")
    replace = type(tmp_path).replace

    def stop_after(self, target):
        result = replace(self, target)
        if str(target).endswith(moved):
            raise StoppedError
        return result

    monkeypatch.setattr(type(tmp_path), "replace", stop_after)
    with pytest.raises(StoppedError):
        convert_embeddings(source, tmp_path / "out.npy", bad_rows="zero")
    monkeypatch.undo()
    made = convert_embeddings(source, tmp_path / "out.npy", bad_rows="zero")
    assert contents(tmp_path) == contents(whole)
    assert made.ids()[0] == "ünï 0"
    assert list(tmp_path.glob(".out*")) == []


def test_a_changed_source_begins_again(source, tmp_path, monkeypatch):
    append = convert.PartialFile.append

    def stop(self, *arguments):
        append(self, *arguments)
        raise StoppedError

    monkeypatch.setattr(convert.PartialFile, "append", stop)
    with pytest.raises(StoppedError):
        convert_embeddings(source, tmp_path / "out.npy", bad_rows="zero", block_rows=64)
    monkeypatch.undo()
    table = pq.read_table(source / "0.parquet")
    pq.write_table(table.set_column(1, "v", pa.array((-ROWS[:200]).tolist())), source / "0.parquet")
    made = convert_embeddings(source, tmp_path / "out.npy", bad_rows="zero")
    np.testing.assert_array_equal(made.rows.array[:200], -ROWS[:200])


def test_ctrl_c_says_how_to_go_on(source, tmp_path, monkeypatch):
    append = convert.PartialFile.append

    def stop(self, *arguments):
        append(self, *arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(convert.PartialFile, "append", stop)
    with pytest.raises(KeyboardInterrupt) as caught:
        convert_embeddings(source, tmp_path / "out.npy", bad_rows="zero", block_rows=64)
    assert caught.value.__notes__ == ["repeat the call to go on; 64 of 600 rows are done"]


def test_one_run_at_a_time(source, tmp_path, monkeypatch):
    append = convert.PartialFile.append

    def nested(self, *arguments):
        with pytest.raises(RuntimeError, match="another run is using it"):
            convert_embeddings(source, tmp_path / "out.npy", bad_rows="zero")
        append(self, *arguments)

    monkeypatch.setattr(convert.PartialFile, "append", nested)
    convert_embeddings(source, tmp_path / "out.npy", bad_rows="zero")


def test_a_full_disk(tmp_path, monkeypatch):
    usage = type("Usage", (), {"free": 100})
    monkeypatch.setattr("qdit.common.partial.shutil.disk_usage", lambda _: usage)
    with pytest.raises(OSError, match="the disk has 100 left"):
        convert_embeddings(ROWS, tmp_path / "out.npy", bad_rows="zero")


def test_kill_9(source, tmp_path):
    whole = tmp_path / "whole"
    whole.mkdir()
    convert_embeddings(source, whole / "out.npy", bad_rows="zero")
    script = (
        "import sys, time; from qdit.vectors import convert\n"
        "append = convert.PartialFile.append\n"
        "def slow(self, *a): append(self, *a); print(self.done, flush=True); time.sleep(0.05)\n"
        "convert.PartialFile.append = slow\n"
        "convert.convert_embeddings(sys.argv[1], sys.argv[2], bad_rows='zero', block_rows=20)\n"
    )
    for lines in (2, 5, 9):
        run = subprocess.Popen(
            [sys.executable, "-c", script, str(source), str(tmp_path / "out.npy")],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert run.stdout is not None
        for _ in range(lines):
            run.stdout.readline()
        os.kill(run.pid, signal.SIGKILL)
        run.wait()
        run.stdout.close()
        time.sleep(0.01)
    convert_embeddings(source, tmp_path / "out.npy", bad_rows="zero")
    assert contents(tmp_path) == contents(whole)


@pytest.mark.parametrize(("order", "goes_on"), [(" ORDER BY id", True), ("", False)])
def test_a_query_goes_on_only_where_its_order_is_sure(tmp_path, monkeypatch, order, goes_on):
    duckdb = pytest.importorskip("duckdb")
    with duckdb.connect(str(tmp_path / "x.duckdb")) as database:
        database.register("rows_view", pa.table({"id": range(N), "v": np.abs(ROWS + 1).tolist()}))
        database.execute("CREATE TABLE docs AS SELECT * FROM rows_view")
    append, sizes = convert.PartialFile.append, []

    def stop(self, rows, *rest):
        append(self, rows, *rest)
        sizes.append(len(rows))
        if len(sizes) == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(convert.PartialFile, "append", stop)
    query = f"SELECT id, v FROM docs{order}"
    with pytest.raises(KeyboardInterrupt) as caught:
        convert_embeddings(tmp_path / "x.duckdb", tmp_path / "out.npy", query=query, block_rows=100)
    assert ("to go on" if goes_on else "to begin again") in caught.value.__notes__[0]
    made = convert_embeddings(tmp_path / "x.duckdb", tmp_path / "out.npy", query=query, block_rows=100)
    assert sum(sizes) == (N if goes_on else N + sizes[0])
    np.testing.assert_array_equal(made.rows.array, np.abs(ROWS + 1))
