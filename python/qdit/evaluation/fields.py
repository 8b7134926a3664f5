"""Rows of JSON files, read field by field; errors name the file, the row and the field."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from ..common.types import StrPath
from ..records.row import RowError
from ..records.textfiles import read_file

Object = Mapping[str, Any]  # a row of a file
T = TypeVar("T")


def read_rows(
    name: str,
    path: StrPath,
    read: Callable[[int, Object], T],
    *,
    wanted: str = "",
    refused: list[str] | None = None,
) -> dict[int, T]:
    """Return what `read` makes of each row of a file, by the number of the row from 0.

    Args:
        name: what the file is for; it leads errors about the file.
        path: JSON Lines or a JSON array of objects, plain or compressed.
        read: takes number and fields of a row; RowError says what is wrong with it.
        wanted: ends errors about a row.
        refused: gets the errors about rows, which are left out; None raises the first as a ValueError.

    """
    path = Path(path)
    if path.is_dir():
        raise FileNotFoundError(f"{name}: got {str(path)!r}, a folder, wanted a file")
    if not path.is_file():
        raise FileNotFoundError(f"{name}: no such file: {path}")
    found: dict[int, T] = {}
    row = -1
    for row, item in enumerate(read_file(path)):
        try:
            if item.error is not None:
                raise item.error
            if not isinstance(item.value, Mapping):
                raise RowError("", "is no object with fields", item.value)
            found[row] = read(row, item.value)
        except RowError as error:
            problem = f"{path}, row {row} (line {item.line}): {error}"
            if refused is None:
                raise ValueError(problem + wanted) from error
            refused.append(problem)
    if row < 0:
        raise ValueError(f"{name}: {path} holds no row")
    return found


def texts(row: Object, field: str) -> list[str]:
    """Return a list of texts that is not empty."""
    value = row.get(field)
    if not isinstance(value, list) or not value or not all(isinstance(one, str) for one in value):
        raise RowError(field, "is no list of texts", value)
    return value


def integer(row: Object, field: str) -> int:
    """Return an integer."""
    value = row.get(field)
    if isinstance(value, bool) or not isinstance(value, int):
        raise RowError(field, "is no integer", value)
    return value


def identifier(row: Object, field: str) -> str:
    """Return text or an integer as text."""
    value = row.get(field)
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise RowError(field, "is no id, wanted text or an integer", value)
    return str(value)


def optional(row: Object, field: str, read: Callable[[Object, str], T]) -> T | None:
    """Return what `read` makes of a field, None where it is missing or null."""
    return None if row.get(field) is None else read(row, field)
