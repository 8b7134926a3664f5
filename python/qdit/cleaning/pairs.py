"""All pairs of rows that are at least so similar: exact, in bounded memory, part by part."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._core import Engine
from ..common import files
from ..common.appended import AppendedFile
from ..common.closing import Closing
from ..common.identity import check_same
from ..common.lock import LOCK, Lock
from ..common.types import JSON, Floats, Indices, StrPath

PAIR = np.dtype([("row", np.uint32), ("other", np.uint32), ("sim", np.int64)])
PAIRS, STATE = "pairs.bin", "pairs.json"
_FORMAT = "qdit-pairs"
_WIDTH = 512  # rows that the engine compares with all others at a time, in a thread
_PART_PAIRS = 1 << 31  # compared between two looks at the clock
_NEARLY_ONE = 1.0 - 2.0**-20  # rounding tells no more

Found = NDArray[Any]  # items of `PAIR`
Labels = NDArray[np.str_]


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs of rows, by row and then by the other.

    Attributes:
        rows: (p, 2) int64, the smaller row number first.
        similarity: (p,) float64.
        by: (p,) what each was found by.

    """

    rows: Indices
    similarity: Floats
    by: Labels

    @classmethod
    def of(cls, found: Found, scale: float, by: str) -> Pairs:
        """Return what was found, in any order; scale: of its similarities."""
        found = found[np.lexsort((found["other"], found["row"]))]
        rows = np.column_stack([found["row"], found["other"]]).astype(np.int64)
        return cls(rows.reshape(-1, 2), found["sim"] / scale, np.full(len(found), by))

    def __len__(self) -> int:
        return len(self.similarity)

    def joined(self, others: Pairs) -> Pairs:
        """Return these pairs and those of the others that are not among them."""
        parts = (self, others)
        rows = np.concatenate([part.rows for part in parts])
        rows, first = np.unique(rows, axis=0, return_index=True)
        similarity = np.concatenate([part.similarity for part in parts])[first]
        return Pairs(rows, similarity, np.concatenate([part.by for part in parts])[first])

    def look_up(self, rows: Indices, others: Indices) -> Indices:
        """Return the positions of pairs (row, other), whichever comes first; -1 where there is none."""
        if not len(self):
            return np.full(len(rows), -1)
        base = np.int64(2**32)
        keys = self.rows[:, 0] * base + self.rows[:, 1]
        wanted = np.minimum(rows, others) * base + np.maximum(rows, others)
        at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        return np.where(keys[at] == wanted, at, -1)


def fixed_threshold(engine: Engine, threshold: float) -> int:
    """Return a similarity in fixed point; 1 is as near to 1 as rounding tells apart under "cosine"."""
    return max(1, round(min(threshold, _NEARLY_ONE * engine.range) * engine.scale))


def find_pairs(
    engine: Engine,
    threshold: float,
    *,
    by: str,
    most: int,
    keep: Callable[[Found], Found] = lambda found: found,
    folder: StrPath | None = None,
    identity: JSON | None = None,
    tick: Callable[[float], None] = lambda share: None,
) -> Pairs:
    """Return the pairs of an engine's rows that are at least so similar.

    Each pair is compared once, or ruled out by a rigorous bound; nothing of size n x n is stored.

    Args:
        engine: over the rows.
        threshold: similarity, above 0.
        by: what the pairs are found by.
        most: pairs that are kept.
        keep: takes away pairs that do not matter, part by part.
        folder: where an unfinished run keeps its pairs, so that it goes on from there; None for memory alone.
        identity: of the run, for the folder.
        tick: is told the share of the work that is done.

    Raises:
        ValueError: where there are more than `most` pairs, or the folder is of another run.
        RuntimeError: if another run uses the folder.

    """
    n, least = engine.n, fixed_threshold(engine, threshold)
    work = n * (n - 1) / 2 or 1.0
    parts: list[Found] = []
    with nullcontext() if folder is None else _Folder(Path(folder), identity or {}) as kept:
        start, count = 0, 0
        if kept is not None:
            start, earlier = kept.read()
            parts.append(earlier)
            count = len(earlier)
        while start < n:
            stop = min(n, start + max(_WIDTH * engine.threads, _PART_PAIRS // (n - start)))
            try:
                found = keep(engine.similar_pairs(start, stop, least, most))
            except OverflowError:
                raise _too_many(threshold, most) from None
            count += len(found)
            if count > most:
                raise _too_many(threshold, most)
            parts.append(found)
            start = stop
            if kept is not None:
                kept.add(found, start)
            tick(1.0 - (n - start) * (n - start - 1) / 2 / work)
    found = np.concatenate([np.empty(0, PAIR), *parts])
    return Pairs.of(found, engine.scale, by)


def _too_many(threshold: float, most: int) -> ValueError:
    return ValueError(
        f"threshold: more than {most:,} pairs of rows have a similarity of {threshold:g} or more; raise the "
        "threshold, leave equal texts out first (by text), or allow more with max_pairs (16 bytes each)"
    )


class _Folder(Closing):
    """What an unfinished run keeps: pairs as they were found, and up to which row."""

    def __init__(self, folder: Path, identity: JSON) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._state, self._identity = folder / STATE, identity
        self._lock = Lock(folder / LOCK, "comparing rows there")
        self._file = AppendedFile(folder / PAIRS)
        self._bytes = 0

    def close(self) -> None:
        """Let go of the files."""
        self._file.close()
        self._lock.close()

    def read(self) -> tuple[int, Found]:
        """Return the row to go on with, and the pairs so far."""
        done = 0
        if self._state.is_file():
            found = files.read_json(self._state, _FORMAT, remedy=f"delete {self._state.parent}")
            check_same(str(self._state.parent), found["identity"], self._identity, "delete it to begin again")
            done, self._bytes = int(found["done"]), int(found["bytes"])
        self._file.cut(self._bytes)
        if self._file.path.stat().st_size != self._bytes:
            raise ValueError(f"{self._file.path} is cut off; delete {self._state.parent} to begin again")
        return done, np.fromfile(self._file.path, PAIR)

    def add(self, found: Found, done: int) -> None:
        """Keep what was found up to a row."""
        self._file.add(np.ascontiguousarray(found).tobytes())
        self._file.sync()
        self._bytes += found.nbytes
        record = {"format": _FORMAT, "identity": self._identity, "done": done, "bytes": self._bytes}
        files.write_atomic(self._state, [json.dumps(record).encode()])
