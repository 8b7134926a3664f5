"""One run: drives the engine, and keeps its journal, its snapshots and its progress."""

import numpy as np

from .._core import Engine
from ..common.progress import Sink, Tracker
from ..common.types import JSON, Indices
from ..engine.blocks import Pace
from .baselines import free_rows
from .bounds import first_bounds
from .checkpoint import Checkpoint
from .picks import UNKNOWN, Outcome
from .plan import Plan
from .problem import Problem
from .watch import Turned, Watch

_INTERVAL_SECONDS = 0.25
_NO_PICKS = (np.empty(0, np.int64), np.empty(0, np.int64))


class Runner:
    """A run of a plan on an engine; engine and checkpoint belong to the caller."""

    def __init__(
        self, engine: Engine, problem: Problem, plan: Plan, saved: Checkpoint | None, sink: Sink | None
    ) -> None:
        self._engine = engine
        self._problem = problem
        self._plan = plan
        self._saved = saved
        self.replayed = np.empty(0, np.int64) if saved is None else saved.indices[: plan.k]
        self._bounds = self._initial_bounds()
        self._d_start = engine.coverage()
        self._position = self._shown = self._reserved = 0
        self._earlier: int = engine.stats()["evaluations"]  # by other runs of this engine
        self._watch = self._new_watch()
        self._taken = [_NO_PICKS]
        self._tracker = Tracker(
            sink,
            plan.k,
            problem.n,
            replay=len(self.replayed),
            first_pass=plan.method.first_pass,
            accelerating=plan.method.accelerates,
        )

    def run(self, *, per_cost: bool = False) -> Outcome:
        """Pick; per_cost: by score per unit of cost, where there are costs."""
        outcome = self._by_score(per_cost) if self._plan.method.greedy else self._in_order()
        if len(outcome.indices) < self._plan.k:
            self._tracker.end(len(outcome.indices))
        return outcome

    def _initial_bounds(self) -> Indices:
        if self._saved is not None and self._plan.method.keeps_bounds and self._saved.bounds is not None:
            return self._saved.bounds
        found = None
        if self._plan.method.first_pass and len(self.replayed) == 0:
            found = first_bounds(self._problem, self._engine)
        return np.full(self._problem.n, UNKNOWN, np.int64) if found is None else found

    def _new_watch(self) -> Watch | None:
        if not self._plan.limits.watched:
            return None
        return Watch(self._problem, self._plan, self._engine.sum_scale, self._d_start)

    def _by_score(self, per_cost: bool) -> Outcome:
        limits = self._plan.limits.engine_options(per_cost=per_cost)
        watch = self._watch
        if watch is None:
            indices, gains = self._select(limits)
            return Outcome(indices, gains, self._engine.sum_scale, self._d_start, self._bounds)
        watch.check_start()
        bounds: Indices | None = self._bounds
        try:
            if watch.bound:
                raise Turned
            indices, gains = self._select(limits)
        except Turned:
            indices, gains = self._so_far()
            bounds = None
            if watch.bound and not watch.ended:
                indices, gains = self._fill_groups(limits | {"quotas": watch.quotas}, indices)
        assert self._watch is not None
        report = self._watch.report(len(indices))
        if self._reserved:
            report["reserved"] = self._reserved
        return Outcome(indices, gains, self._engine.sum_scale, self._d_start, bounds, report=report)

    def _fill_groups(self, limits: JSON, picks: Indices) -> tuple[Indices, Indices]:
        """Make the picks that are left from groups that lack rows; the engine makes these ones again."""
        self._reserved = self._plan.k - len(picks)
        self._problem.reset(self._engine)
        self._bounds = np.full(self._problem.n, UNKNOWN, np.int64)
        saved = self.replayed
        self.replayed = picks if len(saved) < len(picks) else saved
        self._position, self._taken = 0, [_NO_PICKS]
        self._watch = self._new_watch()
        assert self._watch is not None
        self._watch.fill()
        try:
            return self._select(limits)
        except Turned:
            return self._so_far()

    def _so_far(self) -> tuple[Indices, Indices]:
        indices, gains = (np.concatenate(parts) for parts in zip(*self._taken, strict=True))
        return indices, gains

    def _select(self, limits: JSON) -> tuple[Indices, Indices]:
        plan, problem, engine = self._plan, self._problem, self._engine
        indices, gains = engine.select(
            plan.method.name,
            plan.k,
            weight=problem.weight(plan.k) / engine.sum_scale,
            bonus=problem.bonus,
            excluded=problem.closed,
            epsilon=plan.search.epsilon,
            seed=plan.search.seed,
            memory=plan.memory.pair_bytes,
            bounds=self._bounds,
            picks=self.replayed if len(self.replayed) else None,
            on_progress=self._on_progress,
            interval=_INTERVAL_SECONDS,
            **limits,
        )
        if len(self.replayed) == plan.k:
            self._complete(indices)
        return indices, gains

    def _complete(self, picks: Indices) -> None:
        """Evaluate the other rows for the bound: a run that only replays its picks looks at no row."""
        if not (self._plan.method.exact and self._problem.weight(self._plan.k) > 0):
            return
        rows = self._plan.limits.permitted(free_rows(self._problem, self._engine.ignored))
        rows = np.setdiff1d(rows, picks)
        rows = rows[self._bounds[rows] == UNKNOWN]
        for part in Pace().parts(len(rows)):
            self._bounds[rows[part]] = self._engine.gains(rows[part])

    def _in_order(self) -> Outcome:
        """Take the rows that the method names; the engine only tells what each pick adds."""
        plan = self._plan
        assert plan.method.choose is not None
        report: JSON = {}
        batches = plan.method.choose(self._problem, self._engine, plan, report)
        self._engine.expect(plan.k)
        pace = Pace()
        committed = [(batch, self._commit(batch, pace)) for batch in batches]
        indices, gains = (np.concatenate(parts) for parts in zip(*committed, strict=True))
        return Outcome(indices, gains, self._engine.sum_scale, self._d_start, report=report)

    def _commit(self, order: Indices, pace: Pace) -> Indices:
        gains = np.empty(len(order), np.int64)
        for part in pace.parts(len(order)):
            gains[part] = self._engine.commit(order[part])
            self._on_progress(order[part], gains[part], 0)
        return gains

    def _on_progress(self, indices: Indices, gains: Indices, evaluations: int) -> None:
        saved, watch = self._saved, self._watch
        if watch is not None:
            kept = watch.keep(indices, gains)
            indices, gains = indices[:kept], gains[:kept]
            self._taken.append((indices, gains))
        if saved is not None:
            saved.append(indices, gains, self._position)
        self._position += len(indices)
        # while old picks are replayed the bounds are those of the snapshot that is there already
        turned = watch is not None and watch.turned  # the engine may be beyond the picks that count
        keeps = self._plan.method.keeps_bounds and not turned
        if saved is not None and keeps and self._position >= len(self.replayed):
            saved.snapshot(self._bounds)
        self._shown = max(self._shown, self._position)
        self._tracker.update(self._shown, max(0, evaluations - self._earlier))
        if turned:
            raise Turned
