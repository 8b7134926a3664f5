"""Errors of writing: a full disk, a quota, a limit; each names the file as the caller knows it."""

import errno
import os
import re

import numpy as np
import pytest

from helpers.small_files import LIMIT, small_files
from qdit.common import files
from qdit.common.appended import AppendedFile
from qdit.common.journal import Journal
from qdit.common.partial import PartialRows
from qdit.records.store import ArrowWriter, TextWriter
from qdit.scoring.modelscorer import ChunkFile
from qdit.selection.checkpoint import Checkpoint

BIG = bytes(2 * LIMIT)
NUMBERS = np.arange(LIMIT, dtype=np.int64)


class Rows(PartialRows):
    format = "test"


def partial_rows(path):
    with Rows(path.parent, len(NUMBERS), "float32") as rows:
        rows._create(1)
        rows._write(NUMBERS[:, None])


def journal(path):
    with Journal(path, lambda fields: fields) as file:
        file.write([("key", {"text": "x" * len(BIG)})])


def checkpoint(path):
    with Checkpoint(path.parent, {}, len(NUMBERS)) as saved:
        saved.append(NUMBERS, NUMBERS, 0)


def chunks(path):
    with ChunkFile(path, len(NUMBERS), 4) as file:
        file.append(np.stack([NUMBERS, NUMBERS], axis=1).astype(np.float64))


def text(path):
    with TextWriter(path, path.with_name("offsets.npy")) as writer:
        for _ in range(3):
            writer.add(BIG)


def offsets(path):
    with TextWriter(path.with_name("lines"), path) as writer:
        for _ in range(LIMIT // 4):
            writer.add(b"")


def arrow(path):
    pa = pytest.importorskip("pyarrow", reason="needs pyarrow: pip install 'qdit[data]'")
    batch = pa.record_batch({"numbers": NUMBERS})
    with ArrowWriter(path, batch.schema) as writer:
        writer.add(batch)


def parquet(path):
    pa = pytest.importorskip("pyarrow", reason="needs pyarrow: pip install 'qdit[data]'")
    pq = pytest.importorskip("pyarrow.parquet")
    with files.new_file(path) as temporary:
        pq.write_table(pa.table({"numbers": NUMBERS}), temporary)


def data_set(path):
    datasets = pytest.importorskip("datasets", reason="needs datasets: pip install 'qdit[data]'")
    found = datasets.Dataset.from_dict({"numbers": NUMBERS})
    with files.new_folder(path) as temporary:
        found.save_to_disk(temporary)


def folder(path):
    with files.new_folder(path) as temporary:
        temporary.mkdir()
        (temporary / "part").write_bytes(BIG)


def tensors(path):
    save = pytest.importorskip("safetensors.numpy", reason="needs safetensors: pip install 'qdit[train]'")
    with files.writing(path):
        save.save_file({"numbers": NUMBERS}, path)


def weights(path):
    torch = pytest.importorskip("torch", reason="needs torch: pip install 'qdit[train]'")
    with files.writing(path):
        torch.save(torch.from_numpy(NUMBERS), path)


@pytest.mark.parametrize(
    ("write", "name"),
    [
        (lambda path: files.write_atomic(path, [BIG]), "atomic"),
        (lambda path: files.write_npy(path, NUMBERS), "array.npy"),
        (lambda path: files.write_json(path, {"text": "x" * len(BIG)}), "record.json"),
        (partial_rows, "rows.npy"),
        (journal, "journal.jsonl"),
        (checkpoint, "picks.bin"),
        (chunks, "chunks.f64"),
        (text, "rows.jsonl"),
        (offsets, "offsets.npy"),
        (arrow, "rows.arrow"),
        (parquet, "rows.parquet"),
        (data_set, "data"),
        (folder, "folder"),
        (tensors, "model.safetensors"),
        (weights, "optimizer.pt"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_written_is_named(tmp_path, write, name):
    with small_files(), pytest.raises(OSError, match=re.escape(os.strerror(errno.EFBIG))) as caught:
        write(tmp_path / name)
    assert caught.value.errno == errno.EFBIG
    assert caught.value.filename == str(tmp_path / name)
    assert str(caught.value).endswith(f"{name}'")
    assert [path.name for path in tmp_path.rglob("*.tmp")] == []


def test_a_temporary_name_is_not_told(tmp_path):
    with pytest.raises(FileNotFoundError) as caught, files.new_folder(tmp_path / "data") as temporary:
        (temporary / "part").touch()
    assert caught.value.filename == str(tmp_path / "data" / "part")


def test_errors_about_other_files_keep_their_names(tmp_path):
    def parts():
        yield (tmp_path / "source").read_bytes()

    with pytest.raises(FileNotFoundError) as caught:
        files.write_atomic(tmp_path / "out", parts())
    assert caught.value.filename == str(tmp_path / "source")


def test_what_cannot_be_added_whole_leaves_the_file_as_it_was(tmp_path):
    path = tmp_path / "journal"
    with AppendedFile(path) as file:
        file.add(b"first")
        with small_files(), pytest.raises(OSError, match="journal"):
            file.add(BIG)
        file.add(b", second")
    assert path.read_bytes() == b"first, second"


def test_where_nothing_can_be_written_is_told_before_the_work(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    files.check_writable(tmp_path / "not" / "yet" / "there")
    for folder, kind in (
        (tmp_path / "file" / "out", NotADirectoryError),
        (tmp_path / "file", FileExistsError),
    ):
        with pytest.raises(kind) as caught:
            files.check_writable(folder)
        assert caught.value.filename == str(folder)
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write everywhere
    with pytest.raises(PermissionError) as caught:
        files.check_writable(tmp_path / "out")
    assert caught.value.filename == str(tmp_path / "out")
