"""Farthest points: method "k_center".

Gonzalez, "Clustering to minimize the maximum intercluster distance", Theoretical Computer Science 38 (1985).
Each pick is the row whose nearest chosen or given row is farthest, that is, least similar. The farthest
distance that is left at the end is at most twice the least that any k rows can leave. With weights (Dyer &
Frieze, "A simple heuristic for the p-centre problem", 1985) a row's distance counts as many times as its
quality says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from .._core import Engine
from ..common.types import JSON, Floats, Indices
from .allowance import Allowance
from .baselines import best_rows, free_rows

if TYPE_CHECKING:  # both are made of options, and those name the methods here
    from .plan import Plan
    from .problem import Problem

_FEWEST, _MOST = 64, 2048  # rows of a batch

Farness = Callable[[Indices, Indices], Floats]  # of rows, from their similarities in fixed point


def by_distance(problem: Problem, engine: Engine, plan: Plan, report: JSON) -> Iterator[Indices]:
    """Take the row that is farthest from all chosen and given rows, again and again.

    Of equally far rows the best quality comes first, then the smaller row number. Where nothing is chosen or
    given yet, and there is no floor, the first is the row that is most similar to all rows together.

    Distances only shrink. So of the rows that are farthest now, the farthest one is the farthest of all as
    long as it is no nearer than the best of the others was, and many picks follow from the similarities
    within one batch. They are committed together, which reads the pool once for many picks.
    """
    rank = np.empty(problem.n, np.int64)
    order = best_rows(problem, engine.ignored)
    rank[order] = np.arange(len(order))
    allowance = Allowance(problem.n, free_rows(problem, engine.ignored), plan.limits)
    farness = _farness(problem, engine, plan)
    taken = rounds = 0
    if not _covered(problem, engine):
        first = _most_central(engine, allowance, rank)
        allowance.take(first)
        taken = 1
        yield np.array([first])
    size = _FEWEST
    while taken < plan.k and allowance.open.any():
        picks = _farthest(engine, allowance, rank, farness, size, plan.k - taken)
        size = int(np.clip(4 * len(picks), _FEWEST, _MOST))
        taken += len(picks)
        rounds += 1
        yield picks
    everyone = np.setdiff1d(np.arange(problem.n), engine.ignored)
    report |= {"rounds": rounds, "least_similarity": float(engine.row_coverage()[everyone].min())}


def _covered(problem: Problem, engine: Engine) -> bool:
    """Return whether rows have a similarity before the first pick."""
    given = len(np.setdiff1d(problem.given, engine.ignored)) > 0
    return given or problem.floor is not None or problem.outside is not None


def _most_central(engine: Engine, allowance: Allowance, rank: Indices) -> int:
    rows = np.flatnonzero(allowance.open)
    gains = engine.gains(rows)
    best = rows[gains == gains.max()]
    return int(best[rank[best].argmin()])


def _farness(problem: Problem, engine: Engine, plan: Plan) -> Farness:
    """Return how far rows are: by falling similarity, or by weighted distance of unit vectors."""
    if plan.search.distance_weight == "none":
        return lambda rows, fixed: -fixed.astype(np.float64)
    weights = problem.scaled

    def weighted(rows: Indices, fixed: Indices) -> Floats:
        return np.asarray(weights[rows] * np.sqrt(np.maximum(0.0, 2.0 - 2.0 * (fixed / engine.scale))))

    return weighted


def _farthest(
    engine: Engine, allowance: Allowance, rank: Indices, farness: Farness, size: int, most: int
) -> Indices:
    """Return the next picks, at least one: those that the rows of one batch decide."""
    rows = np.flatnonzero(allowance.open)
    fixed = np.rint(engine.row_coverage()[rows] * engine.scale).astype(np.int64)  # exact
    far = farness(rows, fixed)
    batch, rival = _batch(far, rank[rows], size)
    rows, fixed = rows[batch], fixed[batch]
    between = engine.similarities(rows, rows)
    picks: list[int] = []
    while len(picks) < most:
        # rows of a batch are in the order of their rank: the first of the farthest is the one to take
        now = np.where(allowance.open[rows], farness(rows, fixed), -np.inf)
        best = int(now.argmax())
        if now[best] == -np.inf or (
            picks and rival is not None and _beaten(now[best], rank[rows[best]], rival)
        ):
            break
        row = int(rows[best])
        picks.append(row)
        allowance.take(row)
        np.maximum(fixed, between[best], out=fixed)
    return np.array(picks, np.int64)


def _batch(far: Floats, rank: Indices, size: int) -> tuple[Indices, tuple[float, int] | None]:
    """Return the positions of the farthest rows by rising rank, and (distance, rank) of the best other row.

    None if there is no other row.
    """
    if len(far) <= size:
        return np.argsort(rank, kind="stable"), None
    least = np.partition(far, len(far) - size - 1)[len(far) - size - 1]  # of the best `size` + 1
    near = np.flatnonzero(far >= least)
    near = near[np.lexsort((rank[near], -far[near]))]
    rival = near[size]
    batch = near[:size]
    return batch[np.argsort(rank[batch], kind="stable")], (float(far[rival]), int(rank[rival]))


def _beaten(far: float, rank: int, rival: tuple[float, int]) -> bool:
    return far < rival[0] or (far == rival[0] and rank > rival[1])
