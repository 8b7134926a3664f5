"""Numbers of a set of rows and its pool: how it covers the pool, its cells, how dense the pool is."""

import math
from collections.abc import Callable

import numpy as np

from .._core import Engine
from ..common.types import Floats, Indices
from ..engine import kmeans
from ..engine.backend import open_engine
from ..engine.blocks import commit
from ..engine.rows import Rows, subset

Tick = Callable[[float], None]
TAIL = 0.1
_CELL_ROWS = 64  # that cells are trained on, for each
_BLOCK = 256
_COPY = 1e-6  # distance of rows that differ by rounding only


def coverage(engine: Engine, free: Indices, chosen: Indices, tick: Tick) -> tuple[float, float]:
    """Return the mean similarity of rows to the nearest chosen one, and that of the worst tenth.

    engine: over the pool, which is reset. free: the rows that count.
    """
    engine.reset()
    commit(engine, chosen, tick)
    found = np.sort(engine.row_coverage()[free])
    worst = found[: max(1, math.ceil(TAIL * len(found) - 1e-9))]
    return float(found.mean()), float(worst.mean())


def cells_of(rows: Rows, engine: Engine, free: Indices, count: int, seed: int) -> Indices:
    """Return the k-means cell of every row, (n,).

    engine: over the rows. free: rows in random order, of which cells are trained on 64 for each at most.
    seed: of where they start.
    """
    some = subset(rows, np.sort(free[: _CELL_ROWS * count]))
    training = open_engine(some, metric="cosine", zero_rows="ignore", threads=engine.threads)
    centroids = kmeans.cell_centroids(some, training, count, seed)
    return engine.nearest(centroids)[0]


def densities(engine: Engine, around: Indices, points: Indices, neighbors: int, tick: Tick) -> Floats:
    """Return 1 over the mean distance of each point to its nearest rows, itself and copies of it left out.

    engine: over the pool. around: rows that may be near. points: row numbers. 0 where there are copies only.
    """
    found = np.zeros(len(points))
    for start in range(0, len(points), _BLOCK):
        part = slice(start, min(len(points), start + _BLOCK))
        fixed = engine.similarities(points[part], around)
        copy = np.iinfo(np.int64).min
        fixed[fixed > (1.0 - _COPY) * engine.scale] = copy
        count = min(neighbors, len(around))
        near = np.partition(fixed, len(around) - count, axis=1)[:, len(around) - count :]
        there = near != copy
        apart = np.where(there, 1.0 - near / engine.scale, 0.0).sum(axis=1)
        found[part] = np.divide(there.sum(axis=1), apart, out=np.zeros(len(near)), where=apart > 0)
        tick(part.stop / len(points))
    return found
