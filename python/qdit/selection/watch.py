"""Where a run ends before its k-th pick, and where the rows that are left must go to groups that lack some.

Greedy under smallest numbers of each group goes on as ever while more picks are left than the groups lack
together. From the pick on at which they are as many, only groups that lack rows are open, each for what it
lacks: at every step all rows are open with which the numbers can still be reached (sets that can be completed
to them are a matroid; Fisher, Nemhauser & Wolsey 1978).
"""

import numpy as np

from ..common.types import JSON, Indices
from .plan import Plan
from .problem import Problem


class Turned(Exception):  # noqa: N818 - the way out of the engine, no error
    """The engine has picked as far as it should by the options that it has."""


class Watch:
    """Follows the picks of a run.

    Attributes:
        ended: why no more picks are wanted, "min_gain" or "min_coverage", else "".
        bound: whether all picks that are left go to groups that lack rows.
        quotas: (groups,) the most rows of each group from then on, those taken before counted.

    """

    def __init__(self, problem: Problem, plan: Plan, scale: float, fixed_start: int) -> None:
        self._problem, self._limits = problem, plan.limits
        self._weight = problem.weight(plan.k) / scale
        self._scale, self._covered = scale, fixed_start
        self._left = plan.k
        self.ended = ""
        self.bound = False
        least = self._limits.least
        self._lacking = None if least is None else least.copy()
        self.quotas: Indices | None = None if least is None else np.zeros_like(least)
        self._bind()

    @property
    def _wanted(self) -> float:
        wanted = self._limits.min_coverage
        return np.inf if wanted is None else wanted * self._problem.mass * self._scale

    def check_start(self) -> None:
        """Raise ValueError if what is given covers as much as is wanted."""
        problem = self._problem
        started = len(problem.given) > 0 or problem.outside is not None or problem.floor is not None
        if started and self._covered >= self._wanted:
            coverage = self._covered / self._scale / problem.mass
            raise ValueError(
                f"min_coverage: got {self._limits.min_coverage:g}, wanted more than the {coverage:.6g} that "
                "is covered before the first pick"
            )

    def keep(self, rows: Indices, gains: Indices) -> int:
        """Return how many of the next picks count: those up to a turn."""
        for i, (row, gain) in enumerate(zip(rows.tolist(), gains.tolist(), strict=True)):
            if self._limits.min_gain is not None:
                score = self._weight * gain + float(self._problem.bonus_of(row))
                if score < self._limits.min_gain:
                    self.ended = "min_gain"
                    return i
            self._covered += gain
            self._left -= 1
            if self._covered >= self._wanted:
                self.ended = "min_coverage"
                return i + 1
            if self._lacking is not None and self._limits.groups is not None and self.quotas is not None:
                group = self._limits.groups[row]
                self._lacking[group] = max(0, self._lacking[group] - 1)
                self.quotas[group] += 1
                if self._bind():
                    return i + 1
        return len(rows)

    def _bind(self) -> bool:
        """Return whether the groups have come to lack as many rows as there are picks left."""
        if self._lacking is None or self.quotas is None or self.bound:
            return False
        self.bound = 0 < self._left == int(self._lacking.sum())
        if self.bound:
            self.quotas = self.quotas + self._lacking
        return self.bound

    def fill(self) -> None:
        """Follow a run that has been bound, from its first pick on."""
        self._lacking, self.bound = None, False

    @property
    def turned(self) -> bool:
        """Whether the engine must be stopped."""
        return bool(self.ended) or self.bound

    def report(self, kept: int) -> JSON:
        """Return what to tell of it, for the stats; ValueError if not even one pick is wanted."""
        if self.ended == "min_gain" and kept == 0:
            raise ValueError(
                f"min_gain: got {self._limits.min_gain:g}, wanted at most what the first pick raises the "
                "objective by"
            )
        return {"ended_by": self.ended} if self.ended else {}
