"""Upper bounds on all gains before the first pick, where every row starts at a floor.

With y_v = s(c, v) - floor the gain of c is the sum of max(0, y_v) = (y_v + |y_v|) / 2, and by Cauchy-Schwarz
the sum of |y_v| is at most sqrt(n * sum of y_v^2). Both sums follow from the sum of all rows and from the
d x d matrix of second moments: n * d * d work for all candidates together, where their gains are n * n * d.
Few similarities of real embeddings are below a low floor, so the bound is nearly the gain, and some
candidates are enough to find the first pick.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .._core import Engine
from ..engine.rows import to_float32
from .picks import UNKNOWN
from .problem import Problem

_BLOCK_ROWS = 4096
_LEAST = 4  # rows for each dimension: with fewer the moments cost more than they save
# What float32 products and fixed point may be off by, as a share of the largest similarity, and of a moment.
_ERROR, _MOMENT_ERROR = 2e-5, 1e-4


def first_bounds(problem: Problem, engine: Engine) -> NDArray[np.int64] | None:
    """Return (n,) fixed-point upper bounds on the gains of all rows, or None where they would not pay.

    engine: one that was reset for the problem.
    """
    rows = problem.rows
    if problem.floor is None or len(problem.given) or problem.outside is not None:
        return None
    if problem.backend != "cpu" or problem.alpha == 1.0 or rows.n < _LEAST * rows.d:
        return None
    bounds = np.full(rows.n, UNKNOWN, np.int64)
    free = np.setdiff1d(np.arange(rows.n), engine.ignored)
    total, moments = np.zeros(rows.d), np.zeros((rows.d, rows.d))
    largest = 0.0
    for part in _parts(free):
        block = _scaled(problem, part)
        total += block.sum(axis=0, dtype=np.float64)
        moments += block.T @ block
        largest = max(largest, float(np.einsum("ij,ij->i", block, block).max()))
    for part in _parts(free):
        block = _scaled(problem, part)
        first = (block @ total.astype(np.float32)).astype(np.float64)
        second = np.einsum("ij,ij->i", block @ moments.astype(np.float32), block).astype(np.float64)
        n, floor = len(free), problem.floor
        squares = np.maximum(0.0, second - 2 * floor * first + n * floor**2)
        squares += _MOMENT_ERROR * (second + n * floor**2)
        most = (first - n * floor + np.sqrt(n * squares)) / 2 + _ERROR * n * largest
        bounds[part] = np.ceil(most * engine.scale).astype(np.int64)
    return bounds


def _parts(free: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    return [free[start : start + _BLOCK_ROWS] for start in range(0, len(free), _BLOCK_ROWS)]


def _scaled(problem: Problem, part: NDArray[np.int64]) -> NDArray[np.float32]:
    whole = part[-1] - part[0] + 1 == len(part)  # a slice is much faster to read
    block = to_float32(problem.rows, slice(part[0], part[-1] + 1) if whole else part)
    if problem.metric == "dot":
        return block
    norms = np.sqrt(np.einsum("ij,ij->i", block, block))
    return np.asarray(block / norms[:, None], np.float32)
