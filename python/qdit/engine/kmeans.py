"""Spherical k-means (Dhillon & Modha 2001), the same for any number of threads.

Lloyd's algorithm by cosine, from distinct random rows. Rows find their centroids where the engine runs; sums
are made on the CPU, in float64 and in row order. A cluster that loses all its rows, or whose rows cancel out,
starts again at the row that is least like its own centroid.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from .._core import Engine
from ..common.types import Array, Floats, Indices
from .rows import Rows, to_float32, to_float64
from .shuffle import shuffled

CELL_ITERATIONS = 6
_CLUSTER_ITERATIONS = 25
_BLOCK_ROWS = 8192
_NOTHING = 1e-12  # a mean of unit rows this short is that of rows which cancel out, and rounding
_CHUNK_ROWS = 512  # few enough to stay in the cache from one step to the next


Read = Callable[[Indices | slice], Array]  # some rows as floats


@dataclass(frozen=True)
class Clustering:
    """Labels (n,) int64, the number of each row's centroid, and the iterations it took."""

    labels: Indices
    iterations: int


def spherical(rows: Rows, engine: Engine, clusters: int, seed: int) -> Clustering:
    """Cluster all rows of an engine, until no row changes its cluster, or for 25 iterations.

    rows: those of the engine, in CPU memory. seed: of the rows that centroids start from.
    """
    read = partial(to_float64, rows)
    free = np.setdiff1d(np.arange(rows.n), engine.ignored)
    centroids = _start(read, free, clusters, seed)
    inverse = np.empty(rows.n)  # 1 / norm of every row
    for start in range(0, rows.n, _CHUNK_ROWS):
        part = slice(start, start + _CHUNK_ROWS)
        inverse[part] = 1.0 / _lengths(read(part))
    labels = np.full(rows.n, -1, np.int64)
    iterations = 0
    while iterations < _CLUSTER_ITERATIONS:
        iterations += 1
        before = labels
        labels, similarity = engine.nearest(_within(engine, centroids))
        if np.array_equal(labels, before):
            break
        sums = np.zeros((clusters, rows.d))
        _add_by_cluster(sums, read, inverse, labels)
        centroids = _means(sums, read, free, labels, similarity)
    return Clustering(labels, iterations)


def cell_centroids(
    rows: Rows, engine: Engine, cells: int, seed: int, tick: Callable[[float], None] = lambda share: None
) -> NDArray[np.float32]:
    """Return (cells, d) float32 centroids of norm 1, after 6 iterations.

    Args:
        rows: training rows, those of the engine, in CPU memory; rows that it ignores take no part.
        engine: over them.
        cells: at most the number of rows that are not zero.
        seed: of the rows that centroids start from.
        tick: called with the share that is done.

    """
    read = partial(to_float32, rows)
    free = np.setdiff1d(np.arange(rows.n), engine.ignored)
    centroids = _start(read, free, cells, seed)
    for iteration in range(1, CELL_ITERATIONS + 1):
        labels, similarity = engine.nearest(centroids)
        sums = np.zeros((cells, rows.d))
        _add_by_block(sums, read, free, labels[free])
        centroids = _means(sums, read, free, labels, similarity)
        tick(iteration / CELL_ITERATIONS)
    return centroids


def mean_directions(rows: Rows, members: Indices, labels: Indices, count: int) -> NDArray[np.float32]:
    """Return the mean of the unit rows of each label, scaled to length 1: (count, d).

    Args:
        rows: in CPU memory.
        members: (m,) row numbers, a row as often as it has labels.
        labels: (m,) the label that each is a member of, below count.
        count: the number of labels. One without rows, or whose rows cancel out, has zeros.

    """
    sums = np.zeros((count, rows.d))
    _add_by_block(sums, partial(to_float32, rows), members, labels)
    sizes = np.bincount(labels, minlength=count)
    sums[np.sqrt(np.einsum("ij,ij->i", sums, sums)) <= _NOTHING * sizes] = 0.0
    return _unit(sums)


def _start(read: Read, free: Indices, count: int, seed: int) -> NDArray[np.float32]:
    return _unit(read(np.sort(shuffled(free, seed)[:count])))


def _add_by_cluster(sums: Floats, read: Read, inverse: Floats, labels: Indices) -> None:
    """Add unit rows to the sum of their cluster, one cluster after the other: for clusters, which are few."""
    order = np.argsort(labels, kind="stable")
    ends = np.searchsorted(labels[order], np.arange(len(sums)), side="right")
    start = 0
    for number, end in enumerate(ends.tolist()):
        for first in range(start, end, _CHUNK_ROWS):
            which = order[first : min(end, first + _CHUNK_ROWS)]
            # not a matrix product: that of a BLAS may depend on its threads
            sums[number] += np.einsum("i,ij->j", inverse[which], read(which))
        start = end


def _add_by_block(sums: Floats, read: Read, members: Indices, labels: Indices) -> None:
    """Add unit rows to the sum of their cluster, a block of rows at a time: for cells, which are many."""
    for start in range(0, len(members), _BLOCK_ROWS):
        part = slice(start, start + _BLOCK_ROWS)
        order = np.argsort(labels[part], kind="stable")
        there, first = np.unique(labels[part][order], return_index=True)
        sums[there] += np.add.reduceat(_unit(read(members[part][order])), first, axis=0, dtype=np.float64)


def _means(
    sums: Floats, read: Read, free: Indices, labels: Indices, similarity: Floats
) -> NDArray[np.float32]:
    """Return the centroids that sums give; similarity: of each row to the centroid that it had."""
    sizes = np.bincount(labels[free], minlength=len(sums))
    lengths = np.sqrt(np.einsum("ij,ij->i", sums, sums))
    empty = np.flatnonzero(lengths <= _NOTHING * sizes)
    if len(empty):
        farthest = free[np.argsort(similarity[free], kind="stable")[: len(empty)]]
        sums[empty] = read(farthest)
    return _unit(sums)


def _within(engine: Engine, centroids: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the centroids times a power of two, no longer than the longest row of the engine's pool.

    Under "dot" it takes no longer ones, and tells much shorter ones badly apart. Which is the nearest does
    not depend on a common factor.
    """
    longest = float(np.einsum("ij,ij->i", centroids, centroids, dtype=np.float64).max())
    if longest == 0.0:
        return centroids
    room = math.floor(math.log2(engine.range / longest * (1 - 1e-12)) / 2)
    return np.ldexp(centroids, room)


def _lengths(values: Array) -> Floats:
    """Return the norm of every row, 1 where it is 0."""
    norms = np.sqrt(np.einsum("ij,ij->i", values, values, dtype=np.float64))
    return np.asarray(np.where(norms > 0, norms, 1.0))


def _unit(values: Array) -> NDArray[np.float32]:
    return np.ascontiguousarray(values / _lengths(values)[:, None], np.float32)
