"""A checked call of `select`: what will run, on what, with how much memory, and the run itself."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from functools import cached_property

import numpy as np

from .._core import Engine
from ..common.progress import Sink
from ..common.types import JSON
from ..common.versions import versions
from ..engine.backend import arithmetic
from ..engine.rows import EmbeddingsLike
from . import baselines, record
from .bounds import certified, upper_bound
from .checkpoint import Checkpoint
from .graph.build import GraphMaker
from .options import SelectOptions
from .picking import Runner
from .picks import Outcome
from .plan import Plan, check_k, make_plan
from .precision import warn_of_rounding
from .problem import Problem, make_problem
from .quality import K_SCALES
from .selection import Selection
from .watch import Watch
from .weighing import Shares, shares, warn_of_balance, weigh


def prepare(embeddings: EmbeddingsLike, options: SelectOptions) -> Job:
    """Open all inputs and decide what will run; errors as in `qdit.select`."""
    threads = options.thread_count
    problem = make_problem(embeddings, options)
    return Job(problem, make_plan(problem, options, threads), threads)


class Job:
    """A checked call of `select`, ready to run.

    Attributes:
        graph_maker: of a method that works on a graph, else None; jobs on the same rows may share one.

    """

    def __init__(self, problem: Problem, plan: Plan, threads: int) -> None:
        self.problem = problem
        self.plan = plan
        self.threads = threads
        self.graph_maker = None if plan.graph is None else GraphMaker(problem, plan.graph)
        self._seconds_hash = 0.0

    @cached_property
    def inputs(self) -> JSON:
        """Hash, shape, dtype and origin of each input."""
        start = time.perf_counter()
        inputs = record.describe_inputs(self.problem) | self.plan.limits.describe()
        if self.plan.labels is not None:
            inputs["labels"] = self.plan.labels.describe()
        self._seconds_hash = time.perf_counter() - start
        return inputs

    def engine(self) -> Engine:
        """Return an engine for this run; ValueError if ignored rows leave too few to pick from."""
        engine = self.problem.engine(threads=self.threads, cache_bytes=self.plan.memory.cache_bytes)
        self.check_engine(engine)
        return engine

    def check_engine(self, engine: Engine) -> None:
        """Raise ValueError if the rows that are left over are too few."""
        problem, plan = self.problem, self.plan
        free = baselines.free_rows(problem, engine.ignored)
        ignored = np.setdiff1d(engine.ignored, problem.closed)
        least = plan.k if plan.limits.costs is None else 1
        given = len(problem.given)
        check_k(least, problem.n, given, len(ignored), len(problem.closed) - given)
        plan.limits.check_rows(plan.k, free)
        clusters = plan.search.clusters
        if "clusters" in plan.method.options and plan.labels is None and clusters > len(free):
            raise ValueError(f"clusters: got {clusters}, wanted at most the {len(free)} rows to pick from")

    @cached_property
    def shares(self) -> Shares | None:
        """What the picks will have of either side, by a sample; None where there is one side."""
        return shares(self.problem, self.plan.k) if self.plan.method.greedy else None

    def identity(self) -> JSON:
        """Return all that decides the picks."""
        problem, plan = self.problem, self.plan
        rounding = arithmetic(
            problem.backend, problem.rows.dtype, device=problem.device, precision=problem.precision
        )
        identity = record.identity(problem, self.inputs, plan.method.name, rounding)
        identity |= record.method_options(plan)
        # elsewhere the picks for a smaller k are the first of those for a larger one
        decides = plan.method.k_decides or problem.gain_scale in K_SCALES
        if decides or plan.limits.costs is not None:
            identity["k"] = plan.k
        return identity

    def run(
        self,
        start: float,
        *,
        sink: Sink | None = None,
        saved: Checkpoint | None = None,
        engine: Engine | None = None,
    ) -> Selection:
        """Run and return the selection.

        start: perf_counter() when the call began. engine: one that was reset for this problem; None makes
            one.
        """
        problem, plan, inputs = self.problem, self.plan, self.inputs
        before: JSON = {} if engine is None else engine.stats()
        engine = self.engine() if engine is None else engine
        resumed = 0
        bound: float | None = None
        if self.graph_maker is not None:
            outcome = self._run_on_graph(engine, self.graph_maker, saved, sink)
        else:
            runner = Runner(engine, problem, plan, saved, sink)
            resumed = len(runner.replayed)
            if plan.limits.costs is None or not plan.method.greedy:
                outcome = runner.run()
                bound = upper_bound(problem, plan, engine.ignored, outcome)
            else:
                outcome, bound = self._run_budget(engine, runner, saved, sink)
        search = {"epsilon": plan.search.epsilon, "seed": plan.search.seed}
        params = record.params(problem, plan.k, plan.method.name, len(engine.ignored), search)
        counted = record.stats_since(before, engine.stats())
        weighed = self._weigh(outcome, engine)
        selection = record.result(
            problem,
            outcome,
            params=params | record.method_options(plan),
            stats={
                **counted,
                "cache_bytes": plan.memory.cache_bytes,
                "pair_bytes": plan.memory.pair_bytes,
                "resumed_picks": resumed,
                "seconds_hash": self._seconds_hash,
                "seconds_total": time.perf_counter() - start,
                "versions": versions(),
                **self._spent(outcome),
                **outcome.report,
                **weighed,
            },
            inputs=inputs,
        )
        warn_of_balance(problem, plan.k, weighed.get("balance"))
        warn_of_rounding(problem, plan.method, selection, engine.ignored, engine.scale)
        return certified(selection, problem, plan, engine.ignored, bound)

    def _spent(self, outcome: Outcome) -> JSON:
        costs = self.plan.limits.costs
        return {} if costs is None else {"cost": math.fsum(costs[outcome.indices].tolist())}

    def _run_on_graph(
        self, engine: Engine, maker: GraphMaker, saved: Checkpoint | None, sink: Sink | None
    ) -> Outcome:
        """Return the picks by a graph, which a checkpoint keeps: it is what takes the time."""
        start = time.perf_counter()
        graph = maker.get(self.threads, sink, None if saved is None else saved.path / "graph")
        spent = time.perf_counter() - start
        outcome = graph.pick(self.problem, self.plan.k, engine, self.threads, sink)
        to_picks = spent + outcome.report["seconds_to_picks"]
        outcome = replace(outcome, report={**graph.stats, **outcome.report, "seconds_to_picks": to_picks})
        if not self.plan.limits.ends:
            return outcome
        watch = Watch(self.problem, self.plan, outcome.scale, outcome.fixed_start)
        watch.check_start()
        kept = watch.keep(outcome.indices, outcome.fixed)
        report = {**outcome.report, **watch.report(kept)}
        return replace(outcome, indices=outcome.indices[:kept], fixed=outcome.fixed[:kept], report=report)

    def _weigh(self, outcome: Outcome, engine: Engine) -> JSON:
        """Return what each side weighed; the engine holds the picks, but for a budget, which has two runs."""
        problem, plan = self.problem, self.plan
        if not plan.method.greedy:
            return {}
        one_run = plan.limits.costs is None
        alone = engine.coverage() == outcome.fixed_start + int(outcome.fixed.sum())  # no picks beside these
        return weigh(
            problem,
            outcome,
            len(outcome.indices),
            plan.limits.permitted(baselines.free_rows(problem, engine.ignored)),
            engine=engine if one_run and alone else None,
            limited=bool(plan.limits),
        )

    def _run_budget(
        self, engine: Engine, runner: Runner, saved: Checkpoint | None, sink: Sink | None
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
        if len(best.indices) == 0 or max(values) < problem.weight(plan.k) * best.d_start:
            remedy = "given rows or the floor cover all of it"
            if problem.alpha > 0:
                remedy = "shift the quality, for instance with quality_scale='minmax'"
            raise ValueError(f"budget: no rows that it buys raise the objective; {remedy}")
        report = {
            "order": "score per cost" if best is by_ratio else "score",
            "objective_by_score_per_cost": values[0],
            "objective_by_score": values[1],
        }
        return replace(best, report=report), min((b for b in bounds if b is not None), default=None)
