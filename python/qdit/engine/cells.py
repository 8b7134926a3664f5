"""Cells of a pool: centroids by spherical k-means (Dhillon & Modha 2001) on some of its rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._core import Engine
from .rows import Rows, to_float32
from .shuffle import shuffled

ITERATIONS = 6
_BLOCK_ROWS = 8192


def train(
    rows: Rows,
    cells: int,
    seed: int,
    tick: Callable[[float], None] = lambda share: None,
    **placement: Any,
) -> NDArray[np.float32]:
    """Return (cells, d) float32 centroids of norm 1, the same for any number of threads.

    Rows find their centroids where the engine runs, centroids are averaged on the CPU.

    Args:
        rows: training rows; rows of zeros take no part.
        cells: at most the number of rows that are not zero.
        seed: of the rows that centroids start from.
        tick: called with the share that is done.
        **placement: backend, device, precision and threads of the engine.

    """
    engine = Engine(rows.array, dtype=rows.dtype, zero_rows="ignore", **placement)
    free = np.setdiff1d(np.arange(rows.n), engine.ignored)
    centroids = _unit(to_float32(rows, np.sort(shuffled(free, seed)[:cells])))
    for iteration in range(ITERATIONS):
        labels, similarity = engine.nearest(centroids)
        sums = _sums(rows, labels, free, cells)
        empty = np.flatnonzero(np.bincount(labels[free], minlength=cells) == 0)
        if len(empty):  # start again at the rows that are least like their own centroid
            farthest = free[np.argsort(similarity[free], kind="stable")[: len(empty)]]
            sums[empty] = to_float32(rows, farthest)
        centroids = _unit(sums)
        tick((iteration + 1) / ITERATIONS)
    return centroids


def _unit(values: NDArray[np.float32] | NDArray[np.float64]) -> NDArray[np.float32]:
    norms = np.sqrt(np.einsum("ij,ij->i", values, values, dtype=np.float64))[:, None]
    return np.ascontiguousarray(values / np.where(norms > 0, norms, 1.0), np.float32)


def _sums(rows: Rows, labels: NDArray[np.int64], free: NDArray[np.int64], cells: int) -> NDArray[np.float64]:
    """Return the sum of the unit rows of each cell, in float64 and in row order."""
    sums = np.zeros((cells, rows.d))
    for start in range(0, len(free), _BLOCK_ROWS):
        which = free[start : start + _BLOCK_ROWS]
        which = which[np.argsort(labels[which], kind="stable")]
        there, first = np.unique(labels[which], return_index=True)
        sums[there] += np.add.reduceat(_unit(to_float32(rows, which)), first, axis=0, dtype=np.float64)
    return sums
