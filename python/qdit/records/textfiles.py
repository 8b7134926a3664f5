"""Rows of text files: JSON Lines, JSON arrays and CSV, plain or compressed."""

import csv
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from .compressed import BUFFER_BYTES, COMPRESSED, DAMAGE, expand, is_damage
from .formats import is_turn
from .jsonarray import MAX_ROW_BYTES, Element, JsonSyntaxError, Parser, read_array, read_values
from .row import RowError
from .store import to_json, without_nan

_BOM = b"\xef\xbb\xbf"
_CONVERT = "convert the file, such as by iconv -f CP1252 -t UTF-8"
SUFFIXES = (".json", ".jsonl", ".ndjson", ".csv", ".tsv")


class Item(NamedTuple):
    """A row of a file: its line (from 1), its own bytes on one line, its value or what is wrong with it."""

    line: int | None  # None inside an object
    raw: bytes
    value: Any
    error: RowError | None = None


def suffix(path: Path) -> str:
    """Return the suffix that tells the kind of file: ".jsonl" of x.jsonl.gz."""
    parts = [part.lower() for part in path.suffixes]
    while parts and parts[-1] in COMPRESSED:
        parts.pop()
    return parts[-1] if parts else ""


def read_file(
    path: Path,
    watch: Callable[[int], Any] = lambda position: None,
    fits: Callable[[Any], bool] = lambda value: True,
) -> Iterator[Item]:
    """Yield the rows of a file in order, streaming.

    Args:
        path: .json, .jsonl, .ndjson, .csv or .tsv, also with .gz, .zst, .xz or .bz2. Whether JSON is an
            array, lines or objects of several lines is seen from its contents, as is compression.
        watch: is told after each row how many bytes of the file have been read.
        fits: whether a value is a row. A file with a single object that is none may hold its rows inside: in
            the one list of objects that it has, or as columns.

    Raises:
        ValueError: where a file cannot be read on: it is cut off, not UTF-8, or a broken JSON array.

    """
    try:
        with path.open("rb") as file, expand(path, file) as stream:
            for item in _rows(path, stream, fits):
                yield item
                watch(file.tell())
    except DAMAGE as error:
        if is_damage(error):
            raise ValueError(f"{path} is cut off or damaged: {error}; fetch or compress it again") from error
        if isinstance(error, OSError) and error.filename is None:
            error.filename = str(path)
        raise


def _rows(path: Path, stream: io.BufferedReader, fits: Callable[[Any], bool]) -> Iterator[Item]:
    kind = suffix(path)
    if kind in (".csv", ".tsv"):
        return _read_csv(path, stream, "\t" if kind == ".tsv" else ",")
    start = stream.peek(BUFFER_BYTES)[:BUFFER_BYTES].removeprefix(_BOM).lstrip()
    if start.startswith(b"["):
        return _read_json(path, read_array(stream))
    spanning = start.startswith(b"{") and _spans_lines(start)
    items = _read_json(path, read_values(stream)) if spanning else _read_lines(path, stream)
    return _unwrapped(path, items, fits)


def _spans_lines(start: bytes) -> bool:
    """Return whether the first object goes on in the second line, which one that is cut off does not."""
    first, _, rest = start.partition(b"\n")
    if first.rstrip().endswith((b"{", b"[", b",", b":")):
        return True
    return rest.lstrip()[:1] in (b'"', b",", b"}", b"]")


def _unwrapped(path: Path, items: Iterator[Item], fits: Callable[[Any], bool]) -> Iterator[Item]:
    """Yield the rows inside the only object of a file, where it is no row itself; else the objects."""
    for first in items:
        second = None
        if isinstance(first.value, dict) and not fits(first.value):
            second = next(items, None)
            if second is None:
                rows = _inside(path, first.value, fits)
                yield from (Item(None, to_json(row), row) for row in rows) if rows else [first]
                return
        yield first
        if second is not None:
            yield second
        yield from items


