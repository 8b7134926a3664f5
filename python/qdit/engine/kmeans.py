"""Spherical k-means (Dhillon & Modha 2001), the same for any number of threads.

Lloyd's algorithm by cosine, from distinct random rows. Rows find their centroids where the engine runs; sums
are made on the CPU, in float64 and in row order. A cluster that loses all its rows starts again at the row
that is least like its own centroid.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._core import Engine
from ..common.types import Array, Floats, Indices
from .rows import Rows, to_float32
from .shuffle import shuffled

CELL_ITERATIONS = 6
_CLUSTER_ITERATIONS = 25
_BLOCK_ROWS = 8192
_CHUNK_ROWS = 512  # few enough to stay in the cache from one step to the next


@dataclass(frozen=True)
class Clustering:
    """Labels (n,) int64, the number of each row's centroid, and the iterations it took."""

    labels: Indices
    iterations: int


def spherical(rows: Rows, engine: Engine, clusters: int, seed: int) -> Clustering:
    """Cluster all rows of an engine, until no row changes its cluster, or for 25 iterations.

    rows: those of the engine, in CPU memory. seed: of the rows that centroids start from.
    """
    work = _ByCluster(rows, engine, clusters)
    centroids = work.start(seed)
    labels = np.full(rows.n, -1, np.int64)
    iterations = 0
    while iterations < _CLUSTER_ITERATIONS:
        iterations += 1
        before = labels
        labels, similarity = engine.nearest(centroids)
        if np.array_equal(labels, before):
            break
        centroids = work.move(labels, similarity)
    return Clustering(labels, iterations)


def cell_centroids(
    rows: Rows, cells: int, seed: int, tick: Callable[[float], None] = lambda share: None, **placement: Any
) -> NDArray[np.float32]:
    """Return (cells, d) float32 centroids of norm 1, after 6 iterations.

    Args:
        rows: training rows, in CPU memory; rows of zeros take no part.
        cells: at most the number of rows that are not zero.
        seed: of the rows that centroids start from.
        tick: called with the share that is done.
        **placement: backend, device, precision and threads of the engine.

    """
    engine = Engine(rows.array, dtype=rows.dtype, zero_rows="ignore", **placement)
    work = _ByBlock(rows, engine, cells)
    centroids = work.start(seed)
    for iteration in range(1, CELL_ITERATIONS + 1):
        centroids = work.move(*engine.nearest(centroids))
        tick(iteration / CELL_ITERATIONS)
    return centroids


class _Means:
    """What moves centroids; classes below it read rows and sum them, each with arithmetic of its own."""

    def __init__(self, rows: Rows, engine: Engine, count: int) -> None:
        self.rows = rows
        self.count = count
        self.free = np.setdiff1d(np.arange(rows.n), engine.ignored)

    def start(self, seed: int) -> NDArray[np.float32]:
        return _unit(self.read(np.sort(shuffled(self.free, seed)[: self.count])))

    def move(self, labels: Indices, similarity: Floats) -> NDArray[np.float32]:
        """Return the mean of each cluster; similarity: of each row to the centroid it has."""
        sums = self.sums(labels)
        empty = np.flatnonzero(np.bincount(labels[self.free], minlength=self.count) == 0)
        if len(empty):
            farthest = self.free[np.argsort(similarity[self.free], kind="stable")[: len(empty)]]
            sums[empty] = self.read(farthest)
        return _unit(sums)

    def read(self, which: Indices | slice) -> Array:
        raise NotImplementedError

    def sums(self, labels: Indices) -> Floats:
        raise NotImplementedError


class _ByCluster(_Means):
    """Reads float64, and sums one cluster after the other: exact for clusters, which are few."""

    def __init__(self, rows: Rows, engine: Engine, count: int) -> None:
        super().__init__(rows, engine, count)
        self._inverse = np.empty(rows.n)  # 1 / norm of every row
        for start in range(0, rows.n, _CHUNK_ROWS):
            part = slice(start, start + _CHUNK_ROWS)
            self._inverse[part] = 1.0 / _lengths(self.read(part))

    def read(self, which: Indices | slice) -> Floats:
        if self.rows.dtype == "float64":
            return np.asarray(self.rows.array[which])
        return to_float32(self.rows, which).astype(np.float64)

    def sums(self, labels: Indices) -> Floats:
        order = np.argsort(labels, kind="stable")
        ends = np.searchsorted(labels[order], np.arange(self.count), side="right")
        sums = np.zeros((self.count, self.rows.d))
        start = 0
        for number, end in enumerate(ends.tolist()):
            for first in range(start, end, _CHUNK_ROWS):
                which = order[first : min(end, first + _CHUNK_ROWS)]
                # not a matrix product: that of a BLAS may depend on its threads
                sums[number] += np.einsum("i,ij->j", self._inverse[which], self.read(which))
            start = end
        return sums


class _ByBlock(_Means):
    """Reads float32, and sums the clusters of a block of rows together: fast for cells, which are many."""

    def read(self, which: Indices | slice) -> NDArray[np.float32]:
        return to_float32(self.rows, which)

    def sums(self, labels: Indices) -> Floats:
        sums = np.zeros((self.count, self.rows.d))
        for start in range(0, len(self.free), _BLOCK_ROWS):
            which = self.free[start : start + _BLOCK_ROWS]
            which = which[np.argsort(labels[which], kind="stable")]
            there, first = np.unique(labels[which], return_index=True)
            sums[there] += np.add.reduceat(_unit(self.read(which)), first, axis=0, dtype=np.float64)
        return sums


def _lengths(values: NDArray[np.float32] | Floats) -> Floats:
    """Return the norm of every row, 1 where it is 0."""
    norms = np.sqrt(np.einsum("ij,ij->i", values, values, dtype=np.float64))
    return np.asarray(np.where(norms > 0, norms, 1.0))


def _unit(values: NDArray[np.float32] | Floats) -> NDArray[np.float32]:
    return np.ascontiguousarray(values / _lengths(values)[:, None], np.float32)
