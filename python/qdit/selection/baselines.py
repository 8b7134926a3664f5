"""Ways to choose that are no greedy maximisation: by quality, at random, by threshold, by cluster.

QDIT:Threshold and QDIT:Cluster are the variants of Bukharin & Zhao, "Data Diversity Matters for Robust
Instruction Tuning" (arXiv 2311.14736).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._core import Engine
from ..engine import kmeans
from ..engine.shuffle import shuffled
from .plan import Plan
from .problem import Problem

_BATCH = 512  # candidates of the threshold that are compared with each other

Rows = NDArray[np.int64]


def pick_order(problem: Problem, engine: Engine, plan: Plan) -> tuple[Rows, dict[str, Any]]:
    """Return the k picks of methods "quality", "random" and "cluster", and what to report of them."""
    if plan.method == "random":
        return shuffled(free_rows(problem, engine.ignored), plan.seed)[: plan.k], {}
    rows = best_rows(problem, engine.ignored)
    if plan.method == "quality":
        return rows[: plan.k], {}
    found = kmeans.spherical(problem.rows, engine, plan.clusters, plan.seed)
    order = by_cluster(rows, found.labels)[: plan.k]
    sizes = np.bincount(found.labels[rows], minlength=plan.clusters)
    fair = plan.k // plan.clusters
    return order, {
        "cluster_sizes": [int(sizes.min()), int(sizes.max())],
        "short_clusters": int((sizes < fair).sum()),
        "filled": int(np.maximum(fair - sizes, 0).sum()),
        "kmeans_iterations": found.iterations,
    }


def free_rows(problem: Problem, ignored: Rows) -> Rows:
    """Return the rows that may be picked, ascending."""
    free = np.ones(problem.n, bool)
    free[problem.given] = False
    free[ignored] = False
    return np.flatnonzero(free)


def best_rows(problem: Problem, ignored: Rows) -> Rows:
    """Return all rows that may be picked, the best quality first, the smaller row number on ties."""
    rows = free_rows(problem, ignored)
    order = np.argsort(-problem.scaled[rows], kind="stable")
    return np.asarray(rows[order], dtype=np.int64)


def by_cluster(rows: Rows, labels: Rows) -> Rows:
    """Return rows, best first, in rounds: one from each cluster that has one left, the best of a round first.

    The first k are thus equally many from each cluster; what small clusters lack comes from the others in
    turn.
    """
    of_row = labels[rows]
    order = np.argsort(of_row, kind="stable")
    sizes = np.bincount(of_row)
    starts = np.cumsum(sizes) - sizes
    rank = np.empty(len(rows), np.int64)
    rank[order] = np.arange(len(rows)) - starts[of_row[order]]
    return rows[np.argsort(rank, kind="stable")]


class Threshold:
    """QDIT:Threshold: the best rows of which no two are more similar than tau.

    In order of quality a row is kept if its similarity to every kept and every given row is at most tau. The
    engine's running maximum over what is committed answers that for kept rows; only the rows of a batch are
    compared with each other. Nothing larger than a batch squared is held.
    """

    def __init__(self, problem: Problem, engine: Engine, tau: float) -> None:
        self._engine = engine
        self._tau = tau * engine.scale  # exact: the scale is a power of two
        self._rows = best_rows(problem, engine.ignored)
        self._kept: list[Rows] = []
        given = np.setdiff1d(problem.given, engine.ignored)
        self._covered = problem.floor is not None or problem.outside is not None or len(given) > 0

    def batches(self, k: int) -> Iterator[Rows]:
        """Yield kept rows, up to k in all; each batch must be committed before the next is asked for."""
        waiting, count = self._rows, 0
        while len(waiting) and count < k:
            if self._covered:
                near = self._engine.row_coverage() * self._engine.scale > self._tau
                waiting = waiting[~near[waiting]]
            batch, waiting = waiting[:_BATCH], waiting[_BATCH:]
            kept = batch[self._compatible(batch)][: k - count]
            if len(kept):
                count += len(kept)
                self._covered = True
                self._kept.append(kept)
                yield kept

    def _compatible(self, batch: Rows) -> NDArray[np.bool_]:
        near = self._engine.similarities(batch, batch) > self._tau
        keep = np.zeros(len(batch), bool)
        blocked = np.zeros(len(batch), bool)
        for i in range(len(batch)):
            if not blocked[i]:
                keep[i] = True
                blocked |= near[i]
        return keep

    def fill(self, count: int, shortfall: str) -> Rows:
        """Return rows for what is missing: the best that were not kept, or none. ValueError for "error"."""
        if count == 0 or shortfall == "stop":
            return np.empty(0, np.int64)
        kept = np.concatenate([np.empty(0, np.int64), *self._kept])
        if shortfall == "error":
            raise ValueError(
                f"tau: only {len(kept):,} rows are left that are no more similar than tau, wanted "
                f"k = {len(kept) + count:,}; raise tau, pass a smaller k, or shortfall='fill' or 'stop'"
            )
        rest = self._rows[~np.isin(self._rows, kept)]
        return rest[:count]
