"""A random order of rows that depends on a seed alone, not on NumPy's version or on how many are wanted."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def shuffled(rows: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """Return rows sorted by a hash of seed and row number; every order is as likely as every other."""
    keys = _mix(_mix(np.array([seed], np.uint64)) ^ rows.astype(np.uint64))
    return np.asarray(rows[np.argsort(keys, kind="stable")], dtype=np.int64)


def _mix(z: NDArray[np.uint64]) -> NDArray[np.uint64]:
    # splitmix64 (Steele, Lea & Flood 2014), a bijection of 64 bits
    z = z + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(z ^ (z >> np.uint64(31)))
