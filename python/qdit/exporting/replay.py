"""Picks once more, beside other candidates."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from .._core import Engine
from ..common import checks
from ..common.progress import Phases
from ..common.types import Floats, Indices
from ..engine.shuffle import shuffled
from ..selection.baselines import best_rows, free_rows
from ..selection.options import Search
from ..selection.plan import Plan
from ..selection.problem import Problem
from . import similar
from .choice import Choice, ChoiceOptions, MissingInputError

_BLOCK = 128

Line = tuple[str, str, str]


@dataclass(frozen=True, kw_only=True)
class VerifyOptions(ChoiceOptions):
    """How picks are replayed.

    Attributes:
        steps: Picks to replay against other candidates, the first and the last among them; 0 for none.
        candidates: Rows evaluated at each of them: the picks that came next, the best by quality, and random
            ones; all rows of the pool if it has no more.
        tolerance: By what part of its score a pick may be beaten, or of 1 if that is larger. 1e-3 suits picks
            made with half-precision products.
        seed: Of the sampled picks and candidates.

    """

    steps: int = 20
    candidates: int = 4096
    tolerance: float = 1e-6
    seed: int = 0

    def _check(self) -> None:
        checks.check_seed(self.seed)
        if self.tolerance < 0:
            raise ValueError(f"tolerance: got {self.tolerance}, wanted 0 or more")


def replay(choice: Choice, options: VerifyOptions, phases: Phases) -> Iterator[Line]:
    """Yield (name, status, detail) of the checks of gains, picks and order; see `verify`."""
    selection = choice.selection
    try:
        problem = choice.problem
    except ValueError as error:
        yield "replay", "not checked" if isinstance(error, MissingInputError) else "FAILED", str(error)
        return
    repeated = len(np.unique(selection.indices)) < len(selection)
    if repeated:
        yield "picks", "FAILED", f"{choice.folder}: a row was picked twice"
        return
    walk = _Walk(choice, problem, options)
    sampled = np.empty(0, np.int64)
    if _greedy(choice):
        sampled = _sampled_steps(len(selection), options.steps, options.seed)
    worst, first_wrong = 0.0, None
    shortfalls: list[tuple[float, str]] = []
    position = 0
    for stop in [*sampled.tolist(), len(selection)]:
        while position < stop:
            end = min(stop, position + _BLOCK)
            errors = walk.commit(position, end)
            wrong = ~(errors <= options.tolerance)
            if wrong.any() and first_wrong is None:
                first_wrong = position + int(wrong.argmax()), float(errors[wrong.argmax()])
            worst = max(worst, float(errors.max()))
            position = end
            phases.picks = position
            phases.tick(position / len(selection))
        if stop < len(selection):
            shortfalls.append(walk.shortfall(stop))
    yield _gain_line(selection.gains, worst, first_wrong)
    yield _objective_line(choice, problem, walk.engine, options.tolerance)
    yield from _order_lines(choice, problem, walk.engine, shortfalls, options)


class _Walk:
    """The picks, added one after another."""

    def __init__(self, choice: Choice, problem: Problem, options: VerifyOptions) -> None:
        self._selection = choice.selection
        self._problem = problem
        self._weight = choice.weight
        self._count = options.candidates
        self._seed = options.seed
        self.engine = problem.engine(threads=choice.threads)
        self._free = free_rows(problem, self.engine.ignored)
        self._best = np.empty(0, np.int64)
        if problem.alpha > 0:
            self._best = best_rows(problem, self.engine.ignored)[: self._count // 4 + len(choice.selection)]

    def commit(self, start: int, stop: int) -> Floats:
        """Add picks; return how far their recorded gains are off, relative to max(1, gain)."""
        recorded = self._selection.gains[start:stop]
        found = self.engine.commit(self._selection.indices[start:stop]) / self.engine.sum_scale
        return np.asarray(np.abs(found - recorded) / np.maximum(1.0, np.abs(recorded)))

    def shortfall(self, step: int) -> tuple[float, str]:
        """Return by how much the best candidate beats pick `step`, relative, and which row it is."""
        pick = int(self._selection.indices[step])
        rows = np.concatenate([[pick], self._candidates(step)])
        gains = similar.gains_of(self.engine, rows)
        scores = self._weight * gains + self._problem.bonus[rows]
        best = int(scores.argmax())
        short = (float(scores[best]) - float(scores[0])) / max(1.0, abs(float(scores[best])))
        text = f"pick {step + 1} is row {pick} with score {scores[0]:.9g}"
        return short, f"{text}, row {rows[best]} has {scores[best]:.9g}"

    def _candidates(self, step: int) -> Indices:
        indices = self._selection.indices
        taken = indices[:step]
        free = self._free[~np.isin(self._free, taken)]
        if len(free) <= self._count:
            return free
        quarter = max(1, self._count // 4)
        best = self._best[~np.isin(self._best, taken)][:quarter]
        rows = np.concatenate([indices[step : step + quarter], best, shuffled(free, self._seed + step)])
        _, first = np.unique(rows, return_index=True)
        return np.asarray(rows[np.sort(first)][: self._count], dtype=np.int64)


def _greedy(choice: Choice) -> bool:
    method = choice.method
    return method is not None and (method.exact or method.uses_graph) and not choice.limits


def _sampled_steps(k: int, steps: int, seed: int) -> Indices:
    """Return steps, ascending, the first and the last among them."""
    if steps <= 0:
        return np.empty(0, np.int64)
    ends = np.unique([0, k - 1])
    between = shuffled(np.arange(1, max(1, k - 1)), seed)[: max(0, steps - len(ends))]
    return np.sort(np.concatenate([ends[:steps], between]))


def _gain_line(gains: Floats, worst: float, first_wrong: tuple[int, float] | None) -> Line:
    if first_wrong is not None:
        at, error = first_wrong
        text = f"pick {at + 1}: the recorded gain {gains[at]:.9g} is off by {error:.3g} of it"
        return "gains", "FAILED", text
    return "gains", "ok", f"{len(gains):,} gains were found again, the worst off by {worst:.2g} of it"


def _objective_line(choice: Choice, problem: Problem, engine: Engine, tolerance: float) -> Line:
    selection = choice.selection
    diversity = choice.weight * (engine.coverage() / engine.sum_scale)
    found = math.fsum([diversity, *problem.bonus[selection.indices].tolist()])
    scale = max(1.0, abs(selection.objective), abs(diversity))
    error = abs(found - selection.objective) / scale
    if not error <= tolerance:
        return "objective", "FAILED", f"it is {found:.9g}, recorded is {selection.objective:.9g}"
    return "objective", "ok", f"{found:.9g}, as recorded"


def _order_lines(
    choice: Choice,
    problem: Problem,
    engine: Engine,
    shortfalls: list[tuple[float, str]],
    options: VerifyOptions,
) -> Iterator[Line]:
    selection = choice.selection
    method, name, chosen = choice.method, selection.params["method"], selection.indices
    if method is not None and method.choose is not None and method.fixed_order:
        plan = Plan(method, len(chosen), Search(seed=selection.params.get("seed", 0)))
        order = np.concatenate(list(method.choose(problem, engine, plan, {})))
        differs = np.flatnonzero(order[: len(chosen)] != chosen)
        if len(differs):
            at = int(differs[0])
            text = f"pick {at + 1} is row {chosen[at]}, method {name} takes row {order[at]}"
            yield "order", "FAILED", text
        else:
            yield "order", "ok", f"all {len(chosen):,} picks are those of method {name}"
    elif not _greedy(choice):
        what = f"a {' and '.join(choice.limits)}" if choice.limits else f"method {name}"
        yield "picks", "not checked", f"no replay against other candidates under {what}"
    elif shortfalls:
        short, text = max(shortfalls)
        about = f"{len(shortfalls)} picks beside up to {options.candidates:,} candidates each"
        if method is not None and not method.exact:
            lost = f"method {name} is no exact greedy, the most it lost is {short:.2g}: {text}"
            yield "picks", "ok", f"{about}; {lost}"
        elif not short <= options.tolerance:
            yield "picks", "FAILED", f"{text}, more by {short:.3g} of it"
        else:
            yield "picks", "ok", f"{about}; the worst was beaten by {max(0.0, short):.2g} of its score"
    else:
        yield "picks", "not checked", "steps is 0"
