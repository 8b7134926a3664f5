"""A checked call of `select`: what will run, on what, with how much memory, and the run itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np

from . import budget, options, scaling
from ._core import Engine, build_info
from .checkpoint import Checkpoint
from .problem import Problem, make_problem, versions
from .progress import Progress
from .runner import Plan, Runner
from .selection import Selection


def prepare(
    embeddings: Any,
    quality: Any,
    alpha: float,
    k: int | float,
    *,
    method: str,
    backend: str,
    metric: str,
    floor: float | None,
    gain_scale: str,
    quality_scale: str,
    given: Any,
    epsilon: float,
    seed: int,
    threads: int | None,
    memory_budget: int | str | None,
    zero_rows: str,
) -> Job:
    """Check every argument; they and the errors are those of `qdit.select`."""
    options.check_choice("method", method, options.METHODS)
    epsilon = options.check_epsilon(epsilon)
    seed = options.check_seed(seed)
    threads = options.check_threads(threads)
    limit = budget.parse_bytes("memory_budget", memory_budget)
    problem = make_problem(
        embeddings,
        quality,
        alpha,
        metric=metric,
        floor=floor,
        zero_rows=zero_rows,
        backend=backend,
        gain_scale=gain_scale,
        quality_scale=quality_scale,
        given=given,
    )
    plan = Plan(resolve_method(method, problem.alpha), options.resolve_k(k, problem.n), epsilon, seed)
    check_k(plan.k, problem.n, len(problem.given))
    return Job(problem, plan, threads, budget.cache_bytes(limit, problem.memory_needed(threads)))


def resolve_method(method: str, alpha: float) -> str:
    """Return the method that runs: "quality" at alpha = 1, else "lazy" for "auto"."""
    if alpha == 1.0:
        return "quality"
    return "lazy" if method == "auto" else method


def check_k(k: int, n: int, given: int, ignored: int = 0) -> None:
    """Raise ValueError if fewer than k rows can be picked."""
    free = n - given - ignored
    if k <= free:
        return
    out = [f"{count:,} {what}" for count, what in ((given, "given"), (ignored, "ignored zero rows")) if count]
    less = f" less {' and '.join(out)}" if out else ""
    raise ValueError(f"k: got {k:,}, wanted at most {free:,} ({n:,} rows{less}); pass a smaller k")


class Job:
    """A checked call of `select`, ready to run."""

    def __init__(self, problem: Problem, plan: Plan, threads: int, cache_bytes: int) -> None:
        self.problem = problem
        self.plan = plan
        self.threads = threads
        self.cache_bytes = cache_bytes
        self._seconds_hash = 0.0

    @cached_property
    def inputs(self) -> dict[str, Any]:
        """Hash, shape, dtype and origin of each input."""
        start = time.perf_counter()
        inputs = self.problem.describe_inputs()
        self._seconds_hash = time.perf_counter() - start
        return inputs

    def engine(self) -> Engine:
        """Return an engine for this run; ValueError if ignored rows leave fewer than k."""
        engine = self.problem.engine(threads=self.threads, cache_bytes=self.cache_bytes)
        ignored = np.setdiff1d(engine.ignored, self.problem.given)
        check_k(self.plan.k, self.problem.n, len(self.problem.given), len(ignored))
        return engine

    def identity(self) -> dict[str, Any]:
        """Return all that decides the picks."""
        problem, plan = self.problem, self.plan
        identity: dict[str, Any] = {name: entry["sha256"] for name, entry in self.inputs.items()}
        identity |= {"n": problem.n, "d": problem.rows.d, "dtype": problem.rows.dtype}
        identity |= {"method": plan.method, "alpha": problem.alpha, **problem.settings()}
        identity["arithmetic"] = _arithmetic(problem)
        if plan.method == "stochastic":
            identity |= {"epsilon": plan.epsilon, "seed": plan.seed}
        # elsewhere the picks for a smaller k are the first of those for a larger one
        if plan.method == "stochastic" or problem.gain_scale == "per_k":
            identity["k"] = plan.k
        return identity

    def run(
        self,
        start: float,
        *,
        sink: Callable[[Progress], Any] | None = None,
        saved: Checkpoint | None = None,
    ) -> Selection:
        """Run the engine and return the selection; start: perf_counter() when the call began."""
        problem, plan, inputs = self.problem, self.plan, self.inputs
        engine = self.engine()
        runner = Runner(engine, problem, plan, saved, sink)
        indices, fixed = runner.run()
        gains = fixed / engine.scale
        stats = {
            **engine.stats(),
            "cache_bytes": self.cache_bytes,
            "resumed_picks": len(runner.replayed),
            "seconds_hash": self._seconds_hash,
            "seconds_total": time.perf_counter() - start,
            "versions": versions(),
        }
        return Selection.from_picks(
            indices,
            gains,
            problem.weight(plan.k) * gains + problem.bonus[indices],
            None if problem.quality is None else problem.quality[indices],
            d_start=(engine.coverage() - int(fixed.sum())) / engine.scale,
            params=self._params(len(engine.ignored)),
            stats=stats,
            inputs=inputs,
        )

    def _params(self, ignored: int) -> dict[str, Any]:
        problem, plan = self.problem, self.plan
        outside = 0 if problem.outside is None else problem.outside.n
        return {
            "n": problem.n,
            "d": problem.rows.d,
            "dtype": problem.rows.dtype,
            "k": plan.k,
            "alpha": problem.alpha,
            "method": plan.method,
            **problem.settings(),
            "gain_factor": scaling.gain_factor(problem.gain_scale, plan.k, problem.n),
            "epsilon": plan.epsilon,
            "seed": plan.seed,
            "given_rows": len(problem.given) + outside,
            "ignored_rows": ignored,
        }


def _arithmetic(problem: Problem) -> str:
    """Return how products are rounded; it decides the last bit of a similarity."""
    if problem.backend == "reference":
        return "float64"
    if problem.rows.dtype in ("float16", "bfloat16"):
        return "float32"  # products are exact, so fused or not makes no difference
    return "float32 unfused" if build_info()["simd_active"] == "baseline" else "float32 fused"
