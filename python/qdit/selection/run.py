"""A checked call of `select`: what will run, on what, with how much memory, and the run itself."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import cached_property
from typing import Any

import numpy as np

from .._core import Engine
from ..common.progress import Progress
from ..common.versions import versions
from ..engine.backend import arithmetic
from . import baselines, quality
from .bounds import certified, upper_bound
from .checkpoint import Checkpoint
from .graph import steps
from .graph.build import GraphMaker
from .limits import open_constraints
from .memory import Memory
from .options import SelectOptions
from .picking import Runner
from .picks import Outcome
from .plan import Plan, check_applies, check_k, resolve_k, resolve_method
from .problem import Problem, make_problem
from .selection import Selection


def prepare(embeddings: Any, options: SelectOptions) -> Job:
    """Open all inputs and decide what will run; errors as in `qdit.select`."""
    threads, limit = options.thread_count, options.memory_bytes
    problem = make_problem(embeddings, options)
    constraints = open_constraints(problem.n, options)
    method, memory = resolve_method(options.method, problem, constraints, threads, limit)
    check_applies(method, problem, constraints, options.tau)
    plan = Plan(
        method,
        resolve_k(options.k, problem, constraints),
        options.epsilon,
        options.seed,
        constraints=constraints,
        tau=options.tau,
        shortfall=options.shortfall,
        clusters=options.clusters,
        pair_bytes=memory.pair_bytes,
        graph=steps.plan(problem.n, limit=limit, seed=options.seed) if method == "sparse" else None,
    )
    if constraints.costs is None:
        check_k(plan.k, problem.n, len(problem.given))
    return Job(problem, plan, threads, memory)


class Job:
    """A checked call of `select`, ready to run.

    Attributes:
        graph_maker: of method "sparse", else None; jobs on the same rows may share one.

    """

    def __init__(self, problem: Problem, plan: Plan, threads: int, memory: Memory) -> None:
        self.problem = problem
        self.plan = plan
        self.threads = threads
        self.memory = memory
        self.graph_maker = None if plan.graph is None else GraphMaker(problem, plan.graph)
        self._seconds_hash = 0.0

    @cached_property
    def inputs(self) -> dict[str, Any]:
        """Hash, shape, dtype and origin of each input."""
        start = time.perf_counter()
        inputs = self.problem.describe_inputs() | self.plan.constraints.describe()
        self._seconds_hash = time.perf_counter() - start
        return inputs

    def engine(self) -> Engine:
        """Return an engine for this run; ValueError if ignored rows leave too few to pick from."""
        engine = self.problem.engine(threads=self.threads, cache_bytes=self.memory.cache_bytes)
        self.check_engine(engine)
        return engine

    def check_engine(self, engine: Engine) -> None:
        """Raise ValueError if the rows that are left over are too few."""
        problem, plan = self.problem, self.plan
        free = baselines.free_rows(problem, engine.ignored)
        ignored = np.setdiff1d(engine.ignored, problem.given)
        least = plan.k if plan.constraints.costs is None else 1
        check_k(least, problem.n, len(problem.given), len(ignored))
        plan.constraints.check_rows(plan.k, free)
        if plan.method == "cluster" and plan.clusters > len(free):
            raise ValueError(
                f"clusters: got {plan.clusters}, wanted at most the {len(free)} rows to pick from"
            )

    def identity(self) -> dict[str, Any]:
        """Return all that decides the picks."""
        problem, plan = self.problem, self.plan
        identity: dict[str, Any] = {name: entry["sha256"] for name, entry in self.inputs.items()}
        identity |= {"n": problem.n, "d": problem.rows.d, "dtype": problem.rows.dtype}
        identity |= {"method": plan.method, "alpha": problem.alpha, **problem.settings()}
        identity["arithmetic"] = arithmetic(
            problem.backend, problem.rows.dtype, device=problem.device, precision=problem.precision
        )
        identity |= self._method_options()
        # elsewhere the picks for a smaller k are the first of those for a larger one
        decides = plan.method == "stochastic" or problem.gain_scale == "per_k"
        if decides or plan.constraints.costs is not None:
            identity["k"] = plan.k
        return identity

    def _method_options(self) -> dict[str, Any]:
        plan = self.plan
        names = {
            "stochastic": ("epsilon", "seed"),
            "sparse": ("graph",),
            "random": ("seed",),
            "threshold": ("tau", "shortfall"),
            "cluster": ("clusters", "seed"),
        }.get(plan.method, ())
        values = {name: getattr(plan, name) for name in names}
        if plan.graph is not None:
            values["graph"] = asdict(plan.graph)
        return values | plan.constraints.settings()

    def run(
        self,
        start: float,
        *,
        sink: Callable[[Progress], Any] | None = None,
        saved: Checkpoint | None = None,
        engine: Engine | None = None,
    ) -> Selection:
        """Run and return the selection.

        start: perf_counter() when the call began. engine: one that was reset for this problem; None makes
            one.
        """
        problem, plan, inputs = self.problem, self.plan, self.inputs
        before: dict[str, Any] = {} if engine is None else engine.stats()
        engine = self.engine() if engine is None else engine
        resumed = 0
        if self.graph_maker is not None:
            outcome, bound = self._run_sparse(engine, self.graph_maker, saved, sink), None
        else:
            runner = Runner(engine, problem, plan, saved, sink)
            resumed = len(runner.replayed)
            if plan.constraints.costs is None:
                outcome = runner.run()
                bound = upper_bound(problem, plan, engine.ignored, outcome)
            else:
                outcome, bound = self._run_budget(engine, runner, saved, sink)
        selection = Selection.from_picks(
            outcome.indices,
            outcome.gains,
            problem.weight(plan.k) * outcome.gains + problem.bonus[outcome.indices],
            None if problem.quality is None else problem.quality[outcome.indices],
            d_start=outcome.d_start,
            params=self._params(len(engine.ignored)),
            stats={
                **_since(before, engine.stats()),
                "cache_bytes": self.memory.cache_bytes,
                "pair_bytes": self.memory.pair_bytes,
                "resumed_picks": resumed,
                "seconds_hash": self._seconds_hash,
                "seconds_total": time.perf_counter() - start,
                "versions": versions(),
                **outcome.report,
            },
            inputs=inputs,
        )
        return certified(selection, problem, plan, engine.ignored, bound)

    def _run_sparse(
        self,
        engine: Engine,
        maker: GraphMaker,
        saved: Checkpoint | None,
        sink: Callable[[Progress], Any] | None,
    ) -> Outcome:
        """Return the picks by a graph, which a checkpoint keeps: it is what takes the time."""
        start = time.perf_counter()
        graph = maker.get(self.threads, sink, None if saved is None else saved.path / "graph")
        spent = time.perf_counter() - start
        outcome = graph.pick(self.problem, self.plan.k, engine, self.threads, sink)
        to_picks = spent + outcome.report["seconds_to_picks"]
        return replace(outcome, report={**graph.stats, **outcome.report, "seconds_to_picks": to_picks})

    def _run_budget(
        self,
        engine: Engine,
        runner: Runner,
        saved: Checkpoint | None,
        sink: Callable[[Progress], Any] | None,
    ) -> tuple[Outcome, float | None]:
        """Return the better of greedy by score per cost and greedy by score (Leskovec et al., KDD 2007)."""
        problem, plan = self.problem, self.plan
        by_ratio = runner.run(per_cost=True)
        problem.reset(engine)
        part = None if saved is None else saved.nested("by-score")
        try:
            by_score = Runner(engine, problem, plan, part, sink).run()
        finally:
            if part is not None:
                part.close()
        both = (by_ratio, by_score)
        values = [outcome.objective(problem, plan.k) for outcome in both]
        bounds = [upper_bound(problem, plan, engine.ignored, outcome) for outcome in both]
        best = by_ratio if values[0] >= values[1] else by_score
        if len(best.indices) == 0:
            raise ValueError(
                "budget: no row has a positive score, so any pick would lower the objective; "
                "shift the quality, for instance with quality_scale='minmax'"
            )
        costs = plan.constraints.costs
        assert costs is not None
        report = {
            "order": "score per cost" if best is by_ratio else "score",
            "objective_by_score_per_cost": values[0],
            "objective_by_score": values[1],
            "cost": math.fsum(costs[best.indices].tolist()),
        }
        return replace(best, report=report), min((b for b in bounds if b is not None), default=None)

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
            "gain_factor": quality.gain_factor(problem.gain_scale, plan.k, problem.n),
            "epsilon": plan.epsilon,
            "seed": plan.seed,
            "given_rows": len(problem.given) + outside,
            "ignored_rows": ignored,
            **self._method_options(),
        }


def _since(before: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    """Return the engine's counters since `before`; what is no counter stays."""
    counters = [name for name in before if name not in ("peak_bytes", "threads", "simd", "backend", "device")]
    return now | {name: now[name] - before[name] for name in counters}
