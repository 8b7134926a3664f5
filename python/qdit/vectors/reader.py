"""What vectors are read through: a source of known size, block by block, from any row on."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from ..common.closing import Closing
from ..common.types import JSON, Array, StrPath

_USUAL = ("embeddings", "embedding", "vector", "vectors")


@dataclass(frozen=True, eq=False)
class Block:
    """Consecutive rows.

    Attributes:
        rows: (m, d) numbers; NaN where a row or an item is null.
        ids: one id a row, integers or text, or None.

    """

    rows: Array
    ids: list[Any] | None


class NoRowsError(ValueError):
    """A source without a row."""


@contextmanager
def reading(where: StrPath, row: int) -> Iterator[None]:
    """Name the source in errors of the package that reads it."""
    try:
        yield
    except Exception as error:
        if isinstance(error, MemoryError) or type(error) in (ValueError, TypeError):  # of qdit
            raise
        raise ValueError(
            f"source: {where} cannot be read from row {row} on: {error}; write it again"
        ) from error


class Reader(Closing, ABC):
    """An opened source of vectors; use it as a context manager.

    Attributes:
        kind: of source.
        files: what is read; None for an object in memory, which could be any.
        n, d: its shape.
        dtype: "float16", "float32", "float64" or another NumPy name, as the numbers are stored.
        column: what the vectors are called in the source, "" where they have no name.
        id_column: what their ids are called, or None.

    """

    kind: ClassVar[str]
    files: list[Path] | None = None
    n: int
    d: int
    dtype: str
    column: str = ""
    id_column: str | None = None

    def read(self, start: int, size: int) -> Iterator[Block]:
        """Yield what `blocks` does; ValueError where the package that reads the source fails."""
        blocks, row = self.blocks(start, size), start
        while True:
            with reading(self.kind if self.files is None else self.files[0], row):
                block = next(blocks, None)
            if block is None:
                return
            yield block
            row += len(block.rows)

    @abstractmethod
    def blocks(self, start: int, size: int) -> Iterator[Block]:
        """Yield all rows from number `start` on, in blocks of at most `size`."""

    def identity(self) -> JSON | None:
        """Return JSON values that change when the rows may; None where that cannot be told."""
        if self.files is None:
            return None
        found = [(str(path), path.stat()) for path in self.files]
        return {
            "kind": self.kind,
            "files": [[name, stat.st_size, stat.st_mtime_ns] for name, stat in found],
        }

    def describe(self) -> JSON:
        """Return JSON values that say where the rows are from."""
        return self.identity() or {"kind": type(self).__name__}


def check_matrix(name: str, shape: tuple[int, ...]) -> tuple[int, int]:
    """Return (n, d); ValueError for anything else or for no rows."""
    if len(shape) == 2 and shape[0] == 0:
        raise NoRowsError(f"{name}: got shape {tuple(shape)}, wanted at least one row")
    if len(shape) != 2 or 0 in shape:
        raise ValueError(f"{name}: got shape {tuple(shape)}, wanted (n, d) with n and d at least 1")
    return int(shape[0]), int(shape[1])


def pick_ids(where: str, names: Iterable[str], asked: str | None, usual: tuple[str, ...]) -> str | None:
    """Return the name of the ids: the one asked for, which must be there, or a usual one; None for none."""
    names = list(names)
    if asked is not None and asked not in names:
        raise ValueError(f"id_column: {where} has no {asked!r}, wanted one of {', '.join(map(repr, names))}")
    return asked or next((name for name in usual if name in names), None)


def pick_name(where: str, vectors: list[str], names: list[str], asked: str | None) -> str:
    """Return which of the named `vectors` is meant: the one asked for, a usual one, or the only one.

    names: all that there are, for errors; the one asked for must be among them.
    """
    listed = ", ".join(map(repr, names))
    if asked is not None:
        if asked not in names:
            raise ValueError(f"column: {where} has no {asked!r}, wanted one of {listed}")
        return asked
    named = [name for name in _USUAL if name in vectors]
    if named or len(vectors) == 1:
        return (named or vectors)[0]
    what = f"several columns of vectors ({', '.join(vectors)})" if vectors else "no column of vectors"
    raise ValueError(f"column: {where} has {what}; name one of {listed or 'none there'}")
