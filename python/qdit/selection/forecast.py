"""What a run will need: memory, and time extrapolated from a short calibration on this machine."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from ..common.types import Indices
from .baselines import best_rows
from .graph.plan import expected_products, memory_needed
from .plan import Plan
from .problem import Problem
from .run import Job

_CALIBRATION_SECONDS = 0.5
_FIRST_BATCH = 64
_COMMITS = 4


@dataclass(frozen=True)
class Estimate:
    """A forecast of one run.

    Attributes:
        memory_needed: bytes the engine needs at least, beside the pool.
        spare_bytes: bytes it may use on top, for what `Method.spare` names.
        evaluations: marginal gains expected; on a graph, the products of pairs that cost as much.
        seconds_per_evaluation: measured, over all rows of the pool.
        seconds_per_pick: measured, to add one row.
        seconds: of the whole run; expect it to be off by a factor of two either way.

    """

    memory_needed: int
    spare_bytes: int
    evaluations: float
    seconds_per_evaluation: float
    seconds_per_pick: float
    seconds: float


def estimate(job: Job) -> Estimate:
    """Calibrate for about a second and extrapolate to the whole run."""
    engine, problem, plan = job.engine(), job.problem, job.plan
    rows = best_rows(problem, engine.ignored)
    engine.commit(rows[:1])
    per_pick = _seconds_per_row(engine.commit, rows[1:], _COMMITS)
    per_evaluation = _seconds_per_row(engine.gains, rows, _FIRST_BATCH)
    evaluations = expected_evaluations(plan, problem)
    needed, spare = problem.memory_needed(job.threads, plan.method.spare), plan.memory.of(plan.method.spare)
    if plan.graph is not None:
        for_graph, spare = memory_needed(problem.n, plan.graph)
        needed += for_graph
    commits = 0 if plan.method.one_pass else plan.k  # picks that cost a product with all rows
    return Estimate(
        memory_needed=needed,
        spare_bytes=spare,
        evaluations=evaluations,
        seconds_per_evaluation=per_evaluation,
        seconds_per_pick=per_pick,
        seconds=evaluations * per_evaluation + commits * per_pick,
    )


def expected_evaluations(plan: Plan, problem: Problem) -> float:
    """Return about how many marginal gains a run computes, each over all rows."""
    if plan.graph is not None:
        return expected_products(problem.n, plan.graph) / problem.n
    found = plan.method.evaluations(problem.n, plan.k, plan.search)
    if plan.method.one_pass and problem.represented is not None:
        found += problem.n / 2  # each pair is there once, not from both sides
    return found


def _seconds_per_row(work: Callable[[Indices], object], rows: Indices, first: int) -> float:
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
