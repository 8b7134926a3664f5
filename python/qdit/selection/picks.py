"""What a run found, in the engine's units."""

import math
from dataclasses import dataclass, field

import numpy as np

from ..common.types import JSON, Floats, Indices
from .problem import Problem

UNKNOWN = np.iinfo(np.int64).max  # the bound of a row whose gain was never evaluated


@dataclass(frozen=True, eq=False)
class Outcome:
    """Picks of a run.

    Attributes:
        indices: (k,) int64 row numbers in pick order.
        fixed: (k,) int64 fixed-point gains.
        scale: fixed-point units per unit of gain.
        fixed_start: d before the first pick, in fixed point.
        bounds: (n,) int64 upper bounds on the gains of the other rows or UNKNOWN; None if there are none.
        report: what the method has to say, for the stats.

    """

    indices: Indices
    fixed: Indices
    scale: float
    fixed_start: int
    bounds: Indices | None = None
    report: JSON = field(default_factory=dict)

    @property
    def gains(self) -> Floats:
        """Gains as sums of similarities."""
        return self.fixed / self.scale

    @property
    def d_start(self) -> float:
        """D before the first pick."""
        return self.fixed_start / self.scale

    @property
    def diversity(self) -> float:
        """D of the picks and of what was given."""
        return (self.fixed_start + int(self.fixed.sum())) / self.scale

    def objective(self, problem: Problem, k: int) -> float:
        """Return F; k: what the gains are scaled by under gain_scale="per_k"."""
        weight = problem.weight(k)
        scores = weight * self.gains + problem.bonus[self.indices]
        return math.fsum([weight * self.d_start, *scores.tolist()])
