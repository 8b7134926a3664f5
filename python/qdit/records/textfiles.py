"""Rows of text files: JSON Lines, JSON arrays and CSV, plain or compressed."""

import csv
import gzip
import io
import json
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from ..common.optional import require
from .jsonarray import MAX_ROW_BYTES, JsonSyntaxError, read_array
from .row import RowError
from .store import to_json, without_nan

_BUFFER_BYTES = 1 << 20
_BOM = b"\xef\xbb\xbf"
COMPRESSED = (".gz", ".zst")
SUFFIXES = (".json", ".jsonl", ".ndjson", ".csv", ".tsv")


class Item(NamedTuple):
    """A row of a file: its line (from 1), its own bytes on one line, its value or what is wrong with it."""

    line: int
    raw: bytes
    value: Any
    error: RowError | None = None


def suffix(path: Path) -> str:
    """Return the suffix that tells the kind of file: ".jsonl" of x.jsonl.gz."""
    parts = [part.lower() for part in path.suffixes]
    while parts and parts[-1] in COMPRESSED:
        parts.pop()
    return parts[-1] if parts else ""


def read_file(path: Path, watch: Callable[[int], Any] = lambda position: None) -> Iterator[Item]:
    """Yield the rows of a file in order, streaming.

    Args:
        path: .json, .jsonl, .ndjson, .csv or .tsv, also with .gz or .zst. Whether a JSON file is an array or
            lines is seen from its first character.
        watch: is told after each row how many bytes of the file have been read.

    Raises:
        ValueError: where a file cannot be read on: it is cut off, not UTF-8, or a broken JSON array.

    """
    with path.open("rb") as file, _expand(path, file) as stream:
        try:
            for item in _rows(path, stream):
                yield item
                watch(file.tell())
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise ValueError(f"{path} is cut off or damaged: {error}; fetch or compress it again") from error


def _expand(path: Path, file: BinaryIO) -> io.BufferedReader:
    stream: Any = file
    if path.suffix.lower() == ".gz":
        stream = gzip.GzipFile(fileobj=file)
    elif path.suffix.lower() == ".zst":
        zstandard = require("zstandard", "data", "to read .zst files")
        stream = _WholeZst(zstandard, file, path)
    return io.BufferedReader(stream, _BUFFER_BYTES)


class _WholeZst(io.RawIOBase):
    """A .zst file that says so when it is cut off, where zstandard itself just ends."""

    def __init__(self, zstandard: Any, file: BinaryIO, path: Path) -> None:
        self._zstandard = zstandard
        self._file = file
        self._path = path
        self._frame: Any = None
        self._rest = b""  # decompressed, not yet handed out
        self._next = b""  # compressed, of the frames to come

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            data = self._next or self._file.read(_BUFFER_BYTES)
            self._next = b""
            if not data:
                if self._frame is not None:
                    raise EOFError("the compressed data ends early")
                return 0
            if self._frame is None:
                self._frame = self._zstandard.ZstdDecompressor().decompressobj()
            try:
                self._rest = self._frame.decompress(data)
            except self._zstandard.ZstdError as error:
                raise EOFError(str(error)) from error
            if self._frame.eof:
                self._next, self._frame = self._frame.unused_data, None
        size = min(len(buffer), len(self._rest))
        buffer[:size], self._rest = self._rest[:size], self._rest[size:]
        return size


def _rows(path: Path, stream: io.BufferedReader) -> Iterator[Item]:
    kind = suffix(path)
    if kind in (".csv", ".tsv"):
        return _read_csv(path, stream, "\t" if kind == ".tsv" else ",")
    start = stream.peek(_BUFFER_BYTES)[:_BUFFER_BYTES].removeprefix(_BOM).lstrip()
    return _read_array(path, stream) if start.startswith(b"[") else _read_lines(stream)


def _read_array(path: Path, stream: BinaryIO) -> Iterator[Item]:
    try:
        for element in read_array(stream):
            yield Item(element.line, *without_nan(element.text.encode(), element.value))
    except JsonSyntaxError as error:
        raise ValueError(
            f"{path}, row {error.count} (line {error.line}): {error.problem}; rows after it cannot be told "
            "apart, so it cannot be skipped: repair the file"
        ) from error


def _read_lines(stream: BinaryIO) -> Iterator[Item]:
    number = 0
    while line := stream.readline(MAX_ROW_BYTES):
        number += 1
        if number == 1:
            line = line.removeprefix(_BOM)
        line = line.removesuffix(b"\n").removesuffix(b"\r")
        if line and not line.isspace():
            yield _parse_line(number, line)


def _parse_line(number: int, line: bytes) -> Item:
    if b"\r" in line:  # white space in JSON, but the end of a line to many readers
        return Item(number, line, None, RowError("", "has a carriage return inside the line", line))
    try:
        return Item(number, *without_nan(line, json.loads(line.decode())))
    except UnicodeDecodeError as error:
        return Item(number, line, None, RowError("", f"is not UTF-8 ({error.reason})", line))
    except json.JSONDecodeError as error:
        where = f"is not JSON: {error.msg} (character {error.pos + 1})"
        return Item(number, line, None, RowError("", where, line))
    except RecursionError:
        return Item(number, line, None, RowError("", "is nested too deeply", line))


def _read_csv(path: Path, stream: BinaryIO, delimiter: str) -> Iterator[Item]:
    csv.field_size_limit(max(csv.field_size_limit(), MAX_ROW_BYTES))
    line = 1
    with io.TextIOWrapper(stream, "utf-8-sig", newline="") as text:
        reader = csv.reader(text, delimiter=delimiter, strict=True)
        try:
            names = next(reader, [])
            _check_header(path, names)
            line = reader.line_num + 1
            for cells in reader:
                if cells:
                    yield _csv_item(line, names, cells)
                line = reader.line_num + 1
        except csv.Error as error:
            raise ValueError(
                f"{path}, line {line}: {error}; rows after it cannot be told apart; mend the quotes there"
            ) from error
        except UnicodeDecodeError as error:
            raise ValueError(f"{path}, after line {line}: not UTF-8 ({error.reason}); convert it") from error


def _csv_item(line: int, names: list[str], cells: list[str]) -> Item:
    if len(cells) == len(names):
        value = dict(zip(names, cells, strict=True))
        return Item(line, to_json(value), value)
    problem = f"has {len(cells)} cells, wanted {len(names)}"
    return Item(line, b"", None, RowError("", problem, cells))


def _check_header(path: Path, names: list[str]) -> None:
    if not names:
        raise ValueError(f"{path}: no header line, wanted one with the names of the columns")
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise ValueError(f"{path}: column {twice[0]!r} is there twice; give each column its own name")