def _inside(path: Path, value: dict[str, Any], fits: Callable[[Any], bool]) -> list[Any]:
    """Return the rows inside an object, [] if it has none."""
    lists = {key: rows for key, rows in value.items() if _is_list_of(dict, rows)}
    if any(is_turn(rows[0]) for rows in lists.values()):  # a chat, though it cannot be read
        return []
    if len(lists) > 1:
        names = " and ".join(map(repr, lists))
        key = next(iter(lists))
        raise ValueError(
            f"{path} is one object with rows under {names}; write those that are meant to a file of their "
            f"own, such as by jq '.[{json.dumps(key)}]' {path.name} > {key}.json"
        )
    if lists:
        return next(iter(lists.values()))
    return next((rows for rows in _tables(value) if any(map(fits, rows))), [])


def _tables(value: dict[str, Any]) -> Iterator[list[Any]]:
    """Yield the rows that an object of columns may have, in each way that pandas writes a table."""
    names, rows = value.get("columns", []), value.get("data", [])
    if _is_list_of(str, names) and _is_list_of(list, rows):
        if all(isinstance(cells, list) and len(cells) == len(names) for cells in rows):
            yield [dict(zip(names, cells, strict=True)) for cells in rows]
        return
    columns = list(value.values())
    if all(_is_list_of(object, column) and len(column) == len(columns[0]) for column in columns):
        yield [dict(zip(value, cells, strict=True)) for cells in zip(*columns, strict=True)]
    if columns and all(isinstance(column, dict) for column in columns):  # by name, then by row; or by row
        if all(column.keys() == columns[0].keys() for column in columns):
            yield [{name: column[key] for name, column in value.items()} for key in columns[0]]
        yield columns


def _is_list_of(kind: type, value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], kind)


def _read_json(path: Path, elements: Iterator[Element]) -> Iterator[Item]:
    try:
        for line, text, value, doubled in elements:
            yield _item(line, text.encode("utf-8", "surrogatepass"), value, doubled)
    except JsonSyntaxError as error:
        raise ValueError(
            f"{path}, row {error.count} (line {error.line}): {error.problem}; rows after it cannot be told "
            "apart, so it cannot be skipped: repair the file"
        ) from error


def _item(line: int, raw: bytes, value: Any, doubled: str | None) -> Item:
    if doubled is None:
        return Item(line, *without_nan(raw, value))
    return Item(line, raw, None, RowError(doubled, "is there twice in one object", value))


def _read_lines(path: Path, stream: BinaryIO) -> Iterator[Item]:
    number, parser = 0, Parser()
    while line := stream.readline(MAX_ROW_BYTES):
        number += 1
        if len(line) == MAX_ROW_BYTES:
            most = MAX_ROW_BYTES >> 20
            raise ValueError(f"{path}, line {number}: is longer than {most} MiB; write a row a line")
        if number == 1:
            line = line.removeprefix(_BOM)
        line = line.removesuffix(b"\n").removesuffix(b"\r")
        if line and not line.isspace():
            yield _parse_line(parser, number, line)


def _parse_line(parser: Parser, number: int, line: bytes) -> Item:
    if b"\r" in line:  # white space in JSON, but the end of a line to many readers
        return Item(number, line, None, RowError("", "has a carriage return inside the line", line))
    try:
        value = parser.decode(line.decode())
    except UnicodeDecodeError as error:
        return Item(number, line, None, RowError("", f"is not UTF-8 ({error.reason}); {_CONVERT}", line))
    except json.JSONDecodeError as error:
        where = f"is not JSON: {error.msg} (character {error.pos + 1})"
        return Item(number, line, None, RowError("", where, line))
    except RecursionError:
        return Item(number, line, None, RowError("", "is nested too deeply", line))
    except ValueError:  # of Python's int
        return Item(number, line, None, RowError("", "has a number of too many digits", line))
    return _item(number, line, value, parser.doubled)


def _read_csv(path: Path, stream: BinaryIO, delimiter: str) -> Iterator[Item]:
    csv.field_size_limit(max(csv.field_size_limit(), MAX_ROW_BYTES))
    line = 1
    with io.TextIOWrapper(stream, "utf-8-sig", newline="") as text:
        reader = csv.reader(text, delimiter=delimiter, strict=True)
        try:
            names = next(reader, None)
            if names is None:  # an empty file
                return
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
            raise ValueError(f"{path}, after line {line}: not UTF-8 ({error.reason}); {_CONVERT}") from error


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
