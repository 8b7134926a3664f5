"""Means, tails and their bootstrap intervals over questions."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..common.checks import check_float, check_least, check_seed
from ..common.options import Options
from ..common.types import JSON, Floats, Indices

Numbers = Sequence[float] | Floats  # one a question
DRAWS = 10_000
_BLOCK_ITEMS = 1 << 20  # resampled values held at a time


@dataclass(frozen=True, kw_only=True)
class Bootstrap(Options):
    """How an interval is drawn: the percentile bootstrap of Efron (1979) over questions.

    Attributes:
        draws: Resamples of the bootstrap over questions, each of as many questions, with replacement.
        level: Level of its intervals, a share of the resamples.
        seed: Seed of its resampling.

    """

    draws: int = DRAWS
    level: float = 0.95
    seed: int = 0

    def _check(self) -> None:
        check_least("draws", self.draws, 1)
        if not 0 < self.level < 1:
            raise ValueError(f"level: got {self.level}, wanted a number between 0 and 1, both excluded")
        check_seed(self.seed)


@dataclass(frozen=True)
class Interval:
    """A statistic with its interval.

    Attributes:
        mean: the statistic of the values themselves; NaN without values.
        low, high: ends of the interval; NaN without values.
        n: number of values it was computed from.

    """

    mean: float
    low: float
    high: float
    n: int

    def json(self) -> JSON:
        """Return a JSON object, null where there is nothing."""
        numbers = {"mean": self.mean, "low": self.low, "high": self.high}
        return {name: None if math.isnan(x) else x for name, x in numbers.items()} | {"n": self.n}

    @classmethod
    def from_json(cls, value: Any) -> Interval:
        """Return the interval that `json` gave; ValueError for anything else."""
        try:
            mean, low, high = (
                math.nan if value[name] is None else float(value[name]) for name in ("mean", "low", "high")
            )
            return cls(mean, low, high, int(value["n"]))
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"got {value!r}, wanted an object with mean, low, high and n") from error


NOTHING = Interval(math.nan, math.nan, math.nan, 0)


def mean_interval(values: Numbers, **options: Any) -> Interval:
    """Return the mean with its interval.

    Args:
        values: (n,) numbers, one a question; of none, everything is NaN.
        options: those of `Bootstrap`.

    Raises:
        ValueError: for a value that is not finite: leave out what has no value, and count it.

    """
    return tail_interval(values, 1.0, **options)


def tail_mean(values: Numbers, share: float, worst: bool = True) -> float:
    """Return the mean of the ceil(share * n) smallest values, or the largest if not `worst`.

    At least one value counts; of no values it is NaN. Arguments and errors otherwise as in `mean_interval`.
    """
    found = _checked(values)
    if len(found) == 0:
        return math.nan
    return float(tail_means(found[None, :], tail_size(len(found), share), worst)[0])


def tail_interval(values: Numbers, share: float, worst: bool = True, **options: Any) -> Interval:
    """Return `tail_mean` with its interval.

    The tail is chosen anew in every resample, so the interval includes how uncertain it is which questions
    are the worst. n of the result is the number of all values.
    """
    found = _checked(values)
    size = tail_size(max(1, len(found)), share)
    return bootstrap(len(found), lambda drawn: tail_means(found[drawn], size, worst), **options)


def ratio_interval(numerators: Numbers, denominators: Numbers, **options: Any) -> Interval:
    """Return sum(numerators) / sum(denominators) with its interval.

    Questions are resampled, each with its numerator and its denominator, such as the wins and the number of
    its comparisons. n of the result is the number of questions. ValueError unless every denominator is
    above 0.
    """
    above, below = _checked(numerators), _checked(denominators)
    if above.shape != below.shape or not (below > 0).all():
        raise ValueError(
            f"denominators: wanted {len(above)} numbers above 0, one for each numerator; leave out questions "
            "without a comparison"
        )

    def ratio(drawn: Indices) -> Floats:
        return np.asarray(above[drawn].sum(axis=1) / below[drawn].sum(axis=1))

    return bootstrap(len(above), ratio, **options)


def tail_size(n: int, share: float) -> int:
    """Return ceil(share * n), at least 1; ValueError unless 0 < share <= 1."""
    share = check_float("share", share)
    if not 0 < share <= 1:
        raise ValueError(f"share: got {share}, wanted a number above 0, at most 1")
    return max(1, math.ceil(share * n - 1e-9))  # 0.07 * 100 is 7.000000000000001


def _checked(values: Numbers) -> Floats:
    found = np.asarray(values, np.float64)
    if found.ndim != 1:
        raise ValueError(f"values: got shape {found.shape}, wanted (n,)")
    bad = np.flatnonzero(~np.isfinite(found))
    if len(bad):
        raise ValueError(
            f"values: {len(bad)} of {len(found)} are not finite, the first is {found[bad[0]]} at {bad[0]}; "
            "leave them out and say how many they are"
        )
    return found


def tail_means(drawn: Floats, size: int, worst: bool = True) -> Floats:
    """Return the mean of the `size` smallest values of each row of (b, n), or the largest if not `worst`."""
    if size < drawn.shape[1]:
        drawn = np.partition(drawn, size - 1 if worst else -size, axis=1)
        drawn = drawn[:, :size] if worst else drawn[:, -size:]
    return np.asarray(drawn.mean(axis=1))


def bootstrap(
    n: int, statistic: Callable[[Indices], Floats], *, strata: Sequence[int] | None = None, **options: Any
) -> Interval:
    """Return a statistic of n questions with its percentile interval.

    Args:
        n: number of questions.
        statistic: takes (b, n) int64 numbers of questions, a resample in each row, and returns b values.
        strata: sizes of groups of neighboring questions, n in all; each is resampled by itself. None for one.
        options: those of `Bootstrap`.

    """
    drawing = Bootstrap.of("bootstrap", options)
    if n == 0:
        return NOTHING
    found = np.concatenate([statistic(drawn) for drawn in resamples(n, drawing, strata)])
    return percentiles(float(statistic(np.arange(n)[None, :])[0]), found, n, drawing.level)


def resamples(n: int, drawing: Bootstrap, strata: Sequence[int] | None = None) -> Iterator[Indices]:
    """Yield the resamples of n questions, some at a time: (b, n) numbers of questions, strata as above."""
    random = np.random.default_rng(drawing.seed)
    sizes = np.array([n] if strata is None else strata)
    firsts, spans = np.repeat(np.cumsum(sizes) - sizes, sizes), np.repeat(sizes, sizes)
    step = max(1, _BLOCK_ITEMS // n)
    for start in range(0, drawing.draws, step):
        yield firsts + random.integers(0, spans, (min(step, drawing.draws - start), n))


def percentiles(value: float, resampled: Floats, n: int, level: float = Bootstrap.level) -> Interval:
    """Return a statistic of n questions with the interval that its resampled values give."""
    low, high = np.quantile(resampled, [(1 - level) / 2, (1 + level) / 2])
    return Interval(value, float(low), float(high), n)
