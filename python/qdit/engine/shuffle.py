"""A random order of rows that depends on a seed alone, not on NumPy's version or on how many are wanted."""

import numpy as np
from numpy.typing import NDArray

from ..common.types import Indices

Words = NDArray[np.uint64]
GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # 2**64 divided by the golden ratio: what splitmix64 counts in


def shuffled(rows: Indices, seed: int) -> Indices:
    """Return rows sorted by a hash of seed and row number; every order is as likely as every other."""
    keys = splitmix64(splitmix64(np.array([seed], np.uint64)) ^ rows.astype(np.uint64))
    return np.asarray(rows[np.argsort(keys, kind="stable")], dtype=np.int64)


def splitmix64(words: Words) -> Words:
    """Return a hash of every word: a bijection of 64 bits (Steele, Lea & Flood 2014)."""
    words = words + GOLDEN
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))
