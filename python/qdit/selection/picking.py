"""Drives the engine through a run: journal, snapshots, progress."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._core import Engine
from ..common.progress import Progress, Tracker
from ..engine.blocks import chunks
from . import baselines
from .checkpoint import Checkpoint
from .first_bounds import first_bounds
from .options import BOUND_METHODS, GREEDY_METHODS
from .picks import UNKNOWN, Outcome
from .plan import Plan
from .problem import Problem

Ints = NDArray[np.int64]
_INTERVAL_SECONDS = 0.25


class Runner:
    """One run of one plan. Engine and checkpoint belong to the caller."""

    def __init__(
        self,
        engine: Engine,
        problem: Problem,
        plan: Plan,
        saved: Checkpoint | None,
        sink: Callable[[Progress], Any] | None,
    ) -> None:
        self._engine = engine
        self._problem = problem
        self._plan = plan
        self._saved = saved
        self.replayed = np.empty(0, np.int64) if saved is None else saved.indices[: plan.k]
        self._bounds = self._initial_bounds()
        self._d_start = engine.coverage()
        self._position = 0
        self._earlier: int = engine.stats()["evaluations"]  # by other runs of this engine
        self._tracker = Tracker(
            sink,
            plan.k,
            problem.n,
            replay=len(self.replayed),
            first_pass=plan.method in ("exact", "lazy"),
            accelerating=plan.method == "lazy",
        )

    def run(self, *, per_cost: bool = False) -> Outcome:
        """Pick; per_cost: by score per unit of cost, where there are costs."""
        if self._plan.method in GREEDY_METHODS:
            outcome = self._by_score(per_cost)
        elif self._plan.method == "threshold":
            outcome = self._by_threshold()
        else:
            outcome = self._in_order()
        if len(outcome.indices) < self._plan.k:
            self._tracker.end(len(outcome.indices))
        return outcome

    def _initial_bounds(self) -> Ints:
        if self._saved is not None and self._snapshots() and self._saved.bounds is not None:
            return self._saved.bounds
        found = None
        if self._plan.method in ("exact", "lazy") and len(self.replayed) == 0:
            found = first_bounds(self._problem, self._engine)
        return np.full(self._problem.n, UNKNOWN, np.int64) if found is None else found

    def _snapshots(self) -> bool:
        # naive and exact would not be faster for old bounds
        return self._plan.method in BOUND_METHODS

    def _by_score(self, per_cost: bool) -> Outcome:
        plan, problem, engine = self._plan, self._problem, self._engine
        indices, gains = engine.select(
            plan.method,
            plan.k,
            weight=problem.weight(plan.k) / engine.scale,
            bonus=problem.bonus,
            excluded=problem.given,
            epsilon=plan.epsilon,
            seed=plan.seed,
            memory=plan.pair_bytes,
            bounds=self._bounds,
            picks=self.replayed if len(self.replayed) else None,
            on_progress=self._on_progress,
            interval=_INTERVAL_SECONDS,
            **plan.constraints.engine_options(per_cost=per_cost),
        )
        return self._outcome(indices, gains, self._bounds)

    def _in_order(self) -> Outcome:
        """Take rows in an order that is known before; the engine only tells what each pick adds."""
        order, report = baselines.pick_order(self._problem, self._engine, self._plan)
        return self._outcome(order, self._commit(order), report=report)

    def _by_threshold(self) -> Outcome:
        plan = self._plan
        kept: list[Ints] = []
        gains: list[Ints] = []
        threshold = baselines.Threshold(self._problem, self._engine, plan.tau)
        for batch in threshold.batches(plan.k):
            kept.append(batch)
            gains.append(self._commit(batch))
        survivors = sum(map(len, kept))
        filled = threshold.fill(plan.k - survivors, plan.shortfall)
        indices = np.concatenate([*kept, filled])
        fixed = np.concatenate([*gains, self._commit(filled)])
        report = {"survivors": survivors, "filled": len(filled)}
        return self._outcome(indices, fixed, report=report)

    def _outcome(self, indices: Ints, gains: Ints, bounds: Ints | None = None, **report: Any) -> Outcome:
        return Outcome(indices, gains, self._engine.scale, self._d_start, bounds, **report)

    def _commit(self, order: Ints) -> Ints:
        gains = np.empty(len(order), np.int64)
        for part in chunks(len(order)):
            gains[part] = self._engine.commit(order[part])
            self._on_progress(order[part], gains[part], 0)
        return gains

    def _on_progress(self, indices: Ints, gains: Ints, evaluations: int) -> None:
        saved = self._saved
        if saved is not None:
            saved.append(indices, gains, self._position)
        self._position += len(indices)
        # while old picks are replayed the bounds are those of the snapshot that is there already
        if saved is not None and self._snapshots() and self._position >= len(self.replayed):
            saved.snapshot(self._bounds)
        self._tracker.update(self._position, max(0, evaluations - self._earlier))
