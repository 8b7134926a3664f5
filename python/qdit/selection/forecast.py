"""What a run will need: memory, and time extrapolated from a short calibration on this machine."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .baselines import best_rows
from .graph import steps
from .options import OTHER_METHODS
from .plan import Plan
from .problem import Problem
from .run import Job

_CALIBRATION_SECONDS = 0.5
_FIRST_BATCH = 64
_COMMITS = 4
_LAZY_EVALUATIONS = 6.5  # evaluations over n of a lazy run: 52,002 Alpaca rows, k 9,000, alpha 0.7
# one symmetric pass, 0.5, and what the first picks take: the share of all n x n pairs that is multiplied
_EXACT_EVALUATIONS = 0.65


@dataclass(frozen=True)
class Estimate:
    """A forecast of one run.

    Attributes:
        memory_needed: bytes the engine needs at least, beside the pool.
        cache_bytes: bytes it may use on top for stored similarity rows.
        pair_bytes: bytes that method "exact" may use for alive pairs, or "sparse" for similar ones.
        evaluations: marginal gains expected; for "sparse", the products of pairs that cost as much.
        seconds_per_evaluation: measured, over all rows of the pool.
        seconds_per_pick: measured, to add one row.
        seconds: of the whole run; expect it to be off by a factor of two either way.

    """

    memory_needed: int
    cache_bytes: int
    pair_bytes: int
    evaluations: float
    seconds_per_evaluation: float
    seconds_per_pick: float
    seconds: float


def estimate(job: Job) -> Estimate:
    """Calibrate for about a second and extrapolate to the whole run."""
    engine = job.engine()
    rows = best_rows(job.problem, engine.ignored)
    engine.commit(rows[:1])
    per_pick = _seconds_per_row(engine.commit, rows[1:], _COMMITS)
    per_evaluation = _seconds_per_row(engine.gains, rows, _FIRST_BATCH)
    evaluations = expected_evaluations(job.plan, job.problem)
    needed, pair_bytes = job.problem.memory_needed(job.threads, job.plan.method), job.memory.pair_bytes
    if job.plan.graph is not None:
        for_graph, pair_bytes = steps.memory_needed(job.problem.n, job.plan.graph)
        needed += for_graph
    return Estimate(
        memory_needed=needed,
        cache_bytes=job.memory.cache_bytes,
        pair_bytes=pair_bytes,
        evaluations=evaluations,
        seconds_per_evaluation=per_evaluation,
        seconds_per_pick=per_pick,
        seconds=evaluations * per_evaluation + expected_commits(job.plan) * per_pick,
    )


def expected_evaluations(plan: Plan, problem: Problem) -> float:
    """Return about how many marginal gains a run computes, each over all rows."""
    n, k = problem.n, plan.k
    if plan.method in OTHER_METHODS:
        return 0.0
    if plan.graph is not None:
        return steps.expected_products(n, plan.graph) / n
    if plan.method == "exact":
        return _EXACT_EVALUATIONS * n
    if plan.method == "stochastic":
        return k * min(float(n), math.ceil(n / k * math.log(1 / plan.epsilon)))
    everything = k * (n - (k - 1) / 2)
    return everything if plan.method == "naive" else min(everything, _LAZY_EVALUATIONS * n)


def expected_commits(plan: Plan) -> int:
    """Return how many picks cost a product with all rows; those of "exact" are in its evaluations."""
    return 0 if plan.method == "exact" else plan.k


def _seconds_per_row(
    work: Callable[[NDArray[np.int64]], object], rows: NDArray[np.int64], first: int
) -> float:
    """Time work on growing batches of rows until one has taken long enough; 0.0 if there are no rows."""
    seconds, size = 0.0, min(first, len(rows))
    while size:
        start = time.perf_counter()
        work(rows[:size])
        seconds = (time.perf_counter() - start) / size
        if size == len(rows) or seconds * size > _CALIBRATION_SECONDS / 3:
            break
        size = min(len(rows), size * 4)
    return seconds
