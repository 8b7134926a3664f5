"""Numbers of a set of rows alone: distances between its rows, and what follows from their spectrum."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .._core import Engine
from ..common.types import Floats, Indices
from ..engine.rows import Rows, to_float64

_BLOCK_ROWS = 4096
_NOWHERE = -(1 << 62)  # below all similarities in fixed point
_PAIRS = 128  # rows compared with all others of a set at a time


@dataclass(frozen=True)
class Spectrum:
    """What follows from X'X of the unit rows X of a set, (d, d): nothing of size k x k.

    Attributes:
        pairwise_distance: mean of 1 - cosine over all pairs of two rows; NaN for one row.
        vendi: exp of the entropy of the eigenvalues of X X' / k (Friedman & Dieng, "The Vendi Score",
            arXiv 2210.02410): how many rows without likeness would be as diverse.
        log_determinant: log det(I + X X'), the volume that rows span (Wang et al., "Diversity Measurement and
            Subset Selection for Instruction Tuning Datasets", arXiv 2402.02318, without a reference set).

    """

    pairwise_distance: float
    vendi: float
    log_determinant: float


def spectrum(rows: Rows) -> Spectrum:
    """Return the numbers of the rows of a set, none of which is zero."""
    k = rows.n
    total, gram = np.zeros(rows.d), np.zeros((rows.d, rows.d))
    for start in range(0, k, _BLOCK_ROWS):
        block = to_float64(rows, slice(start, start + _BLOCK_ROWS))
        block = block / np.sqrt(np.einsum("ij,ij->i", block, block))[:, None]
        total += block.sum(axis=0)
        gram += block.T @ block
    values = np.maximum(np.linalg.eigvalsh(gram), 0.0)
    share = values[values > 0] / k
    return Spectrum(
        pairwise_distance=1.0 - (float(total @ total) - k) / (k * (k - 1)) if k > 1 else math.nan,
        vendi=math.exp(-float((share * np.log(share)).sum())),
        log_determinant=float(np.log1p(values).sum()),
    )


@dataclass(frozen=True)
class Distances:
    """What follows from the distances 1 - cosine between rows of a set.

    Attributes:
        nearest: mean distance of a row to the nearest other one.
        least: the smallest of them.
        novelsum: see `distances`.

    """

    nearest: float
    least: float
    novelsum: float


NO_DISTANCES = Distances(math.nan, math.nan, math.nan)


def distances(
    engine: Engine, which: Indices, density: Floats, tick: Callable[[float], None] = lambda share: None
) -> Distances:
    """Return the distances within a set, and its NovelSum.

    NovelSum is that of Yang et al., "Measuring Data Diversity for Instruction Tuning" (arXiv 2502.17184):
    the novelty of a row i is the sum over the other rows j of w(i, j) sigma(j)^beta d(i, j), where w is 1
    over the rank of j among them by distance to i, and sigma the density of the pool at j (alpha 1, beta 0.5,
    as recommended there). As in the authors' program novelties are divided by the sum of all w and averaged
    over i, or sets of different sizes would not compare. That program multiplies by the density at i, and
    takes it from squared Euclidean distances; here both are as the paper has them.

    Args:
        engine: over the rows of the set.
        which: of its rows those whose nearest distance and novelty are averaged.
        density: (k,) sigma^beta of each row.
        tick: called with the share that is done.

    """
    k = engine.n
    if k < 2:
        return NO_DISTANCES
    everyone = np.arange(k)
    weights = 1.0 / np.arange(1, k)
    weights /= weights.sum()
    nearest, novelty = np.empty(len(which)), np.empty(len(which))
    for start in range(0, len(which), _PAIRS):
        part = slice(start, min(len(which), start + _PAIRS))
        fixed = engine.similarities(which[part], everyone)
        fixed[np.arange(len(fixed)), which[part]] = _NOWHERE  # a row is not its own neighbor: it comes last
        order = np.argsort(-fixed, axis=1, kind="stable")[:, :-1]
        apart = 1.0 - np.take_along_axis(fixed, order, axis=1) / engine.scale
        nearest[part] = apart[:, 0]
        novelty[part] = (weights * density[order] * apart).sum(axis=1)
        tick(part.stop / len(which))
    return Distances(max(0.0, float(nearest.mean())), max(0.0, float(nearest.min())), float(novelty.mean()))
