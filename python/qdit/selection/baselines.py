"""Ways to choose that are no greedy maximisation: by quality, at random, by threshold, by cluster.

QDIT:Threshold and QDIT:Cluster are the variants of Bukharin & Zhao, "Data Diversity Matters for Robust
Instruction Tuning" (arXiv 2311.14736). Each is a generator of picks as `Method.choose` says.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .._core import Engine
from ..common.types import JSON, Indices
from ..engine import kmeans
from ..engine.shuffle import shuffled

if TYPE_CHECKING:  # both are made of options, and those name the methods here
    from .plan import Plan
    from .problem import Problem

_BATCH = 512  # candidates of the threshold that are compared with each other


def by_quality(problem: Problem, engine: Engine, plan: Plan, report: JSON) -> Iterator[Indices]:
    """Take the best scores: method "quality"."""
    yield best_rows(problem, engine.ignored)[: plan.k]


def by_chance(problem: Problem, engine: Engine, plan: Plan, report: JSON) -> Iterator[Indices]:
    """Take any rows: method "random"."""
    yield shuffled(free_rows(problem, engine.ignored), plan.search.seed)[: plan.k]


def by_cluster(problem: Problem, engine: Engine, plan: Plan, report: JSON) -> Iterator[Indices]:
    """Take equally many of every k-means cluster, by quality: QDIT:Cluster."""
    search, k = plan.search, plan.k
    rows = best_rows(problem, engine.ignored)
    found = kmeans.spherical(problem.rows, engine, search.clusters, search.seed)
    sizes = np.bincount(found.labels[rows], minlength=search.clusters)
    fair = k // search.clusters
    report |= {
        "cluster_sizes": [int(sizes.min()), int(sizes.max())],
        "short_clusters": int((sizes < fair).sum()),
        "filled": int(np.maximum(fair - sizes, 0).sum()),
        "kmeans_iterations": found.iterations,
    }
    yield in_turn(rows, found.labels)[:k]


def by_threshold(problem: Problem, engine: Engine, plan: Plan, report: JSON) -> Iterator[Indices]:
    """Take the best rows of which no two are more similar than tau: QDIT:Threshold.

    In order of quality a row is kept if its similarity to every kept and every given row is at most tau. The
    engine's running maximum over what is committed answers that for kept rows; only the rows of a batch are
    compared with each other. Nothing larger than a batch squared is held. Where too few are left, `shortfall`
    says what happens.
    """
    search, k = plan.search, plan.k
    tau = search.tau * engine.scale  # exact: the scale is a power of two
    waiting = rows = best_rows(problem, engine.ignored)
    kept = np.empty(0, np.int64)
    covered = problem.floor is not None or problem.outside is not None
    covered = covered or len(np.setdiff1d(problem.given, engine.ignored)) > 0
    while len(waiting) and len(kept) < k:
        if covered:
            near = engine.row_coverage() * engine.scale > tau
            waiting = waiting[~near[waiting]]
        batch, waiting = waiting[:_BATCH], waiting[_BATCH:]
        compatible = _compatible(engine.similarities(batch, batch) > tau)
        batch = batch[compatible][: k - len(kept)]
        if len(batch):
            covered = True
            kept = np.concatenate([kept, batch])
            yield batch
    if len(kept) < k and search.shortfall == "error":
        raise ValueError(
            f"tau: only {len(kept):,} rows are left that are no more similar than tau, wanted k = {k:,}; "
            "raise tau, pass a smaller k, or shortfall='fill' or 'stop'"
        )
    missing = k - len(kept) if search.shortfall == "fill" else 0
    filled = rows[~np.isin(rows, kept)][:missing]
    report |= {"survivors": len(kept), "filled": len(filled)}
    yield filled


def free_rows(problem: Problem, ignored: Indices) -> Indices:
    """Return the rows that may be picked, ascending."""
    free = np.ones(problem.n, bool)
    free[problem.closed] = False
    free[ignored] = False
    return np.flatnonzero(free)


def best_rows(problem: Problem, ignored: Indices) -> Indices:
    """Return all rows that may be picked, the best quality first, the smaller row number on ties."""
    rows = free_rows(problem, ignored)
    order = np.argsort(-problem.scaled[rows], kind="stable")
    return np.asarray(rows[order], dtype=np.int64)


def in_turn(rows: Indices, labels: Indices, *, proportional: bool = False) -> Indices:
    """Return rows in an order in which every prefix has its share of each cluster.

    The rows of a cluster stay in their order. Equal shares: rounds with one row of each cluster that has one
    left, those of a round in their order; what small clusters lack comes from the others in turn. In
    proportion to the clusters' rows (Webster's method): the r-th of s rows, counted from 0, comes at
    (r + 1/2) / s.
    """
    of_row = labels[rows]
    order = np.argsort(of_row, kind="stable")
    sizes = np.bincount(of_row)
    starts = np.cumsum(sizes) - sizes
    rank = np.empty(len(rows), np.int64)
    rank[order] = np.arange(len(rows)) - starts[of_row[order]]
    when = (rank + 0.5) / sizes[of_row] if proportional else rank
    return rows[np.argsort(when, kind="stable")]


def _compatible(near: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which rows are kept if each rules out those that are near it. near: (m, m), in order."""
    keep = np.zeros(len(near), bool)
    blocked = np.zeros(len(near), bool)
    for i in range(len(near)):
        if not blocked[i]:
            keep[i] = True
            blocked |= near[i]
    return keep
