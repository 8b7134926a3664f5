"""Greedy selection for represented rows with weights: float64 NumPy, written to be obviously right.

d(A) = sum over represented rows v of w_v * max over a in A of s(a, v). Candidates are the rows of a pool,
represented rows are others (or the pool's own). Nothing here shares code or arithmetic with the engine.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from .oracle import Floats, Ints, similarity


def targeted_greedy(
    rows: ArrayLike,
    represented: ArrayLike,
    k: int,
    *,
    weights: ArrayLike | None = None,
    weight: float = 1.0,
    bonus: ArrayLike | None = None,
    metric: str = "cosine",
    floor: float | None = None,
    given: Sequence[int] = (),
    outside: ArrayLike | None = None,
    draw: Callable[[int, np.ndarray], Ints] | None = None,
) -> tuple[Ints, Floats]:
    """Return (picks, gains): at every step the best free (and drawn) row, ties to the smaller index."""
    sims = similarity(rows, represented, metric)
    n, m = sims.shape
    w = np.ones(m) if weights is None else np.asarray(weights, np.float64)
    bonus = np.zeros(n) if bonus is None else np.asarray(bonus, np.float64)
    best = start_maximum(rows, represented, metric=metric, floor=floor, given=given, outside=outside)
    taken = np.zeros(n, bool)
    taken[list(given)] = True
    picks, gains = [], []
    for step in range(k):
        candidates = np.flatnonzero(~taken) if draw is None else draw(step, taken)
        found = sims[candidates]
        gain = ((found if best is None else np.maximum(found - best, 0.0)) * w).sum(axis=1)
        place = int(np.argmax(weight * gain + bonus[candidates]))  # the first of equals: candidates ascend
        pick = int(candidates[place])
        best = sims[pick] if best is None else np.maximum(best, sims[pick])
        taken[pick] = True
        picks.append(pick)
        gains.append(gain[place])
    return np.array(picks, np.int64), np.array(gains)


def start_maximum(
    rows: ArrayLike,
    represented: ArrayLike,
    *,
    metric: str = "cosine",
    floor: float | None = None,
    given: Sequence[int] = (),
    outside: ArrayLike | None = None,
) -> Floats | None:
    """Return what every represented row starts with; None stands for "nothing yet"."""
    found = [] if floor is None else [np.full((1, len(np.asarray(represented))), float(floor))]
    if outside is not None and len(outside):
        found.append(similarity(outside, represented, metric))
    if len(given):
        found.append(similarity(np.asarray(rows)[np.asarray(given)], represented, metric))
    return np.concatenate(found).max(axis=0) if found else None


def targeted_rows(
    rows: ArrayLike, represented: ArrayLike, chosen: Sequence[int], *, metric: str = "cosine", **start: object
) -> Floats:
    """Return the similarity of every represented row to the nearest chosen, given or outside row."""
    best = start_maximum(rows, represented, metric=metric, **start)  # type: ignore[arg-type]
    sims = similarity(np.asarray(rows)[np.asarray(chosen, np.int64)], represented, metric).max(axis=0)
    return sims if best is None else np.maximum(best, sims)


def targeted_certificate(
    rows: ArrayLike,
    represented: ArrayLike,
    picks: Sequence[int],
    *,
    weights: ArrayLike | None = None,
    weight: float = 1.0,
    bonus: ArrayLike | None = None,
    metric: str = "cosine",
    **start: object,
) -> float:
    """Return by what part of its score the worst pick is beaten by another row, when float64 replays them."""
    sims = similarity(rows, represented, metric)
    n, m = sims.shape
    w = np.ones(m) if weights is None else np.asarray(weights, np.float64)
    bonus = np.zeros(n) if bonus is None else np.asarray(bonus, np.float64)
    best = start_maximum(rows, represented, metric=metric, **start)  # type: ignore[arg-type]
    free = np.ones(n, bool)
    free[list(start.get("given", ()))] = False  # type: ignore[call-overload]
    worst = 0.0
    for pick in picks:
        assert free[pick], f"row {pick} cannot be picked"
        gain = ((sims if best is None else np.maximum(sims - best, 0.0)) * w).sum(axis=1)
        scores = weight * gain + bonus
        short = scores[free].max() - scores[pick]
        worst = max(worst, short / max(1.0, abs(scores[free].max())))
        best = sims[pick] if best is None else np.maximum(best, sims[pick])
        free[pick] = False
    return worst
