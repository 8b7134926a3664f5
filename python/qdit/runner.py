"""Drives the engine through a run: journal, snapshots, progress."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._core import Engine
from .checkpoint import Checkpoint
from .problem import Problem
from .progress import Progress, Tracker

Picks = tuple[NDArray[np.int64], NDArray[np.int64]]
_UNKNOWN = np.iinfo(np.int64).max
_FIRST_CHUNK = 16
_MAX_CHUNK = 4096
_CHUNK_SECONDS = 0.1
_INTERVAL_SECONDS = 0.25


@dataclass(frozen=True)
class Plan:
    """What to run: method ("naive", "lazy", "stochastic" or "quality"), number of picks, epsilon, seed."""

    method: str
    k: int
    epsilon: float
    seed: int


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
        self._position = 0
        self._tracker = Tracker(
            sink, plan.k, problem.n, replay=len(self.replayed), first_pass=plan.method == "lazy"
        )

    def run(self) -> Picks:
        """Return row numbers and fixed-point gains of the picks, in order."""
        return self._by_quality() if self._plan.method == "quality" else self._by_score()

    def _initial_bounds(self) -> NDArray[np.int64] | None:
        if self._saved is None or self._plan.method not in ("lazy", "stochastic"):
            return None
        if self._saved.bounds is not None:
            return self._saved.bounds
        return np.full(self._problem.n, _UNKNOWN, np.int64)

    def _by_score(self) -> Picks:
        plan, problem, engine = self._plan, self._problem, self._engine
        return engine.select(
            plan.method,
            plan.k,
            weight=problem.weight(plan.k) / engine.scale,
            bonus=problem.bonus,
            excluded=problem.given,
            epsilon=plan.epsilon,
            seed=plan.seed,
            bounds=self._bounds,
            picks=self.replayed if len(self.replayed) else None,
            on_progress=self._on_progress,
            interval=_INTERVAL_SECONDS,
        )

    def _by_quality(self) -> Picks:
        """Take the best scores; the engine only tells what each pick adds to the coverage."""
        order = best_rows(self._problem, self._engine.ignored)[: self._plan.k]
        gains = np.empty(len(order), np.int64)
        clock = _ChunkClock()
        start = 0
        while start < len(order):
            stop = min(len(order), start + clock.size)
            gains[start:stop] = self._engine.commit(order[start:stop])
            self._on_progress(order[start:stop], gains[start:stop], 0)
            start = stop
            clock.tick()
        return order, gains

    def _on_progress(self, indices: NDArray[np.int64], gains: NDArray[np.int64], evaluations: int) -> None:
        saved = self._saved
        if saved is not None:
            saved.append(indices, gains, self._position)
        self._position += len(indices)
        # while old picks are replayed the bounds are those of the snapshot that is there already
        if saved is not None and self._bounds is not None and self._position >= len(self.replayed):
            saved.snapshot(self._bounds)
        self._tracker.update(self._position, evaluations)


def best_rows(problem: Problem, ignored: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return all rows that may be picked, the best quality first, the smaller row number on ties."""
    free = np.ones(problem.n, bool)
    free[problem.given] = False
    free[ignored] = False
    rows = np.flatnonzero(free)
    order = np.argsort(-problem.scaled[rows], kind="stable")
    return np.asarray(rows[order], dtype=np.int64)


class _ChunkClock:
    """Chooses chunk sizes that take about a tenth of a second, so that Ctrl-C and progress stay prompt."""

    def __init__(self) -> None:
        self.size = _FIRST_CHUNK
        self._last = time.monotonic()

    def tick(self) -> None:
        now = time.monotonic()
        spent, self._last = now - self._last, now
        if spent < _CHUNK_SECONDS / 2:
            self.size = min(_MAX_CHUNK, self.size * 2)
        elif spent > _CHUNK_SECONDS * 2:
            self.size = max(1, self.size // 2)
