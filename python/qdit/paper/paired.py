"""Differences between selections over the same questions, with bootstrap intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..common.types import Floats
from ..evaluation.stats import (
    NOTHING,
    Bootstrap,
    Interval,
    percentiles,
    resamples,
    tail_mean,
    tail_means,
    tail_size,
)


def statistic(values: Floats, share: float | None) -> float:
    """Return the mean of values, or of the worst share of them."""
    return float(values.mean()) if share is None else tail_mean(values, share)


def resampled(values: Floats, share: float | None, drawing: Bootstrap) -> Floats:
    """Return the statistic of every resample of the questions, (draws,).

    The resamples depend on the seed and the number of questions alone, so those of two selections over the
    same questions are of the same questions: their difference is paired. The worst share is chosen anew in
    every resample and for every selection.
    """
    n = len(values)
    size = n if share is None else tail_size(n, share)
    return np.concatenate([tail_means(values[drawn], size) for drawn in resamples(n, drawing)])


class Sample:
    """A statistic over the same questions for one method, averaged over its seeds, with its resamples."""

    def __init__(self, runs: Sequence[Floats], share: float | None, **options: Any) -> None:
        """Compute it; of no question everything is NaN.

        runs: (m,) values for each seed, one a question. options: those of `Bootstrap`.
        """
        self.n, self.value, self.draws = len(runs[0]), math.nan, np.empty(0)
        if self.n:
            drawing = Bootstrap(**options)
            self.value = float(np.mean([statistic(values, share) for values in runs]))
            self.draws = np.mean([resampled(values, share, drawing) for values in runs], axis=0)

    def interval(self) -> Interval:
        """Return the statistic with its interval over questions."""
        return percentiles(self.value, self.draws, self.n) if self.n else NOTHING

    def less(self, other: Sample) -> Interval:
        """Return the paired difference to another method."""
        if not self.n:
            return NOTHING
        return percentiles(self.value - other.value, self.draws - other.draws, self.n)
