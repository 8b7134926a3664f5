"""Spherical k-means over all rows of a pool (Dhillon & Modha 2001), the same for any number of threads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .._core import Engine
from .rows import Rows
from .shuffle import shuffled

_ITERATIONS = 25
_CHUNK_ROWS = 512  # few enough to stay in the cache from one step to the next


@dataclass(frozen=True)
class Clustering:
    """Labels (n,) int64, the number of each row's centroid, and the iterations it took."""

    labels: NDArray[np.int64]
    iterations: int


def spherical(rows: Rows, engine: Engine, clusters: int, seed: int) -> Clustering:
    """Cluster the rows by cosine, Lloyd's algorithm from distinct random rows.

    A cluster that loses all its rows starts again at the row that is least like its own centroid. Sums are
    made in float64 in row order, so the result does not depend on threads.
    """
    free = np.setdiff1d(np.arange(rows.n), engine.ignored)
    centroids = _unit(_float64(rows, np.sort(shuffled(free, seed)[:clusters])))
    inverse = np.empty(rows.n)
    for start in range(0, rows.n, _CHUNK_ROWS):
        part = slice(start, start + _CHUNK_ROWS)
        inverse[part] = 1.0 / _lengths(_float64(rows, part))
    labels = np.full(rows.n, -1, np.int64)
    iterations = 0
    while iterations < _ITERATIONS:
        iterations += 1
        before = labels
        labels, similarity = engine.nearest(np.ascontiguousarray(centroids, np.float32))
        if np.array_equal(labels, before):
            break
        sums = _sums(rows, inverse, labels, clusters)
        empty = np.flatnonzero(np.bincount(labels[free], minlength=clusters) == 0)
        if len(empty):
            farthest = free[np.argsort(similarity[free], kind="stable")[: len(empty)]]
            sums[empty] = _float64(rows, farthest)
        centroids = _unit(sums)
    return Clustering(labels, iterations)


def _float64(rows: Rows, which: NDArray[np.int64] | slice) -> NDArray[np.float64]:
    part = rows.array[which]
    if rows.dtype == "bfloat16":
        part = (part.astype(np.uint32) << 16).view(np.float32)
    return part.astype(np.float64)


def _lengths(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the norm of every row, 1 where it is 0."""
    norms = np.sqrt(np.einsum("ij,ij->i", values, values))
    return np.asarray(np.where(norms > 0, norms, 1.0))


def _unit(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return values / _lengths(values)[:, None]


def _sums(
    rows: Rows, inverse: NDArray[np.float64], labels: NDArray[np.int64], clusters: int
) -> NDArray[np.float64]:
    """Return the sum of the unit rows of each cluster; inverse: 1 / norm of every row."""
    order = np.argsort(labels, kind="stable")
    ends = np.searchsorted(labels[order], np.arange(clusters), side="right")
    sums = np.zeros((clusters, rows.d))
    start = 0
    for cluster, end in enumerate(ends.tolist()):
        for first in range(start, end, _CHUNK_ROWS):
            which = order[first : min(end, first + _CHUNK_ROWS)]
            # not a matrix product: that of a BLAS may depend on its threads
            sums[cluster] += np.einsum("i,ij->j", inverse[which], _float64(rows, which))
        start = end
    return sums
