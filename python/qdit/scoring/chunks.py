"""Scores that come in row order: an append-only file that a killed run goes on from."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from ..common import files
from ..common.closing import Closing
from ..common.types import Floats

_FIELDS = 2  # score, tokens of the row
_ROW_BYTES = _FIELDS * 8


class ChunkFile(Closing):
    """(rows, 2) float64: score (NaN for none) and tokens of each row so far; use it as a context manager.

    Chunks are appended whole, so a run that goes on cuts the rows into the same chunks as an unbroken one.

    Attributes:
        rows: rows that are done.

    """

    def __init__(self, path: Path, n: int, chunk: int) -> None:
        """Open or create; what is left of a chunk cut off by a crash is dropped."""
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        whole = min(n, os.fstat(self._handle).st_size // _ROW_BYTES)
        self.rows = whole if whole == n else whole - whole % chunk
        os.ftruncate(self._handle, self.rows * _ROW_BYTES)

    def close(self) -> None:
        """Close the file."""
        os.close(self._handle)

    def append(self, values: Floats) -> None:
        """Append the (rows, 2) values of a chunk, durably."""
        files.write_all(self._handle, values.astype("<f8").tobytes())
        os.fsync(self._handle)
        self.rows += len(values)

    def read(self) -> Floats:
        """Return all that is done, (rows, 2)."""
        content = os.pread(self._handle, self.rows * _ROW_BYTES, 0)
        return np.frombuffer(content, "<f8").reshape(-1, _FIELDS)


def done_rows(path: Path, n: int) -> int:
    """Return how many of n rows are done, without opening for writing."""
    return min(n, path.stat().st_size // _ROW_BYTES) if path.exists() else 0
