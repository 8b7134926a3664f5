"""The judge of selections under a budget or quotas: plain greedy in float64, a replay, and brute force.

Nothing here shares code with the engine. Meant for small pools: it holds the similarity matrix.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike

from helpers.oracle import (
    Floats,
    Ints,
    WrongSelectionError,
    gains_over,
    raise_maximum,
    similarity,
    start_maximum,
)


@dataclass(frozen=True)
class Task:
    """What is to be chosen from: rows, scores, and what limits a selection.

    A selection has k rows; with costs at most k, as many as have a positive score and fit the budget;
    where nothing is covered yet the first may have any score.
    """

    rows: ArrayLike
    k: int
    weight: float = 1.0
    bonus: ArrayLike | None = None
    metric: str = "cosine"
    floor: float | None = None
    given: Sequence[int] = ()
    excluded: Sequence[int] = ()
    costs: ArrayLike | None = None
    budget: float = 0.0
    groups: ArrayLike | None = None
    quotas: Sequence[int] = ()
    sims: Floats = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "sims", similarity(self.rows, metric=self.metric))

    def bonuses(self) -> Floats:
        return np.zeros(len(self.sims)) if self.bonus is None else np.asarray(self.bonus, np.float64)

    def start(self) -> Floats | None:
        return start_maximum(self.rows, metric=self.metric, floor=self.floor, given=self.given)

    def fits(self, chosen: Sequence[int], row: int) -> bool:
        """Return whether a row may join what is chosen."""
        if row in chosen or row in self.given or row in self.excluded:
            return False
        if self.costs is not None:
            costs = np.asarray(self.costs, np.float64)
            if not math.fsum(costs[[*chosen, row]]) <= self.budget * (1 + 4 * np.finfo(np.float64).eps):
                return False
        if self.groups is not None:
            groups = np.asarray(self.groups)
            return bool((groups[list(chosen)] == groups[row]).sum() < self.quotas[groups[row]])
        return True

    def worth(self, chosen: Sequence[int], score: float, slack: float = 0.0) -> bool:
        """Return whether a row with this score may follow; slack: what the score may be off by."""
        nothing = self.weight > 0 and not chosen and self.start() is None
        return self.costs is None or score > -slack or nothing

    def permitted(self, chosen: Sequence[int]) -> bool:
        """Return whether a set keeps to every limit."""
        return all(self.fits(chosen[:i], row) for i, row in enumerate(chosen))

    def objective(self, chosen: Sequence[int]) -> float:
        """Return weight * d + the sum of the bonus; d is 0 for nothing."""
        best = raise_maximum(self.start(), self.sims[list(chosen)])
        diversity = 0.0 if best is None else float(best.sum())
        return self.weight * diversity + float(self.bonuses()[list(chosen)].sum())

    def sets(self) -> Iterator[tuple[int, ...]]:
        """Yield every permitted set that is not empty."""
        for size in range(1 if self.costs is not None else self.k, self.k + 1):
            yield from (
                chosen for chosen in combinations(range(len(self.sims)), size) if self.permitted(chosen)
            )

    def best_objective(self) -> float:
        """Return the largest objective of any permitted set, by looking at all."""
        return max(self.objective(chosen) for chosen in self.sets())


def _scores(task: Task, chosen: Sequence[int], rows: Sequence[int], per_cost: bool) -> Floats:
    best = raise_maximum(task.start(), task.sims[list(chosen)])
    scores = task.weight * gains_over(task.sims[list(rows)], best) + task.bonuses()[list(rows)]
    return scores / np.asarray(task.costs, np.float64)[list(rows)] if per_cost else scores


def constrained_greedy(task: Task, *, per_cost: bool = False) -> Ints:
    """Return the picks: at every step the best row that fits, ties to the smaller index."""
    picks: list[int] = []
    while len(picks) < task.k:
        rows = [row for row in range(len(task.sims)) if task.fits(picks, row)]
        if not rows:
            break
        scores = _scores(task, picks, rows, per_cost)
        place = int(np.argmax(scores))
        if not task.worth(picks, scores[place]):
            break
        picks.append(rows[place])
    return np.array(picks, np.int64)


def check_constrained(
    task: Task, picks: Sequence[int], *, per_cost: bool = False, rtol: float = 1e-6
) -> None:
    """Raise WrongSelectionError unless greedy could have made these picks and would have ended there."""
    picks = [int(pick) for pick in picks]
    for step, pick in enumerate(picks):
        if not task.fits(picks[:step], pick):
            raise WrongSelectionError(f"step {step}: pick {pick} does not fit")
        rows = [row for row in range(len(task.sims)) if task.fits(picks[:step], row)]
        scores = _scores(task, picks[:step], rows, per_cost)
        score = scores[rows.index(pick)]
        if not (scores.max() - score <= rtol * max(1.0, abs(scores.max()))):
            raise WrongSelectionError(f"step {step}: pick {pick} has {score:.9g}, another {scores.max():.9g}")
        if not task.worth(picks[:step], score, rtol):
            raise WrongSelectionError(f"step {step}: pick {pick} lowers the objective")
    if len(picks) > task.k:
        raise WrongSelectionError(f"{len(picks)} picks, wanted at most {task.k}")
    rows = [row for row in range(len(task.sims)) if task.fits(picks, row)]
    if len(picks) < task.k and rows:
        if task.costs is None:
            raise WrongSelectionError(f"{len(picks)} picks, wanted {task.k}: row {rows[0]} fits")
        scores = _scores(task, picks, rows, per_cost)
        if not (scores.max() <= rtol):
            raise WrongSelectionError(
                f"{len(picks)} picks, and row {rows[int(np.argmax(scores))]} still fits"
            )
