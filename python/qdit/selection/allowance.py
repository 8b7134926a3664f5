"""What costs and quotas still permit, for methods that are no greedy maximisation by the engine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..common.types import Indices

if TYPE_CHECKING:  # it is made of options, and those name the methods that use this
    from .limits import OpenLimits


class Allowance:
    """Rows that may still be taken: what cannot be taken any more never can be again.

    Attributes:
        open: (n,) whether a row may be taken; kept up to date.

    """

    def __init__(self, n: int, free: Indices, limits: OpenLimits) -> None:
        """Open the free rows that the limits permit at all."""
        self.open: NDArray[np.bool_] = np.zeros(n, bool)
        self.open[limits.permitted(free)] = True
        self._limits = limits
        self._left = None if limits.quotas is None else limits.quotas.copy()
        self._spent = self._lost = 0.0  # Neumaier 1974: many small costs add up exactly

    def take(self, row: int) -> None:
        """Take a row that is open, and close what no longer fits."""
        self.open[row] = False
        if self._left is not None and self._limits.groups is not None:
            group = self._limits.groups[row]
            self._left[group] -= 1
            if self._left[group] == 0:
                self.open[self._limits.groups == group] = False
        if self._limits.costs is not None:
            self._spend(float(self._limits.costs[row]))
            self.open &= self._spent + self._lost + self._limits.costs <= self._limits.ceiling

    def _spend(self, cost: float) -> None:
        total = self._spent + cost
        larger, smaller = (self._spent, cost) if self._spent >= cost else (cost, self._spent)
        self._lost += (larger - total) + smaller
        self._spent = total


def permitted_in_order(order: Indices, n: int, limits: OpenLimits, k: int) -> Indices:
    """Return the first k rows of an order that are permitted, each after those before it were taken."""
    if not limits:
        return order[:k]
    return np.fromiter(_taken(order, Allowance(n, order, limits), k), np.int64)


def _taken(order: Indices, allowance: Allowance, k: int) -> Iterator[int]:
    count = 0
    for row in order.tolist():
        if count == k or not allowance.open.any():
            return
        if allowance.open[row]:
            allowance.take(row)
            count += 1
            yield row
