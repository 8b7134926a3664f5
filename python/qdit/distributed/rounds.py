"""Several picks from one round: greedy on what a few candidates are made of.

All workers together tell, for some candidates T, every row v that c in T would raise, and by how much. That
is all there is to know of T: what any further pick of T does to the others of T follows from it. So the
driver goes on picking within T, exactly, as long as the best of T is certainly the best of all: better than
the upper bound of every candidate outside T (bounds only fall, so those from before the round hold). Ties
go to the smaller number, as everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .._core import pick_among
from ..common.types import Floats, Indices
from .messages import Answer


@dataclass(frozen=True)
class Rival:
    """The best that a candidate outside can reach: its score, and the smallest number with it."""

    score: float
    number: int


NOBODY = Rival(-np.inf, -1)


def best_of(scores: Floats, closed: NDArray[np.bool_]) -> Rival:
    """Return the best open candidate by its bound, the smaller number on ties."""
    masked = np.where(closed, -np.inf, scores)
    number = int(np.argmax(masked))
    return NOBODY if closed[number] else Rival(float(masked[number]), number)


def totals(answers: Sequence[Answer], count: int) -> Indices:
    """Return the exact gains of the candidates that were taken apart."""
    gains = np.zeros(count, np.int64)
    for answer in answers:
        filled = np.flatnonzero(np.diff(answer.offsets))
        if len(filled):
            gains[filled] += np.add.reduceat(answer.rises.astype(np.int64), answer.offsets[filled])
    return gains


def certified_picks(
    answers: Sequence[Answer],
    numbers: Indices,
    bonus: Floats,
    weight: float,
    most: int,
    rival: Rival,
) -> tuple[Indices, Indices]:
    """Return the next picks, and what each raises the coverage by, as far as they are certain.

    Args:
        answers: of every worker, for the candidates `numbers` (ascending).
        numbers: the candidates, by number.
        bonus: what is added to the score of each of them.
        weight: what a gain in fixed point is multiplied by.
        most: picks at most.
        rival: the best of the others.

    """
    picks, gains = pick_among(
        [(answer.offsets, answer.rows, answer.rises) for answer in answers],
        numbers,
        bonus,
        weight=weight,
        most=most,
        rival_score=rival.score,
        rival=rival.number,
    )
    return numbers[picks], gains
