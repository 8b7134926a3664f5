"""Work on many rows, part by part."""

import time
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from .._core import Engine
from ..common.types import Indices

_FIRST_CHUNK, _MAX_CHUNK, _CHUNK_SECONDS = 64, 4096, 0.1  # fewer rows cost nearly as much
_COMMIT_ROWS = 512


class Pace:
    """Cuts ranges into parts that take about a tenth of a second, so that progress stays prompt."""

    def __init__(self) -> None:
        self._size = _FIRST_CHUNK

    def parts(self, count: int) -> Iterator[slice]:
        """Cut a range; it begins with parts as large as the one before it ended with."""
        start = 0
        last = time.monotonic()
        while start < count:
            size = self._size
            yield slice(start, min(count, start + size))
            start += size
            now = time.monotonic()
            spent, last = now - last, now
            if spent < _CHUNK_SECONDS / 2 and start <= count:
                self._size = min(_MAX_CHUNK, size * 2)
            elif spent > _CHUNK_SECONDS * 2:
                self._size = max(_FIRST_CHUNK, size // 2)


def commit(engine: Engine, picks: Indices, tick: Callable[[float], None] = lambda share: None) -> Indices:
    """Add picks to the engine's selection; return what each one raised the coverage by (fixed point).

    tick: called with the share that is done.
    """
    gains = np.empty(len(picks), np.int64)
    engine.expect(len(picks))
    for start in range(0, len(picks), _COMMIT_ROWS):
        part = slice(start, start + _COMMIT_ROWS)
        gains[part] = engine.commit(picks[part])
        tick(min(len(picks), part.stop) / len(picks))
    return gains


def products_of(engine: Engine) -> float:
    """Return the products of two rows that the engine has made."""
    return float(engine.stats()["products"]) * float(engine.n) ** 2


def fixed_coverage(engine: Engine) -> NDArray[np.int32]:
    """Return the running maximum of every row in fixed point."""
    return np.rint(engine.row_coverage() * engine.scale).astype(np.int32)
