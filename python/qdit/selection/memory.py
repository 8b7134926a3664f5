"""Memory: what a run needs beside the pool, what it may use, and what the rest buys."""

from dataclasses import dataclass
from enum import Enum

from .._core import available_memory
from ..common.text import format_bytes

_WORD_ARRAYS = 8  # (n,) arrays of 8-byte words: bounds, heap, bonus, maxima, norms, ...
_THREAD_BYTES = 2 * 10**6  # packed panels and accumulators of one thread
_MIN_CACHED_ROWS = 16
_DEFAULT_CACHE_BYTES = 512 * 10**6
_PAIRS_WORDS = 7  # for lists of alive pairs: (n,) arrays of the engine, and ...
_PAIRS_THREAD_WORDS = 3  # ... those of one thread: changes of gains that wait to be added
_MIN_PAIR_BYTES = 256  # for each row: a list shorter than some 16 pairs saves nothing
_WHOLE_DEVICE = 2**48  # more than any has; the engine takes what is free
_DEFAULT_PAIR_BYTES = 2 * 10**9  # where the system does not say what is available


class Spare(Enum):
    """What memory beyond what a run needs is used for."""

    EVALUATED_PAIRS = "alive pairs of evaluated candidates"
    ALIVE_PAIRS = "alive pairs"  # those of all rows that can still add something
    SIMILAR_PAIRS = "similar pairs"  # those of a graph


@dataclass(frozen=True)
class Memory:
    """What a run may take beside the pool and beside what it needs in any case.

    Attributes:
        cache_bytes: for alive pairs of evaluated candidates.
        pair_bytes: for alive pairs.

    """

    cache_bytes: int = 0
    pair_bytes: int = 0

    def of(self, spare: Spare) -> int:
        """Return the bytes for one use of them; what a graph may take is in its plan."""
        found = {Spare.EVALUATED_PAIRS: self.cache_bytes, Spare.ALIVE_PAIRS: self.pair_bytes}
        return found.get(spare, 0)


def memory_needed(
    n: int,
    d: int,
    *,
    threads: int = 1,
    outside_rows: int = 0,
    represented_rows: int = 0,
    spare: Spare = Spare.EVALUATED_PAIRS,
) -> int:
    """Return the bytes a run needs at least, the pool (mapped or in memory) not counted.

    Args:
        n: rows in the pool.
        d: dimensions.
        threads: threads of the engine.
        outside_rows: already chosen rows outside the pool.
        represented_rows: other rows that are covered in place of the pool's.
        spare: what more memory would be used for; alive pairs need more than the others to begin with.

    """
    words = _WORD_ARRAYS * 8 * n
    if spare is Spare.ALIVE_PAIRS:
        rest = (_PAIRS_WORDS + _PAIRS_THREAD_WORDS * threads) * 8 * n + _MIN_PAIR_BYTES * n
    else:
        rest = _MIN_CACHED_ROWS * 4 * n
    represented = represented_rows * (_WORD_ARRAYS * 8 + _MIN_PAIR_BYTES)
    return words + rest + threads * _THREAD_BYTES + outside_rows * (4 * d + 8) + represented


def on_device(budget: int | None) -> Memory:
    """Return the same on a CUDA device: what the pool and the rest leave free there, or less if so asked."""
    return Memory(pair_bytes=_WHOLE_DEVICE if budget is None else budget)


def divide(budget: int | None, needed: int, n: int, spare: Spare) -> Memory:
    """Return what a run may take above what it needs.

    With a budget it is what that leaves. Without one, alive pairs of evaluated candidates get 512 MB or a
    quarter of the available memory, whichever is less, and those of all rows half of it.
    What a graph may take is in its plan.

    Raises:
        MemoryError: if the budget is below what is needed.

    """
    if spare is Spare.SIMILAR_PAIRS:
        return Memory()
    if budget is not None and budget < needed:
        raise MemoryError(
            f"memory_budget: got {format_bytes(budget)}, wanted at least {format_bytes(needed)} for this "
            "pool (beside the embeddings); raise the budget or select from fewer rows"
        )
    available = available_memory() if budget is None else None
    if spare is Spare.ALIVE_PAIRS:
        least = _MIN_PAIR_BYTES * n  # is a part of `needed`
        half = _DEFAULT_PAIR_BYTES if available is None else available // 2
        return Memory(pair_bytes=max(least, half) if budget is None else least + budget - needed)
    quarter = _DEFAULT_CACHE_BYTES if available is None else available // 4
    return Memory(cache_bytes=min(_DEFAULT_CACHE_BYTES, quarter) if budget is None else budget - needed)
