"""Random orders and numbers of rows: of a seed alone, not of NumPy's version or of how many are wanted."""

import numpy as np
from numpy.typing import NDArray

from ..common.types import Floats, Indices

Words = NDArray[np.uint64]
GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # 2**64 divided by the golden ratio: what splitmix64 counts in


def shuffled(rows: Indices, seed: int) -> Indices:
    """Return rows sorted by a hash of seed and row number; every order is as likely as every other."""
    return np.asarray(rows[np.argsort(_hashes(rows, seed), kind="stable")], dtype=np.int64)


def uniform(rows: Indices, seed: int) -> Floats:
    """Return a number above 0 and below 1 for each row, that depends on seed and row number alone."""
    return np.asarray(((_hashes(rows, seed) >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52)


def splitmix64(words: Words) -> Words:
    """Return a hash of every word: a bijection of 64 bits (Steele, Lea & Flood 2014)."""
    words = words + GOLDEN
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))


def _hashes(rows: Indices, seed: int) -> Words:
    return splitmix64(splitmix64(np.array([seed], np.uint64)) ^ rows.astype(np.uint64))
