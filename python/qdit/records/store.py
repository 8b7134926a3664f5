"""Rows on disk, as they came: lines of JSON with byte offsets, or a memory-mapped Arrow file."""

import base64
import json
import os
import weakref
from abc import ABC, abstractmethod
from array import array
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, Self

import numpy as np

from ..common import files, npy
from ..common.optional import require
from ..common.types import ArrowTable, Indices, Ints, RecordBatch, Schema
from .row import RowError
from .schemas import make_decoders, read_rows

_READ_BYTES = 1 << 20


class TextStore:
    """Lines of a .jsonl file, one row each, reached through their byte offsets."""

    kind = "jsonl"

    def __init__(self, lines: Path, offsets: Path) -> None:
        """Open both files; ValueError if they do not fit each other."""
        self.path = lines
        self._offsets: Ints = npy.open_npy("records", offsets)
        self._handle = os.open(lines, os.O_RDONLY)
        self.close = weakref.finalize(
            self, os.close, self._handle
        )  # once, at the latest when it is collected
        size = os.fstat(self._handle).st_size
        if self._offsets.dtype != np.int64 or self._offsets.ndim != 1 or int(self._offsets[-1]) != size:
            raise ValueError(f"{lines} has {size} bytes, {offsets} does not fit it; import the records again")

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def raw(self, i: int) -> bytes:
        """Return line i without its newline."""
        start, stop = int(self._offsets[i]), int(self._offsets[i + 1])
        return os.pread(self._handle, stop - start - 1, start)

    def value(self, i: int) -> Any:
        """Return row i as parsed JSON."""
        return json.loads(self.raw(i))

    def raws(self, start: int, stop: int) -> Iterator[bytes]:
        """Yield lines in order, reading ahead."""
        if start >= stop:
            return
        with self.path.open("rb", buffering=_READ_BYTES) as file:
            file.seek(int(self._offsets[start]))
            for _ in range(start, stop):
                yield file.readline()[:-1]

    def values(self, start: int, stop: int) -> Iterator[Any]:
        """Yield parsed rows in order."""
        return map(json.loads, self.raws(start, stop))


