"""A .npy file that is made block by block: a kill at any moment leaves all finished blocks.

While a run is under way a folder holds
    rows.npy        the file as it will be; rows beyond those of progress.json mean nothing
    progress.json   rows that are done, what is being made, and what else a class goes on from
    lock            held while a run uses the folder
At the end the files move to their places, the manifest is written, and the folder goes. So whenever there is
a manifest, it describes the files beside it.
"""

import io
import shutil
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from . import files
from .closing import Closing
from .lock import LOCK, Lock
from .types import JSON, Array, Indices

ROWS, PROGRESS = "rows.npy", "progress.json"
FORMAT_VERSION = 1


class PartialRows(Closing):
    """The rows of an unfinished file; use it as a context manager.

    Attributes:
        format: of progress.json.
        done: rows that are durable.

    """

    format: ClassVar[str]

    def __init__(self, folder: Path, n: int, dtype: str) -> None:
        """Hold the folder; RuntimeError if another run does.

        folder: of the unfinished file. n: rows in all. dtype: of the file, "float16" or "float32".
        """
        self._folder = folder
        self._n = n
        self._dtype = np.dtype(dtype)
        self._file: io.BufferedRandom | None = None
        self._offset = self._dimension = self.done = 0
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = Lock(folder / LOCK, "using it")
        files.remove_leftovers(folder, (PROGRESS,))

    def close(self) -> None:
        """Let go of the files. Safe to call twice."""
        if self._file is not None:
            self._file.close()
            self._file = None
        self._lock.close()

    def _earlier(self) -> JSON | None:
        """Return what progress.json says, None without one."""
        marker = self._folder / PROGRESS
        return files.read_json(marker, self.format) if marker.exists() else None

    def _create(self, dimension: int) -> None:
        """Begin a file of rows of this dimension; OSError if the disk is too full."""
        header = self._header(dimension)
        self._dimension, self._offset = dimension, len(header)
        size, free = self._size(), shutil.disk_usage(self._folder).free
        if free < size:
            raise OSError(
                f"{self._folder}: the rows take {size:,} bytes, the disk has {free:,} left; make room on it, "
                "or move the folder to another; repeated, the call goes on"
            )
        self._file = (self._folder / ROWS).open("w+b")
        with files.writing(self._folder / ROWS):
            self._file.write(header)
            self._file.truncate(size)

    def _resume(self, finished: Path, done: int, dimension: int, offset: int | None = None) -> None:
        """Go on with the rows of an earlier run; ValueError says what is wrong with them.

        finished: where a run puts the whole file at its end, where it may have been killed. offset: bytes
            before the rows, None for those that a file begun now has.
        """
        self.done, self._dimension = done, dimension
        self._offset = len(self._header(dimension)) if offset is None else offset
        size, rows = self._size(), self._folder / ROWS
        remedy = f"delete {self._folder} to begin again"
        if rows.exists():
            if rows.stat().st_size != size:
                raise ValueError(f"{rows}: got {rows.stat().st_size} bytes, wanted {size}; {remedy}")
            self._file = rows.open("r+b")
        elif done != self._n or not finished.exists() or finished.stat().st_size != size:
            raise ValueError(f"{rows} is missing; {remedy}")

    def _forget(self) -> None:
        """Drop what an earlier run left."""
        self.done = 0
        for name in (PROGRESS, ROWS):
            (self._folder / name).unlink(missing_ok=True)

    def _write(self, rows: Array, numbers: Indices | None = None) -> None:
        """Store rows (m, d), durably; they count once `_mark` says so.

        numbers: which they are, ascending; None for those that follow the finished ones.
        """
        assert self._file is not None
        rows = np.ascontiguousarray(rows, self._dtype)
        first = np.array([self.done]) if numbers is None else numbers
        starts = [0, *(np.flatnonzero(np.diff(first) != 1) + 1).tolist()]
        with files.writing(self._folder / ROWS):
            for start, stop in pairwise([*starts, len(rows)]):
                self._file.seek(self._offset + int(first[start]) * self._dimension * self._dtype.itemsize)
                # written, not through a memory map: on a full disk that would be a crash instead of an error
                self._file.write(rows[start:stop].data)
            files.sync(self._file)

    def _mark(self, done: int, **fields: Any) -> None:
        """Write progress.json."""
        record = {"format": self.format, "format_version": FORMAT_VERSION, "done": done, **fields}
        files.write_json(self._folder / PROGRESS, record)
        self.done = done

    def _publish(self, manifest: Path, moves: Mapping[str, Path], record: JSON) -> None:
        """Put the finished files in place, the rows last, then the manifest with their entries.

        moves: name in the folder -> place.
        """
        assert self.done == self._n
        if self._file is not None:
            self._file.close()
            self._file = None
        manifest.unlink(missing_ok=True)
        files.sync_path(manifest.parent)
        for name in sorted(moves, key=ROWS.__eq__):  # while the rows are not moved, a run can go on
            if (self._folder / name).exists():
                (self._folder / name).replace(moves[name])
        files.sync_path(manifest.parent)
        entries = {place.name: files.describe(place) for place in moves.values()}
        entries[moves[ROWS].name] |= {"dtype": self._dtype.name, "shape": [self._n, self._dimension]}
        files.write_json(manifest, {**record, "files": entries})
        shutil.rmtree(self._folder)

    def _header(self, dimension: int) -> bytes:
        header = io.BytesIO()
        description = {"descr": self._dtype.str, "fortran_order": False, "shape": (self._n, dimension)}
        np.lib.format.write_array_header_1_0(header, description)
        return header.getvalue()

    def _size(self) -> int:
        return self._offset + self._n * self._dimension * self._dtype.itemsize
