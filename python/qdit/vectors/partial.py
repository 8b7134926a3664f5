"""A .npy file that is made block by block: a kill at any moment leaves all finished blocks.

While a run is under way .NAME.npy.partial/ beside NAME.npy holds
    rows.npy        the file as it will be; rows beyond those of progress.json mean nothing
    ids.jsonl       an id a line
    progress.json   rows and bytes of ids that are done, what is being converted, bad rows so far
    lock            held while a run uses the directory
At the end the files move beside NAME.npy as NAME.npy and NAME.ids.jsonl, NAME.json is written, and the
directory goes. So whenever there is a NAME.json, it describes the files beside it.
"""

from __future__ import annotations

import io
import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..common import files
from ..common.lock import LOCK, Lock

PROGRESS_FORMAT = "qdit-vectors-progress"
FORMAT_VERSION = 1


def ids_path(out: Path) -> Path:
    """Return where the ids of a file of vectors are kept."""
    return out.with_suffix(".ids.jsonl")


def manifest_path(out: Path) -> Path:
    """Return where a file of vectors is described."""
    return out.with_suffix(".json")


class PartialFile:
    """An open unfinished file; use it as a context manager.

    Attributes:
        done: rows that are durable.
        bad: what was noted of them.

    """

    def __init__(
        self, out: Path, identity: dict[str, Any] | None, shape: tuple[int, int], dtype: str, *, ids: bool
    ) -> None:
        """Begin, or go on where an earlier run of the same identity stopped; None always begins.

        Raises:
            RuntimeError: if another run is at work on the same file.
            OSError: if the disk is too full.

        """
        self._out = out
        self._path = out.with_name(f".{out.name}.partial")
        self._identity = json.loads(json.dumps(identity))
        self._shape = shape
        self._dtype = np.dtype(dtype)
        self._rows: io.BufferedRandom | None = None
        self._ids: io.BufferedRandom | None = None
        self.done, self.bad, self._ids_bytes = 0, list[dict[str, Any]](), 0
        self._with_ids = ids
        self._path.mkdir(parents=True, exist_ok=True)
        self._lock = Lock(self._path / LOCK, "using it")
        try:
            files.remove_leftovers(self._path, ("progress.json",))
            if not self._resume():
                self._begin()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> PartialFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the files. Safe to call twice."""
        for file in (self._rows, self._ids):
            if file is not None:
                file.close()
        self._lock.close()

    def append(self, rows: NDArray[Any], ids: Sequence[Any] | None, bad: list[dict[str, Any]]) -> None:
        """Store the next rows with their ids and what is wrong with them; durable on return."""
        assert self._rows is not None
        self._rows.seek(self._offset() + self.done * self._row_bytes())
        self._rows.write(np.ascontiguousarray(rows, self._dtype).data)
        # written, not through a memory map: on a full disk that would be a crash instead of an error
        _sync(self._rows)
        if self._ids is not None:
            assert ids is not None
            self._ids.seek(self._ids_bytes)
            lines = "".join(json.dumps(id, default=str) + "\n" for id in ids)
            self._ids_bytes += self._ids.write(lines.encode())
            _sync(self._ids)
        self.bad += bad
        self.done += len(rows)
        self._mark()

    def discard(self) -> None:
        """Delete what was made."""
        self.close()
        shutil.rmtree(self._path)

    def finish(self, record: dict[str, Any]) -> None:
        """Put the finished files and their manifest in place; "files" is added to the record."""
        assert self.done == self._shape[0]
        for file in (self._rows, self._ids):
            if file is not None:
                file.close()
        manifest_path(self._out).unlink(missing_ok=True)
        files.sync_directory(self._out.parent)
        # rows last: while they are not moved, the run can go on
        moves = {"ids.jsonl": ids_path(self._out), "rows.npy": self._out}
        if not self._with_ids:
            ids_path(self._out).unlink(missing_ok=True)
        for name, target in moves.items():
            if (self._path / name).exists():
                (self._path / name).replace(target)
        files.sync_directory(self._out.parent)
        entries = {}
        for path in (self._out, ids_path(self._out)):
            if path.exists():
                entries[path.name] = files.describe(path)
        entries[self._out.name] |= {"dtype": self._dtype.name, "shape": list(self._shape)}
        files.write_json(manifest_path(self._out), {**record, "files": entries})
        shutil.rmtree(self._path)

    def _resume(self) -> bool:
        """Take up an earlier run; return whether there is one to take up."""
        marker = self._path / "progress.json"
        if self._identity is None or not marker.exists():
            return False
        found = files.read_json(marker, PROGRESS_FORMAT)
        if found.get("identity") != self._identity or found.get("format_version") != FORMAT_VERSION:
            return False
        self.done, self.bad = int(found["done"]), list(found["bad"])
        self._ids_bytes = int(found["ids_bytes"])
        rows, ids = self._path / "rows.npy", self._path / "ids.jsonl"
        size = self._offset() + self._shape[0] * self._row_bytes()
        if not rows.exists():  # killed while the finished files were put in place
            return self.done == self._shape[0] and self._out.exists() and self._out.stat().st_size == size
        if rows.stat().st_size != size or (ids.exists() and ids.stat().st_size < self._ids_bytes):
            return False
        self._rows = rows.open("r+b")
        self._ids = ids.open("r+b") if ids.exists() else None
        return True

    def _begin(self) -> None:
        self.done, self.bad, self._ids_bytes = 0, [], 0
        for name in ("progress.json", "rows.npy", "ids.jsonl"):
            (self._path / name).unlink(missing_ok=True)
        size = self._offset() + self._shape[0] * self._row_bytes()
        free = shutil.disk_usage(self._path).free
        if free < size:
            raise OSError(f"{self._out}: the rows take {size:,} bytes, the disk has {free:,} left")
        self._rows = (self._path / "rows.npy").open("w+b")
        self._rows.write(self._header())
        self._rows.truncate(size)
        self._ids = (self._path / "ids.jsonl").open("w+b") if self._with_ids else None

    def _mark(self) -> None:
        record = {
            "format": PROGRESS_FORMAT,
            "format_version": FORMAT_VERSION,
            "done": self.done,
            "ids_bytes": self._ids_bytes,
            "bad": self.bad,
            "identity": self._identity,
        }
        files.write_json(self._path / "progress.json", record)

    def _header(self) -> bytes:
        header = io.BytesIO()
        description = {"descr": self._dtype.str, "fortran_order": False, "shape": self._shape}
        np.lib.format.write_array_header_1_0(header, description)
        return header.getvalue()

    def _offset(self) -> int:
        return len(self._header())

    def _row_bytes(self) -> int:
        return self._shape[1] * self._dtype.itemsize


def _sync(file: io.BufferedRandom) -> None:
    file.flush()
    os.fsync(file.fileno())
