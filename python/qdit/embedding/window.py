"""Rows whose texts are in memory together, in the order in which they are encoded.

Texts of one length in a batch need no padding, so those of a window are sorted, longest first: a lack of
memory shows at once. A window is cut into chunks, which are durable one by one; where a run stopped inside,
the next makes the same window again and goes on behind them.
"""

from collections.abc import Sequence

import numpy as np

from ..common.types import Indices
from .encoder import Encoder, longest_first


class Window:
    """Consecutive rows, longest text first.

    Attributes:
        first: number of the first row.
        stop: number of the one behind the last.

    """

    def __init__(self, first: int, texts: Sequence[str], encoder: Encoder) -> None:
        """Find the order. texts: of all rows."""
        self.first, self.stop, self._texts = first, first + len(texts), texts
        self._lengths = encoder.lengths(texts)
        self._order = longest_first(self._lengths, len(texts))
        self._longest = encoder.longest
        weights = np.ones(len(texts)) if self._lengths is None else self._lengths[self._order] + 1.0
        self._shares = np.concatenate([[0], np.cumsum(weights / weights.sum())])

    def part(self, start: int, stop: int) -> tuple[list[str], list[int]]:
        """Return texts from one place in the order to another, and their row numbers."""
        places = self._order[start:stop]
        return [self._texts[i] for i in places], (self.first + places).tolist()

    def cut(self, start: int, stop: int) -> list[int]:
        """Return the numbers of those among them that are longer than the model takes."""
        if self._lengths is None or self._longest is None:
            return []
        places: Indices = self._order[start:stop]
        found: list[int] = (self.first + places[self._lengths[places] > self._longest]).tolist()
        return found

    def worked(self, place: int) -> float:
        """Return how many rows of mean length are as much work as all of them up to a place in the order."""
        return self.first + len(self._texts) * float(self._shares[place])
