"""Facility location over a given matrix of similarities, dense or sparse, and greedy ways to maximise it.

The ways, their options and the order of ties are those of apricot-select 0.6.1 (Schreiber, Bilmes & Noble,
JMLR 2020), so that its users get the picks that they know. Each yields (row, gain) until the budget is spent.
"""

import heapq
import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from ..common.types import Floats, Indices

Picks = Iterator[tuple[int, float]]
_BLOCK_ITEMS = 1 << 22


class Facility:
    """d(A) = sum over columns v of max(0, max over rows a in A of s(a, v)).

    Attributes:
        n: rows that can be chosen.

    """

    def __init__(self, similarities: Any) -> None:
        """Start with nothing chosen. similarities: (n, m) float64 array, or a CSR matrix."""
        self._csr = hasattr(similarities, "indptr")
        self._matrix = similarities
        self.n = int(similarities.shape[0])
        self._best = np.zeros(similarities.shape[1])

    def gain(self, row: int) -> float:
        """Return what a row would add to d."""
        values, where = self._row(row)
        rise = values - self._best[where]
        return float(np.maximum(rise, 0.0, out=rise).sum())

    def gains(self, rows: Indices) -> Floats:
        """Return what each row would add to d, (len(rows),)."""
        if self._csr:
            return np.array([self.gain(row) for row in rows.tolist()])
        found = np.empty(len(rows))
        step = max(1, _BLOCK_ITEMS // max(1, len(self._best)))
        for start in range(0, len(rows), step):
            rise = self._matrix[rows[start : start + step]] - self._best
            found[start : start + step] = np.maximum(rise, 0.0, out=rise).sum(axis=1)
        return found

    def add(self, row: int) -> None:
        """Choose a row."""
        values, where = self._row(row)
        self._best[where] = np.maximum(self._best[where], values)

    def _row(self, row: int) -> tuple[Floats, Any]:
        if not self._csr:
            return self._matrix[row], slice(None)
        part = slice(self._matrix.indptr[row], self._matrix.indptr[row + 1])
        return self._matrix.data[part], self._matrix.indices[part]


def naive(facility: Facility, rows: Indices, budget: float, costs: Floats) -> Picks:
    """Yield the row of largest gain per cost that the rest of the budget buys, the smaller number on ties."""
    yield from _by_queue(facility, rows, budget, costs, by_age=False)


def lazy(facility: Facility, rows: Indices, budget: float, costs: Floats) -> Picks:
    """Yield the same, but of ties the row that was evaluated first, as comes of a queue (Minoux 1978).

    apricot itself may take a row that adds nothing before one that adds something, and some row twice.
    """
    yield from _by_queue(facility, rows, budget, costs, by_age=True)


def two_stage(
    facility: Facility,
    rows: Indices,
    budget: float,
    costs: Floats,
    *,
    n_first_selections: int = 10,
    optimizer1: str = "naive",
    optimizer2: str = "lazy",
) -> Picks:
    """Spend part of the budget by one way and the rest by another."""
    taken = []
    for row, gain in _way(optimizer1)(facility, rows, min(n_first_selections, budget), costs):
        taken.append(row)
        yield row, gain
    if budget > n_first_selections:
        rest = np.setdiff1d(rows, taken)
        yield from _way(optimizer2)(facility, rest, budget - n_first_selections, costs)


def approximate_lazy(
    facility: Facility, rows: Indices, budget: float, costs: Floats, *, beta: float = 0.9
) -> Picks:
    """Yield the first row of the queue whose gain is still at least beta times what it was."""
    queue = _queue(facility, rows, costs, range(len(rows)))
    age = itertools.count(len(rows))
    spent = 0.0
    while spent < budget and queue:
        old, _, row = heapq.heappop(queue)
        if spent + costs[row] > budget:
            continue
        gain = facility.gain(row) / costs[row]
        if gain >= beta * -old:
            spent += costs[row]
            facility.add(row)
            yield row, gain * costs[row]
        else:
            heapq.heappush(queue, (-gain, next(age), row))


def stochastic(
    facility: Facility,
    rows: Indices,
    budget: float,
    costs: Floats,
    *,
    epsilon: float = 0.9,
    random_state: Any = None,
) -> Picks:
    """Yield the best of a fresh sample each time (Mirzasoleiman et al. 2015). Gains are per cost."""
    size = max(int(-np.log(epsilon) * facility.n / budget), 1)
    spent = 0.0
    while spent < budget and len(rows):
        sample = random_state.choice(rows, replace=False, size=min(size, len(rows)))
        gains = facility.gains(sample) / costs[sample]
        order = np.lexsort((np.arange(len(sample)), -gains))
        fits = order[spent + costs[sample[order]] <= budget]
        if len(fits) == 0:
            return
        row = int(sample[fits[0]])
        spent += costs[row]
        facility.add(row)
        rows = rows[rows != row]
        yield row, float(gains[fits[0]])


def sample(
    facility: Facility,
    rows: Indices,
    budget: float,
    costs: Floats,
    *,
    epsilon: float = 0.9,
    optimizer: str = "lazy",
    random_state: Any = None,
) -> Picks:
    """Leave a share 1 - epsilon of the rows out at random, and go on with the rest."""
    left_out = facility.n - max(int(facility.n * epsilon), 1)
    dropped = random_state.choice(rows, replace=False, size=left_out)
    yield from _way(optimizer)(facility, np.setdiff1d(rows, dropped), budget, costs)


def modular(facility: Facility, rows: Indices, budget: float, costs: Floats) -> Picks:
    """Yield rows by what each adds to nothing."""
    spent = 0.0
    for row in rows[(facility.gains(rows) / costs[rows]).argsort()[::-1]].tolist():
        if spent + costs[row] <= budget:
            spent += costs[row]
            gain = facility.gain(row)
            facility.add(row)
            yield row, gain


WAYS: dict[str, Callable[..., Picks]] = {
    "naive": naive,
    "lazy": lazy,
    "two-stage": two_stage,
    "approximate-lazy": approximate_lazy,
    "stochastic": stochastic,
    "sample": sample,
    "modular": modular,
}
RANDOM = ("stochastic", "sample")  # those that take a random_state


def _way(name: str) -> Callable[..., Picks]:
    return {"naive": naive, "lazy": lazy}[name]


def _queue(
    facility: Facility, rows: Indices, costs: Floats, ties: Iterable[int]
) -> list[tuple[float, int, int]]:
    """Return a heap of (-gain per cost, tie, row)."""
    gains = -facility.gains(rows) / costs[rows]
    queue = list(zip(gains.tolist(), ties, rows.tolist(), strict=True))
    heapq.heapify(queue)
    return queue


def _by_queue(facility: Facility, rows: Indices, budget: float, costs: Floats, *, by_age: bool) -> Picks:
    """Take the front of a queue of upper bounds once it has been evaluated since the last pick.

    by_age: of equal gains the one that has been in the queue for longer, else the smaller row, goes first.
    """
    queue = _queue(facility, rows, costs, range(len(rows)) if by_age else rows.tolist())
    age = itertools.count(len(rows))
    spent = 0.0
    while spent < budget:
        fresh: set[int] = set()
        while queue:
            old, _, row = heapq.heappop(queue)
            gain = -old
            if spent + costs[row] > budget:
                continue
            if row in fresh:
                break
            gain = facility.gain(row) / costs[row]
            fresh.add(row)
            heapq.heappush(queue, (-gain, next(age) if by_age else row, row))
        else:
            return
        spent += costs[row]
        facility.add(row)
        yield row, gain * costs[row]