class Writer(ABC):
    """Writes rows that a store reads; use it as a context manager, which makes the files whole and durable.

    Attributes:
        kind: of the store.
        paths: of the files.

    """

    kind: ClassVar[str]
    paths: tuple[Path, ...]
    _file: BinaryIO

    @abstractmethod
    def __len__(self) -> int:
        """Return how many rows were written."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        with files.writing(self.paths[0]), self._file:
            if error is None:
                self._finish()

    @abstractmethod
    def _finish(self) -> None:
        """Make the files whole and durable."""


class TextWriter(Writer):
    """Writes what `TextStore` reads."""

    kind = TextStore.kind

    def __init__(self, lines: Path, offsets: Path) -> None:
        self.paths = (lines, offsets)
        self._file = lines.open("wb", buffering=_READ_BYTES)
        self._offsets = array("q", [0])

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def add(self, line: bytes) -> None:
        """Append a row: one line, without newline."""
        with files.writing(self.paths[0]):
            self._file.write(line)
            self._file.write(b"\n")
        self._offsets.append(self._offsets[-1] + len(line) + 1)

    def _finish(self) -> None:
        files.sync(self._file)
        files.write_npy(self.paths[1], np.frombuffer(self._offsets, np.int64))


class ArrowStore:
    """Rows of an Arrow IPC file, memory-mapped; types are kept."""

    kind = "arrow"

    def __init__(self, path: Path) -> None:
        """Map the file; ValueError if it is damaged."""
        pa = require("pyarrow", "data", "to read typed records")
        self.path = path
        try:
            self._reader: Any = pa.ipc.open_file(pa.memory_map(str(path)))
        except pa.ArrowInvalid as error:
            raise ValueError(f"{path} is damaged: {error}; import the records again") from error
        self.schema: Schema = self._reader.schema
        self._decoders = make_decoders(self.schema)
        ends = np.cumsum([self._batch(i).num_rows for i in range(self._reader.num_record_batches)])
        self._ends: list[int] = [int(end) for end in ends]

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def _batch(self, number: int) -> RecordBatch:
        return self._reader.get_batch(number)

    def value(self, i: int) -> Any:
        """Return row i as Python values."""
        number = bisect_right(self._ends, i)
        start = self._ends[number - 1] if number else 0
        return next(self._read(number, i - start, 1))

    def values(self, start: int, stop: int) -> Iterator[Any]:
        """Yield rows in order as Python values."""
        while start < stop:
            number = bisect_right(self._ends, start)
            first = self._ends[number - 1] if number else 0
            last = min(stop, self._ends[number])
            yield from self._read(number, start - first, last - start)
            start = last

    def _read(self, number: int, start: int, count: int) -> Iterator[Any]:
        for value in read_rows(self._batch(number).slice(start, count), self._decoders):
            if isinstance(value, RowError):
                raise ValueError(f"{self.path}: a row {value}; import the records again") from value
            yield value

    def raw(self, i: int) -> bytes:
        """Return row i as one line of JSON."""
        return to_json(self.value(i))

    def raws(self, start: int, stop: int) -> Iterator[bytes]:
        """Yield rows in order as lines of JSON."""
        return map(to_json, self.values(start, stop))

    def take(self, indices: Indices) -> ArrowTable:
        """Return rows as a pyarrow.Table with the types of the source."""
        pa = require("pyarrow", "data", "to read typed records")
        if not len(indices):
            return self.schema.empty_table()
        starts = np.array([0, *self._ends[:-1]])
        numbers = np.searchsorted(self._ends, indices, side="right")
        pieces = [
            self._batch(int(numbers[part[0]])).take(pa.array(indices[part] - starts[numbers[part[0]]]))
            for part in np.split(np.arange(len(indices)), np.flatnonzero(np.diff(numbers)) + 1)
        ]
        return pa.Table.from_batches(pieces, self.schema)

    def close(self) -> None:
        """Let go of the file."""
        self._reader = None


class ArrowWriter(Writer):
    """Writes what `ArrowStore` reads."""

    kind = ArrowStore.kind

    def __init__(self, path: Path, schema: Schema) -> None:
        pa = require("pyarrow", "data", "to store typed records")
        self.paths = (path,)
        self._file = path.open("wb")
        self._writer: Any = pa.ipc.new_file(self._file, schema)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, batch: RecordBatch) -> None:
        """Append a pyarrow.RecordBatch."""
        with files.writing(self.paths[0]):
            self._writer.write_batch(batch)
        self._count += batch.num_rows

    def _finish(self) -> None:
        with files.writing(self.paths[0]):
            self._writer.close()
        files.sync(self._file)


Store = TextStore | ArrowStore


def open_store(kind: str, paths: Sequence[Path]) -> Store:
    """Open what a writer of this kind wrote to these paths."""
    return ArrowStore(paths[0]) if kind == ArrowStore.kind else TextStore(paths[0], paths[-1])


def to_json(value: Any) -> bytes:
    """Return a row of Python values as one line of JSON.

    Bytes become base64, dates ISO 8601 text, NaN and infinities, which JSON has not, null.
    """
    try:
        return files.to_json(value, ensure_ascii=False, default=_plain).encode()
    except UnicodeEncodeError:  # half a surrogate pair, which UTF-8 has not and an escape has
        return files.to_json(value, default=_plain).encode()


def without_nan(line: bytes, value: Any) -> tuple[bytes, Any]:
    """Return a row of a JSON file with null where it has NaN or an infinity, which other readers refuse."""
    found: list[str] = []
    if b"NaN" in line or b"Infinity" in line:
        value = json.loads(line, parse_constant=found.append)
    return (to_json(value) if found else line), value


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, Mapping):
        return dict(value)
    if type(value).__name__ in ("NAType", "NaTType"):  # of pandas
        return None
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    return str(value)
