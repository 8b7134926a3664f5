"""Rows of a file by the standard library and pyarrow alone: what an import must keep, or say it skips."""

from __future__ import annotations

import base64
import bz2
import csv
import gzip
import io
import json
import lzma
import math
from datetime import date, time
from pathlib import Path
from typing import Any

BAD = object()  # a row that is none
_MAGIC = {b"\x1f\x8b": gzip.decompress, b"\xfd7zXZ\0": lzma.decompress, b"BZh": bz2.decompress}
_ERRORS = (ValueError, RecursionError, EOFError, OSError, lzma.LZMAError)


def read_plainly(path: Path) -> list[list[Any]]:
    """Return the rows of a file, in every way that it can be read: none where it cannot."""
    names = [suffix.lower() for suffix in path.suffixes]
    while names and names[-1] in (".gz", ".xz", ".bz2", ".zst"):
        names.pop()
    kind = names[-1] if names else ""
    if kind in (".parquet", ".arrow"):
        return _table(path, kind)
    try:
        data = _unpacked(_unpacked(path.read_bytes()))
    except Exception:  # of any library
        return []
    if not data.strip():
        return [[]]
    return _csv(data, "\t" if kind == ".tsv" else ",") if kind in (".csv", ".tsv") else _json(data)


def _unpacked(data: bytes) -> bytes:
    for magic, unpack in _MAGIC.items():
        if data.startswith(magic):
            return unpack(data)
    if data.startswith(b"\x28\xb5\x2f\xfd"):
        import zstandard

        return zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True).read()
    return data


def _table(path: Path, kind: str) -> list[list[Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        if kind == ".parquet":
            with pq.ParquetFile(path) as file:
                groups = [file.read_row_group(i) for i in range(file.num_row_groups)]
                return [[_row(group.slice(i, 1)) for group in groups for i in range(len(group))]]
        with pa.memory_map(str(path)) as file:
            table = pa.ipc.open_stream(file).read_all()
            return [[_row(table.slice(i, 1)) for i in range(len(table))]]
    except (pa.ArrowException, OSError, *_ERRORS):
        return []


def _row(table: Any) -> Any:
    try:
        table.validate(full=True)
        return table.to_pylist()[0]
    except _ERRORS:
        return BAD


def _csv(data: bytes, delimiter: str) -> list[list[Any]]:
    csv.field_size_limit(1 << 28)
    try:
        text = io.StringIO(data.decode("utf-8-sig"), newline="")
        names, *rows = csv.reader(text, delimiter=delimiter, strict=True)
    except (csv.Error, ValueError):
        return []
    return [[dict(zip(names, row, strict=True)) if len(row) == len(names) else BAD for row in rows if row]]


def _json(data: bytes) -> list[list[Any]]:
    found = []
    data = data.removeprefix(b"\xef\xbb\xbf")
    if not data.lstrip().startswith(b"["):
        found.append([_parsed(line) for line in data.split(b"\n") if line.strip()])
    try:
        text, at, values, decoder = data.decode(), 0, [], json.JSONDecoder()
        while text[at:].strip(" \t\r\n,"):
            at = len(text) - len(text[at:].lstrip(" \t\r\n,"))
            value, at = decoder.raw_decode(text, at)
            values.append(value)
    except _ERRORS:
        return found
    found.append(values)
    if len(values) == 1 and isinstance(values[0], list):
        found.append(values[0])
    if len(values) == 1 and isinstance(values[0], dict) and values[0]:
        cells = list(values[0].values())
        found += [rows for rows in cells if isinstance(rows, list) and rows and isinstance(rows[0], dict)]
        if all(isinstance(column, list) and len(column) == len(cells[0]) for column in cells):
            found.append([dict(zip(values[0], row, strict=True)) for row in zip(*cells, strict=True)])
        if all(isinstance(row, dict) for row in cells):
            found.append(cells)
    return found


def _parsed(line: bytes) -> Any:
    try:
        return json.loads(line.decode())
    except _ERRORS:
        return BAD


def plain(value: Any) -> Any:
    """Return a value as JSON has it, so that values of all formats can be compared."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, dict):
        return {name: plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def holds(got: Any, want: Any) -> bool:
    """Return whether a value is the wanted one; fields that other shards have may be null."""
    if isinstance(got, dict) and isinstance(want, dict):
        return want.keys() <= got.keys() and all(holds(one, want.get(name)) for name, one in got.items())
    if isinstance(got, list) and isinstance(want, list):
        return len(got) == len(want) and all(map(holds, got, want))
    return got == want or str(got) == str(want)
