"""Labels of rows, such as tags: one or several for each, or none."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np

from ..common import files
from ..common.types import JSON, Indices
from ..engine import arrays
from ..engine.arrays import Label

_LINES = (".jsonl", ".ndjson")


@dataclass(frozen=True, eq=False)
class Labels:
    """The labels of n rows.

    Attributes:
        names: the distinct labels, by number.
        starts: (n + 1,) int64, where the labels of each row begin in `codes`.
        codes: int64 numbers of labels, row after row, ascending and distinct within a row.

    """

    names: tuple[Label, ...]
    starts: Indices
    codes: Indices

    @classmethod
    def of_cells(cls, cells: Indices, count: int) -> Labels:
        """Return the labels of rows that are in one cell each; cells: (n,), each below count, -1 for none."""
        there = cells >= 0
        starts = np.concatenate([[0], np.cumsum(there)])
        return cls(tuple(range(count)), starts, cells[there])

    @property
    def members(self) -> Indices:
        """For each of `codes` the row that it is a label of."""
        return np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))

    def describe(self) -> JSON:
        """Return a hash, and how many rows and labels there are."""
        about = json.dumps([self.names, self.starts.tolist()])
        return {
            "sha256": files.sha256_array(self.codes, about),
            "shape": [len(self.starts) - 1],
            "dtype": f"{len(self.names)} labels",
        }


def open_labels(labels: Any, n: int) -> Labels:
    """Read the labels of n rows.

    Args:
        labels: n integers or strings, or n sequences of them: an array or sequence, the path of a .npy file,
            or of a .jsonl file with one JSON value a line.
        n: the number of rows.

    Raises:
        TypeError: for anything but integers or strings, all of one kind; the row is named.
        ValueError: for another number of rows.

    """
    if isinstance(labels, str | os.PathLike) and Path(labels).suffix in _LINES:
        labels = [json.loads(line) for line in Path(labels).read_text(encoding="utf-8").splitlines() if line]
    if not _several(labels):
        names, codes = arrays.labels("labels", labels, n)
        return Labels(names, np.arange(n + 1), codes)
    if len(labels) != n:
        raise ValueError(f"labels: got {len(labels):,} rows, wanted {n:,}, one for each row of embeddings")
    found = [_of_row(row, entry) for row, entry in enumerate(labels)]
    names = _sorted({label for entry in found for label in entry})
    number = {label: code for code, label in enumerate(names)}
    rows = [sorted({number[label] for label in entry}) for entry in found]
    starts = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    return Labels(names, starts, np.array([code for row in rows for code in row], np.int64))


def _several(labels: Any) -> bool:
    """Return whether rows may have several labels, or none: some entries are sequences or None."""
    if isinstance(labels, str) or not isinstance(labels, Sequence | np.ndarray):
        return False
    if isinstance(labels, np.ndarray) and labels.dtype != object:
        return False
    return any(entry is None or _is_list(entry) for entry in labels)


def _is_list(entry: Any) -> bool:
    return isinstance(entry, Iterable) and not isinstance(entry, str | bytes)


def _of_row(row: int, entry: Any) -> list[Label]:
    found = list(entry) if _is_list(entry) else [] if entry is None else [entry]
    for label in found:
        if isinstance(label, bool) or not isinstance(label, str | Integral):
            raise TypeError(f"labels: row {row} has {arrays.shown(label)}, wanted integers or strings")
    return [str(label) if isinstance(label, str) else int(label) for label in found]


def _sorted(names: set[Label]) -> tuple[Label, ...]:
    if not names:
        raise ValueError("labels: no row has any, wanted some; leave labels out to take k-means cells")
    kinds = {type(name) for name in names}
    if len(kinds) > 1:
        raise TypeError("labels: got integers and strings, wanted labels of one kind")
    return tuple(sorted(names, key=lambda name: name if isinstance(name, str) else int(name)))
