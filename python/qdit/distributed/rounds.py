"""Several picks from one round: greedy on what a few candidates are made of.

All workers together tell, for some candidates T, every row v that c in T would raise, and by how much. That is
all there is to know of T: what any further pick of T does to the others of T follows from it. So the driver
goes on picking within T, exactly, as long as the best of T is certainly the best of all: better than the upper
bound of every candidate outside T (bounds only fall, so those from before the round hold). Ties go to the
smaller number, as everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .._core import graph_select
from .messages import Answer, Ints

_NEVER = np.iinfo(np.int32).max  # a maximum that nothing raises
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Rival:
    """The best that a candidate outside can reach: its score, and the smallest number with it."""

    score: float
    number: int

    def loses_to(self, scores: Floats, numbers: Ints) -> NDArray[np.bool_]:
        """Return which candidates are certainly better."""
        return (scores > self.score) | ((scores == self.score) & (numbers < self.number))


NOBODY = Rival(-np.inf, 0)


def best_of(scores: Floats, closed: NDArray[np.bool_]) -> Rival:
    """Return the best open candidate by its bound, the smaller number on ties."""
    masked = np.where(closed, -np.inf, scores)
    number = int(np.argmax(masked))
    return NOBODY if closed[number] else Rival(float(masked[number]), number)


def totals(answers: Sequence[Answer], count: int) -> Ints:
    """Return the exact gains of the candidates that were taken apart."""
    gains = np.zeros(count, np.int64)
    for answer in answers:
        filled = np.flatnonzero(np.diff(answer.offsets))
        if len(filled):
            gains[filled] += np.add.reduceat(answer.rises.astype(np.int64), answer.offsets[filled])
    return gains


def certified_picks(
    answers: Sequence[Answer],
    numbers: Ints,
    bonus: Floats,
    weight: float,
    most: int,
    rival: Rival,
) -> tuple[Ints, Ints]:
    """Return the next picks, and what each raises the coverage by, as far as they are certain.

    Args:
        answers: of every worker, for the candidates `numbers` (ascending).
        numbers: the candidates, by number.
        bonus: what is added to the score of each of them.
        weight: what a gain in fixed point is multiplied by.
        most: picks at most.
        rival: the best of the others.

    """
    count = len(numbers)
    offsets, pairs = _graph(answers, count)
    nodes = len(offsets) - 1
    maxima = np.zeros(nodes, np.int32)
    maxima[:count] = _NEVER
    is_open = np.zeros(nodes, bool)
    is_open[:count] = True
    of_nodes = np.zeros(nodes)
    of_nodes[:count] = bonus
    picks, gains = graph_select(
        offsets, pairs, maxima, min(most, count), weight=weight, bonus=of_nodes, open=is_open
    )
    scores = weight * gains.astype(np.float64) + bonus[picks]
    certain = rival.loses_to(scores, numbers[picks])
    sure = len(certain) if certain.all() else int(np.argmin(certain))
    return numbers[picks[:sure]], gains[:sure]


def _graph(answers: Sequence[Answer], count: int) -> tuple[Ints, NDArray[np.void]]:
    """Return the pairs as a symmetric graph: nodes are the candidates, then the rows that they would raise.

    Rows begin at 0 and pairs carry the rise: only differences to the maximum count.
    """
    lists = [np.diff(answer.offsets) for answer in answers]
    candidate = np.concatenate([np.repeat(np.arange(count), sizes) for sizes in lists])
    rises = np.concatenate([answer.rises for answer in answers])
    rows = []
    first = count
    for answer in answers:
        there, place = np.unique(answer.rows, return_inverse=True)
        rows.append(first + place)
        first += len(there)
    row = np.concatenate(rows)
    node = np.concatenate([candidate, row])
    pairs = np.empty(2 * len(rises), np.dtype([("row", np.uint32), ("sim", np.int32)]))
    pairs["row"] = np.concatenate([row, candidate])
    pairs["sim"] = np.concatenate([rises, rises])
    order = np.lexsort((-pairs["sim"], node))  # lists fall
    sizes = np.bincount(node, minlength=first)
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64), pairs[order]
