"""Near-duplicates by the words they share: MinHash with locality-sensitive hashing, by datasketch."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ..common.optional import require
from .options import DATASKETCH, MINHASH, PoolDedupOptions
from .pairs import PAIR, Pairs
from .texts import words

_SHINGLE = 5  # words
_SCALE = 1 << 30  # similarities are whole numbers of 1 / this
_LOOK_ROWS = 1000


def minhash_pairs(
    texts: Iterable[tuple[int, str]], asked: PoolDedupOptions, tick: Callable[[float], None], n: int
) -> Pairs:
    """Return pairs of rows whose sets of five-word shingles are similar by their sketches.

    Broder, "On the resemblance and containment of documents" (1997). An estimate: a pair near the threshold
    may be missed or be found below it.

    Args:
        texts: (row, text), by row.
        asked: jaccard, permutations and seed.
        tick: is told the share that is done.
        n: rows there are.

    """
    sketch: Any = require(*DATASKETCH)
    index = sketch.MinHashLSH(threshold=asked.jaccard, num_perm=asked.permutations)
    sketches: dict[int, Any] = {}
    found: list[tuple[int, int, int]] = []
    for row, text in texts:
        shingles = _shingles(text)
        if not shingles:
            continue
        made = sketch.MinHash(num_perm=asked.permutations, seed=asked.seed)
        made.update_batch(shingles)
        for other in index.query(made):
            jaccard = made.jaccard(sketches[other])
            if jaccard >= asked.jaccard:
                found.append((other, row, round(jaccard * _SCALE)))
        index.insert(row, made, check_duplication=False)
        sketches[row] = made
        if row % _LOOK_ROWS == 0:
            tick(row / n)
    return Pairs.of(np.array(found, PAIR), _SCALE, MINHASH)


def _shingles(text: str) -> list[bytes]:
    of = words(text)
    count = max(1, len(of) - _SHINGLE + 1) if of else 0
    return [" ".join(of[i : i + _SHINGLE]).encode() for i in range(count)]
