"""Parquet folders with `id` and `embeddings`: chosen rows out, ids of the others beside."""

from types import SimpleNamespace

import numpy as np
import pytest

import qdit
from helpers.oracle import clustered_rows
from qdit.adapters import select_curator_folder

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

N, D = 240, 16
ROWS = clustered_rows(N, D, seed=5, dtype="float32")
QUALITY = np.random.default_rng(6).uniform(1, 5, N)
IDS = [f"doc-{i}" for i in range(N)]


def write(folder, *, hive=False, rows=ROWS, kind=None):
    kind = kind or pa.list_(pa.float32())
    for part in range(4):
        inside = slice(part * 60, part * 60 + 60)
        table = pa.table(
            {
                "id": IDS[inside],
                "embeddings": pa.array(rows[inside].tolist(), kind),
                "text": [f"text {i}" for i in range(N)][inside],
                "quality": QUALITY[inside],
            }
        )
        target = folder / f"centroid={part}" if hive else folder
        target.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, target / f"part.{part}.parquet", row_group_size=25)
    return folder


@pytest.mark.parametrize("hive", [False, True])
def test_in_and_out(tmp_path, hive):
    source = write(tmp_path / "in", hive=hive)
    found = select_curator_folder(source, tmp_path / "out", "quality", 0.6, 40, removed=tmp_path / "removed")
    want = qdit.select(ROWS, QUALITY, alpha=0.6, k=40)
    np.testing.assert_array_equal(found.indices, want.indices)
    (file,) = (tmp_path / "out").iterdir()
    out = pq.ParquetFile(file).read()
    assert out.column("id").to_pylist() == [IDS[i] for i in want.indices]
    np.testing.assert_array_equal(
        np.array(out.column("embeddings").to_pylist(), np.float32), ROWS[want.indices]
    )
    assert out.column("text").to_pylist() == [f"text {i}" for i in want.indices]
    assert out.column("qdit_rank").to_pylist() == list(range(1, 41))
    np.testing.assert_array_equal(out.column("qdit_gain").to_numpy(), want.gains)
    np.testing.assert_array_equal(out.column("qdit_quality").to_numpy(), QUALITY[want.indices])
    removed = pq.read_table(tmp_path / "removed")
    assert removed.column_names == ["id"]
    chosen = set(out.column("id").to_pylist())
    assert removed.column("id").to_pylist() == [id for id in IDS if id not in chosen]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out", "removed"]


@pytest.mark.parametrize("name", ["part.0a.parquet", "part.9.parquet"])
def test_parts_without_rows_and_of_wider_types_are_read(tmp_path, name):
    source = write(tmp_path / "in")
    pq.write_table(pa.table({"id": pa.nulls(0), "embeddings": pa.nulls(0)}), source / name)
    part = pq.read_table(source / "part.2.parquet")
    pq.write_table(
        part.set_column(2, "text", part["text"].cast(pa.large_string())), source / "part.2.parquet"
    )
    found = select_curator_folder(source, tmp_path / "out", "quality", 0.6, 40)
    np.testing.assert_array_equal(found.indices, qdit.select(ROWS, QUALITY, alpha=0.6, k=40).indices)
    assert pq.read_table(tmp_path / "out").num_rows == 40


def test_the_output_is_an_input(tmp_path):
    source = write(tmp_path / "in")
    select_curator_folder(source, tmp_path / "half", QUALITY, 0.6, 0.5)
    found = select_curator_folder(tmp_path / "half", tmp_path / "few", "quality", 0.2, 10, columns=False)
    assert len(found) == 10
    names = pq.read_table(tmp_path / "few").column_names
    assert names == pq.read_table(tmp_path / "half").column_names


def test_an_interrupted_run_goes_on(tmp_path, monkeypatch):
    source = write(tmp_path / "in")
    module = __import__("qdit.adapters.curator", fromlist=["x"])
    monkeypatch.setattr(module, "_write", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        select_curator_folder(source, tmp_path / "out", "quality", 0.6, 40)
    assert not (tmp_path / "out").exists()
    monkeypatch.undo()
    work = tmp_path / ".out.qdit"
    before = (work / "embeddings.npy").stat().st_mtime_ns
    monkeypatch.setattr(module, "shutil", SimpleNamespace(rmtree=lambda path: None))
    select_curator_folder(source, tmp_path / "out", "quality", 0.6, 40)
    assert (work / "embeddings.npy").stat().st_mtime_ns == before
    want = qdit.select(ROWS, QUALITY, alpha=0.6, k=40).indices
    assert pq.read_table(tmp_path / "out").column("id").to_pylist() == [IDS[i] for i in want]


def test_a_stopped_run_of_other_options_begins_again(tmp_path, monkeypatch):
    source = write(tmp_path / "in")
    module = __import__("qdit.adapters.curator", fromlist=["x"])
    monkeypatch.setattr(module, "_write", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        select_curator_folder(source, tmp_path / "out", "quality", 0.6, 40)
    monkeypatch.undo()
    found = select_curator_folder(source, tmp_path / "out", alpha=0, k=7)
    np.testing.assert_array_equal(found.indices, qdit.select(ROWS, alpha=0, k=7).indices)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out"]


def test_what_is_there_stays(tmp_path):
    source = write(tmp_path / "in")
    select_curator_folder(source, tmp_path / "out", QUALITY, 0.6, 40)
    with pytest.raises(ValueError, match="is there already"):
        select_curator_folder(source, tmp_path / "out", QUALITY, 0.6, 20)
    select_curator_folder(source, tmp_path / "out", QUALITY, 0.6, 20, overwrite=True)
    assert pq.read_table(tmp_path / "out").num_rows == 20


def test_bad_input(tmp_path):
    source = write(tmp_path / "in")
    with pytest.raises(ValueError, match="no column 'worth', wanted one of 'id', 'embeddings'"):
        select_curator_folder(source, tmp_path / "out", "worth", 0.6, 40)
    with pytest.raises(ValueError, match="has no 'vectors'"):
        select_curator_folder(source, tmp_path / "out", "quality", 0.6, 40, embeddings_column="vectors")
    with pytest.raises(TypeError, match=r"^quality: column 'id' of .*parquet is string, wanted numbers"):
        select_curator_folder(source, tmp_path / "out", "id", 0.6, 40)
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="no Parquet files"):
        select_curator_folder(tmp_path / "empty", tmp_path / "out", "quality", 0.6, 40)
    rows = ROWS.copy()
    rows[77] = np.nan
    write(tmp_path / "bad", rows=rows)
    with pytest.raises(ValueError, match=r"row 77 \(id 'doc-77'\): got NaN, Inf or null"):
        select_curator_folder(tmp_path / "bad", tmp_path / "out", "quality", 0.6, 40)
    rows = list(ROWS.tolist())
    rows[130] = rows[130][:3]
    for part in range(4):
        (tmp_path / "short").mkdir(exist_ok=True)
        table = pa.table(
            {"id": IDS[part * 60 : part * 60 + 60], "embeddings": rows[part * 60 : part * 60 + 60]}
        )
        pq.write_table(table, tmp_path / "short" / f"{part}.parquet")
    with pytest.raises(ValueError, match=r"2\.parquet: row 10: got a vector of 3 items, wanted 16"):
        select_curator_folder(tmp_path / "short", tmp_path / "out", alpha=0, k=40)
