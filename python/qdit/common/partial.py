"""The rows of embeddings.npy as they are made: a kill at any moment leaves all finished chunks.

While a run is under way POOL/embeddings.partial/ holds
    rows.npy        the file as it will be; rows beyond those of progress.json mean nothing
    progress.json   rows done, what is being computed, and the state to go on with
    lock            held while a run uses the directory
The end is, in this order: rows.npy becomes POOL/embeddings.npy, POOL/embeddings.json is written, the
directory goes. So whenever there is an embeddings.json, it describes the embeddings.npy beside it.
"""

from __future__ import annotations

import io
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import files
from .identity import check_same
from .lock import LOCK, Lock

ROWS, MANIFEST, PARTIAL = "embeddings.npy", "embeddings.json", "embeddings.partial"
PROGRESS_FORMAT = "qdit-embeddings-progress"
FORMAT_VERSION = 1
REMEDY = "repeat the earlier call, or pass overwrite=True (--overwrite) to embed all rows again"


class Writer:
    """An open unfinished embeddings.npy; use it as a context manager.

    Attributes:
        done: rows that are durable.
        state: JSON values that were given with the last of them, {} at the start.

    """

    def __init__(
        self, pool: Path, identity: dict[str, Any], n: int, dtype: str, *, overwrite: bool = False
    ) -> None:
        """Begin, or go on where an earlier run stopped.

        identity: JSON values, all that decides the rows. dtype: "float16" or "float32".

        Raises:
            OtherRunError: says what differs from the earlier run; not with `overwrite`, which drops it.
            RuntimeError: if another run holds the directory.

        """
        self._pool = pool
        self._path = pool / PARTIAL
        self._identity = identity
        self._n = n
        self._dtype = np.dtype(dtype)
        self._file: io.BufferedRandom | None = None
        self._offset = self._dimension = 0
        self.done = 0
        self.state: dict[str, Any] = {}
        self._path.mkdir(parents=True, exist_ok=True)
        self._lock = Lock(self._path / LOCK, "using it")
        try:
            files.remove_leftovers(self._path, ("progress.json",))
            files.remove_leftovers(self._pool, (MANIFEST,))
            self._resume(overwrite)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the files. Safe to call twice."""
        if self._file is not None:
            self._file.close()
            self._file = None
        self._lock.close()

    def append(self, rows: NDArray[Any], state: dict[str, Any]) -> None:
        """Store the next rows (m, d) and, with them, the state to go on with; both are durable on return."""
        if self._file is None:
            self._create(rows.shape[1])
        if rows.shape[1] != self._dimension:
            raise RuntimeError(
                f"row {self.done}: got a vector of {rows.shape[1]} dimensions, those before have "
                f"{self._dimension}; check the model"
            )
        assert self._file is not None
        self._file.seek(self._offset + self.done * self._dimension * self._dtype.itemsize)
        self._file.write(np.ascontiguousarray(rows, self._dtype).data)
        # written, not through a memory map: on a full disk that would be a crash instead of an error
        self._file.flush()
        os.fsync(self._file.fileno())
        self._mark(self.done + len(rows), state)

    def finish(self, record: dict[str, Any]) -> None:
        """Put the finished file and its manifest in place; "files" is added to the record."""
        assert self.done == self._n
        if self._file is not None:
            self._file.close()
            self._file = None
            (self._pool / MANIFEST).unlink(missing_ok=True)
            files.sync_directory(self._pool)
            (self._path / "rows.npy").replace(self._pool / ROWS)
            files.sync_directory(self._pool)
        path = self._pool / ROWS
        entry = files.describe(path)
        entry |= {"dtype": self._dtype.name, "shape": [self._n, self._dimension]}
        files.write_json(self._pool / MANIFEST, {**record, "files": {ROWS: entry}})
        shutil.rmtree(self._path)

    def _resume(self, overwrite: bool) -> None:
        marker = self._path / "progress.json"
        if not marker.exists():
            return
        try:
            record = files.read_json(marker, PROGRESS_FORMAT)
            check_same(f"{self._path}", record.get("identity"), self._identity, REMEDY)
        except ValueError:
            if not overwrite:
                raise
            marker.unlink()
            (self._path / "rows.npy").unlink(missing_ok=True)
            return
        self.done, self.state = int(record["done"]), record["state"]
        self._dimension, self._offset = int(record["dimension"]), int(record["offset"])
        size = self._offset + self._n * self._dimension * self._dtype.itemsize
        partial, finished = self._path / "rows.npy", self._pool / ROWS
        if partial.exists():
            if partial.stat().st_size != size:
                raise ValueError(
                    f"{partial}: got {partial.stat().st_size} bytes, wanted {size}; "
                    f"delete {self._path} to begin again"
                )
            self._file = partial.open("r+b")
        elif self.done != self._n or not finished.exists() or finished.stat().st_size != size:
            raise ValueError(f"{partial} is missing; delete {self._path} to begin again")

    def _create(self, dimension: int) -> None:
        header = io.BytesIO()
        shape = (self._n, dimension)
        description = {"descr": self._dtype.str, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(header, description)
        content = header.getvalue()
        self._dimension, self._offset = dimension, len(content)
        size = len(content) + self._n * dimension * self._dtype.itemsize
        free = shutil.disk_usage(self._path).free
        if free < size:
            raise OSError(f"{self._path}: embeddings take {size:,} bytes, the disk has {free:,} left")
        self._file = (self._path / "rows.npy").open("w+b")
        self._file.write(content)
        self._file.truncate(size)

    def _mark(self, done: int, state: dict[str, Any]) -> None:
        record = {
            "format": PROGRESS_FORMAT,
            "format_version": FORMAT_VERSION,
            "done": done,
            "n": self._n,
            "dimension": self._dimension,
            "offset": self._offset,
            "identity": self._identity,
            "state": state,
        }
        files.write_json(self._path / "progress.json", record)
        self.done, self.state = done, state


def partial_rows(pool: Path) -> int:
    """Return how many rows an unfinished run has done, 0 if there is none."""
    marker = pool / PARTIAL / "progress.json"
    return int(files.read_json(marker, PROGRESS_FORMAT)["done"]) if marker.exists() else 0


def remove_finished(pool: Path) -> None:
    """Delete what is left of a run that was killed at its very end; one that has rows, or runs, stays."""
    path = pool / PARTIAL
    if not path.exists() or (path / "rows.npy").exists():
        return
    with suppress(RuntimeError), Lock(path / LOCK, "using it"):  # a run has just begun
        shutil.rmtree(path)
