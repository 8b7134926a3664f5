"""What vectors are read through: a source of known size, block by block, from any row on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

MISSING = "wanted the name of one with (n, d) numbers"


@dataclass(frozen=True, eq=False)
class Block:
    """Consecutive rows.

    Attributes:
        rows: (m, d) numbers; NaN where a row or an item is null.
        ids: one id a row, integers or text, or None.

    """

    rows: NDArray[Any]
    ids: list[Any] | None


class Reader(ABC):
    """An opened source of vectors; use it as a context manager.

    Attributes:
        n, d: its shape.
        dtype: "float16", "float32", "float64" or another NumPy name, as the numbers are stored.
        column: what the vectors are called in the source, "" where they have no name.
        id_column: what their ids are called, or None.

    """

    n: int
    d: int
    dtype: str
    column: str = ""
    id_column: str | None = None

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:  # noqa: B027 - most readers hold nothing
        """Let go of files and connections."""

    @abstractmethod
    def blocks(self, start: int, size: int) -> Iterator[Block]:
        """Yield all rows from number `start` on, in blocks of at most `size`."""

    @abstractmethod
    def identity(self) -> dict[str, Any] | None:
        """Return JSON values that change when the rows may; None where that cannot be told."""

    def describe(self) -> dict[str, Any]:
        """Return JSON values that say where the rows are from."""
        return self.identity() or {"kind": type(self).__name__}


def describe_files(kind: str, files: list[Path]) -> dict[str, Any]:
    """Return what tells whether files were changed: names, sizes, times."""
    found = [(str(path), path.stat()) for path in files]
    return {"kind": kind, "files": [[name, stat.st_size, stat.st_mtime_ns] for name, stat in found]}


def check_matrix(name: str, shape: tuple[int, ...]) -> tuple[int, int]:
    """Return (n, d); ValueError for anything else or for no rows."""
    if len(shape) != 2 or 0 in shape:
        raise ValueError(f"{name}: got shape {tuple(shape)}, wanted (n, d) with n and d at least 1")
    return int(shape[0]), int(shape[1])


def pick_ids(where: str, names: Iterable[str], asked: str | None, usual: tuple[str, ...]) -> str | None:
    """Return the name of the ids: the one asked for, which must be there, or a usual one; None for none."""
    names = list(names)
    if asked is not None and asked not in names:
        raise ValueError(f"id_column: {where} has no {asked!r}, wanted one of {', '.join(map(repr, names))}")
    return asked or next((name for name in usual if name in names), None)


def pick_name(where: str, names: list[str], asked: str | None, usual: tuple[str, ...]) -> str:
    """Return which of several named arrays is meant: the one asked for, a usual one, or the only one."""
    if asked is not None:
        if asked not in names:
            raise ValueError(f"column: {where} has no {asked!r}, wanted one of {', '.join(map(repr, names))}")
        return asked
    named = [name for name in usual if name in names]
    if named or len(names) == 1:
        return (named or names)[0]
    raise ValueError(f"column: {where} has {', '.join(map(repr, names)) or 'nothing'}; {MISSING}")
