"""The judge: greedy selection in float64 NumPy, and the replay certificate.

Nothing here shares code or arithmetic with the engine. `naive_greedy` is written to be obviously right and
holds the full similarity matrix; `replay` judges a finished selection, and is fast enough for thousands of
picks from tens of thousands of rows. Pools with known properties, made from a seed, stand at the end.

A selection A from the pool V maximises weight * d(A) + sum_{a in A} bonus(a), where d(A) = sum_v m_v and the
running maximum m_v is max_{a in A} s(a, v). With nothing chosen and no floor, d is 0 and the first gain is
the plain sum of similarities, negative ones included. A floor, given rows and outside rows each lift m_v
before the first pick.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import ml_dtypes
import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Draw = Callable[[int, NDArray[np.bool_]], Ints]  # (step, taken) -> candidates of that step

# How far a float32 similarity of unit rows may be off: four roundings (two inverse norms, their product, the
# scaled sum); what the sum itself and the fixed point add is smaller.
FLOAT32_PAIR = 4 * 2.0**-24
EPS = np.finfo(np.float64).eps
DENSE_ROWS = 8_000  # up to here the whole similarity matrix is held (0.5 GB), above it is computed in blocks
BLOCK_VALUES = 4_000_000


def as_float64(rows: ArrayLike) -> Floats:
    """Return rows as float64; uint16 stands for bfloat16 bits."""
    rows = np.asarray(rows)
    if rows.dtype == np.uint16:
        rows = (rows.astype(np.uint32) << 16).view(np.float32)
    return rows.astype(np.float64)


def stored(rows: ArrayLike, dtype: str) -> NDArray:
    """Return rows in a storage type of the engine; bfloat16 becomes its bits in uint16."""
    if dtype == "bfloat16":
        return np.asarray(rows).astype(ml_dtypes.bfloat16).view(np.uint16)
    return np.asarray(rows).astype(dtype)


def unit_rows(rows: ArrayLike, metric: str) -> Floats:
    """Return float64 rows whose dot products are the similarities; zero rows stay zero."""
    values = as_float64(rows)
    if metric == "dot":
        return values
    assert metric == "cosine", metric
    largest = np.abs(values).max(axis=1, keepdims=True)
    values = values / np.where(largest > 0, largest, 1)  # so that squares can neither overflow nor vanish
    norms = np.linalg.norm(values, axis=1, keepdims=True)
    return values / np.where(norms > 0, norms, 1)


def similarity(rows: ArrayLike, others: ArrayLike | None = None, metric: str = "cosine") -> Floats:
    """Return the matrix of s(row, other)."""
    left = unit_rows(rows, metric)
    return left @ (left if others is None else unit_rows(others, metric)).T


def raise_maximum(best: Floats | None, rows: Iterable[Floats]) -> Floats | None:
    """Return the running maximum after similarity rows joined it; None stands for "nothing yet"."""
    for row in rows:
        best = row.copy() if best is None else np.maximum(best, row)
    return best


def start_maximum(
    rows: ArrayLike,
    *,
    metric: str = "cosine",
    floor: float | None = None,
    given: Sequence[int] = (),
    outside: ArrayLike | None = None,
) -> Floats | None:
    """Return the running maximum before the first pick."""
    rows = np.asarray(rows)
    best = None if floor is None else np.full(len(rows), float(floor))
    if outside is not None:
        best = raise_maximum(best, similarity(outside, rows, metric))
    if len(given):
        best = raise_maximum(best, similarity(rows[np.asarray(given)], rows, metric))
    return best


def gains_over(sims: Floats, best: Floats | None) -> Floats:
    """Return the gain d(c|A) of each similarity row c over the running maximum of A."""
    if best is None:
        return sims.sum(axis=1)
    return np.maximum(sims - best, 0.0).sum(axis=1)


def coverage(rows: ArrayLike, chosen: Sequence[int], *, metric: str = "cosine", **start: object) -> float:
    """Return the sum of the running maximum over all rows, from the definition; 0 with nothing chosen."""
    rows = np.asarray(rows)
    best = start_maximum(rows, metric=metric, **start)  # type: ignore[arg-type]
    if len(chosen):
        best = raise_maximum(best, similarity(rows[np.asarray(chosen)], rows, metric))
    return 0.0 if best is None else float(best.sum())


def objective(
    rows: ArrayLike, chosen: Sequence[int], quality: ArrayLike | None, alpha: float, *, metric: str = "cosine"
) -> float:
    """Return F(A) = (1 - alpha) d(A) + alpha sum of q."""
    value = (1 - alpha) * coverage(rows, chosen, metric=metric)
    if quality is not None:
        value += alpha * float(np.asarray(quality, np.float64)[np.asarray(chosen, np.int64)].sum())
    return value


def naive_greedy(
    rows: ArrayLike,
    k: int,
    *,
    weight: float = 1.0,
    bonus: ArrayLike | None = None,
    metric: str = "cosine",
    floor: float | None = None,
    given: Sequence[int] = (),
    outside: ArrayLike | None = None,
    excluded: Sequence[int] = (),
    draw: Draw | None = None,
) -> tuple[Ints, Floats]:
    """Return (picks, gains): at every step the best free (and drawn) row, ties to the smaller index."""
    sims = similarity(rows, metric=metric)
    n = len(sims)
    bonus = np.zeros(n) if bonus is None else np.asarray(bonus, np.float64)
    best = start_maximum(rows, metric=metric, floor=floor, given=given, outside=outside)
    taken = np.zeros(n, bool)
    taken[list(given)] = taken[list(excluded)] = True
    picks, gains = [], []
    for step in range(k):
        candidates = np.flatnonzero(~taken) if draw is None else draw(step, taken)
        gain = gains_over(sims[candidates], best)
        place = int(np.argmax(weight * gain + bonus[candidates]))  # the first of equals: candidates ascend
        pick = int(candidates[place])
        best = raise_maximum(best, [sims[pick]])
        taken[pick] = True
        picks.append(pick)
        gains.append(gain[place])
    return np.array(picks, np.int64), np.array(gains)


class WrongSelectionError(AssertionError):
    """A selection that greedy could not have made."""


class _Similarities:
    """Rows of the similarity matrix, from the stored matrix for a small pool, computed for a large one."""

    def __init__(self, rows: ArrayLike, metric: str, dense_rows: int) -> None:
        self._unit = unit_rows(rows, metric)
        self.n = len(self._unit)
        self.largest = float((self._unit**2).sum(axis=1).max())
        self._dense = self._unit @ self._unit.T if self.n <= dense_rows else None

    def totals(self) -> Floats:
        """Return the sum of every row of the matrix, without the matrix."""
        return self._unit @ self._unit.sum(axis=0)

    def rows(self, index: Ints) -> Floats:
        if self._dense is not None:
            return self._dense[index]
        return self._unit[index] @ self._unit.T

    def blocks(self, index: Ints) -> Iterable[tuple[slice, Floats]]:
        size = max(1, BLOCK_VALUES // self.n)
        for first in range(0, len(index), size):
            part = slice(first, first + size)
            yield part, self.rows(index[part])


class _Ledger:
    """Gains of all rows over the running maximum, kept by visiting only the columns in which it rose.

    A column v whose maximum rises from old to new takes min(s, new) - min(s, old) off the gain of every
    row. The rounding of those subtractions adds up, so `drift` bounds it and `leaders` evaluates from the
    definition every row that the drift leaves in question: no verdict rests on a subtracted number.
    """

    def __init__(self, sims: _Similarities, best: Floats | None) -> None:
        self.sims = sims
        self.best = best
        self.recompute()

    def recompute(self) -> None:
        everyone = np.arange(self.sims.n)
        self.gains = self.sims.totals() if self.best is None else self.exact(everyone)
        # n terms, none larger than the largest self-similarity, each rounded a few dozen times on the way.
        self.drift = 32 * EPS * self.sims.n * self.sims.largest

    def exact(self, index: Ints) -> Floats:
        gains = np.empty(len(index))
        for part, sims in self.sims.blocks(index):
            gains[part] = gains_over(sims, self.best)
        return gains

    def raised(self, row: int, error: float) -> int:
        """Return how many rows this one raises the maximum of, or might with similarities off by `error`."""
        if self.best is None:
            return self.sims.n
        return int((self.sims.rows(np.array([row]))[0] > self.best - 2 * error).sum())

    def leaders(self, free: Ints, weight: float, bonus: Floats) -> tuple[Ints, Floats, Floats]:
        """Return the free rows that may be best, with gains and scores from the definition."""
        score = weight * self.gains[free] + bonus[free]
        slack = 2 * weight * self.drift + 4 * EPS * float(np.abs(score).max())
        rows = free[~(score < score.max() - slack)]  # a NaN stays in
        gains = self.exact(rows)
        return rows, gains, weight * gains + bonus[rows]

    def commit(self, pick: int) -> None:
        row = self.sims.rows(np.array([pick]))[0]
        if self.best is None:
            self.best = row.copy()
            self.recompute()
            return
        old, self.best = self.best, np.maximum(self.best, row)
        risen = np.flatnonzero(self.best > old)
        if not len(risen):
            return
        self.drift += (len(risen) + 2) * EPS * float(self.gains.max())
        for part, sims in self.sims.blocks(risen):
            low, high = old[risen[part], None], self.best[risen[part], None]
            self.gains -= (np.clip(sims, low, high) - low).sum(axis=0)


@dataclass(frozen=True)
class Replay:
    """What a replay found: float64 gains and scores of the picks, and the largest relative shortfall."""

    gains: Floats
    scores: Floats
    worst: float


def _checked_picks(picks: ArrayLike, n: int, k: int | None) -> Ints:
    picks = np.asarray(picks)
    if picks.ndim != 1 or picks.dtype.kind not in "iu":
        raise WrongSelectionError(f"picks must be a flat integer array, got {picks.ndim}-d {picks.dtype}")
    if k is not None and len(picks) != k:
        raise WrongSelectionError(f"{len(picks)} picks where {k} were asked for")
    for step, pick in enumerate(picks):
        if not 0 <= pick < n:
            raise WrongSelectionError(f"step {step}: pick {pick} is outside the pool of {n} rows")
    return picks.astype(np.int64)


def replay(
    embeddings: ArrayLike,
    picks: ArrayLike,
    quality: ArrayLike | None = None,
    alpha: float = 0.0,
    *,
    k: int | None = None,
    rtol: float = 1e-6,
    pair_error: float = 0.0,
    metric: str = "cosine",
    floor: float | None = None,
    given: Sequence[int] = (),
    outside: ArrayLike | None = None,
    excluded: Sequence[int] = (),
    gain_factor: float = 1.0,
    draw: Draw | None = None,
    gains: ArrayLike | None = None,
    gains_rtol: float = 1e-6,
    gains_pair_error: float = FLOAT32_PAIR,
    dense_rows: int = DENSE_ROWS,
) -> Replay:
    """Raise WrongSelectionError unless every pick was, at its step, the best available within the tolerance.

    The score is (1 - alpha) * gain_factor * gain + alpha * quality. A pick may fall short of the best by
    rtol * ((1 - alpha) * gain_factor * |gain| + alpha * |quality|) of the best row: relative to the
    parts and not to their sum, because quality may be negative and the sum cancel to nothing, which would
    demand more digits than either part has. k: how many picks were asked for.

    pair_error: how far one similarity may be off, where that is to be forgiven as well (pools with gains so
    small that float32 cannot tell them apart): a gain then has twice that for every row it raises. gains:
    diversity gains as reported, each within gains_rtol of float64 and gains_pair_error in the same sense.
    """
    sims = _Similarities(embeddings, metric, dense_rows)
    picks = _checked_picks(picks, sims.n, k)
    weight = (1 - alpha) * gain_factor
    bonus = np.zeros(sims.n) if quality is None else alpha * np.asarray(quality, np.float64)
    start = start_maximum(embeddings, metric=metric, floor=floor, given=given, outside=outside)
    ledger = _Ledger(sims, start)
    taken = np.zeros(sims.n, bool)
    taken[list(given)] = taken[list(excluded)] = True
    seen: set[int] = set()
    found, scores, worst = np.empty(len(picks)), np.empty(len(picks)), 0.0
    for step, pick in enumerate(picks.tolist()):
        if taken[pick]:
            why = "was picked before" if pick in seen else "is given or excluded"
            raise WrongSelectionError(f"step {step}: pick {pick} {why}")
        free = np.flatnonzero(~taken) if draw is None else draw(step, taken)
        if pick not in free:
            raise WrongSelectionError(f"step {step}: pick {pick} was not drawn")
        rows, row_gains, row_scores = ledger.leaders(free, weight, bonus)
        top = int(np.argmax(row_scores))
        gain = float(ledger.exact(np.array([pick]))[0])
        score = weight * gain + float(bonus[pick])
        size = weight * abs(float(row_gains[top])) + abs(float(bonus[rows[top]]))
        short = float(row_scores[top]) - score
        allowed = rtol * size
        if pair_error:
            raised = ledger.raised(int(rows[top]), pair_error) + ledger.raised(pick, pair_error)
            allowed += weight * 2 * pair_error * raised
        if not (short <= allowed):
            raise WrongSelectionError(
                f"step {step}: pick {pick} has score {score:.12g}, but row {rows[top]} has "
                f"{row_scores[top]:.12g}: short by {short:.3g}, allowed {allowed:.3g}"
            )
        if gains is not None:
            reported = float(np.asarray(gains)[step])
            raised = ledger.raised(pick, gains_pair_error)
            if not (abs(reported - gain) <= gains_rtol * abs(gain) + 2 * gains_pair_error * raised):
                raise WrongSelectionError(
                    f"step {step}: pick {pick} reports gain {reported:.12g}, has {gain:.12g}"
                )
        found[step], scores[step] = gain, score
        worst = max(worst, short / size if size > 0 else 0.0)
        taken[pick] = True
        seen.add(pick)
        ledger.commit(pick)
    return Replay(found, scores, worst)


def integer_rows(
    n: int, d: int, seed: int, *, low: int = -3, high: int = 3, dtype: str = "float32"
) -> NDArray:
    """Return rows of small integers: with metric "dot" every sum of products is exact in any arithmetic."""
    rows = np.random.default_rng(seed).integers(low, high, size=(n, d), endpoint=True)
    return stored(rows, dtype)


def clustered_rows(
    n: int, d: int, seed: int, *, clusters: int = 12, spread: float = 1.0, dtype: str = "float16"
) -> NDArray:
    """Return rows around a few centres, of mixed norms, with values that float16 holds exactly."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(clusters, d)) + 0.3
    rows = centres[rng.integers(clusters, size=n)] + spread * rng.normal(size=(n, d))
    rows *= rng.uniform(0.25, 4.0, size=(n, 1))
    return stored(rows.astype(np.float16), dtype)
