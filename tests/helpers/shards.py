"""Pools for tests of qdit.distributed."""

import numpy as np


def pool(n, d=24, seed=0, dtype=np.float16):
    random = np.random.default_rng(seed)
    centers = random.standard_normal((max(2, n // 40), d))
    rows = centers[random.integers(len(centers), size=n)] + 0.7 * random.standard_normal((n, d))
    return rows.astype(dtype), random.uniform(1, 5, n)


def cut(rows, *places):
    return [np.ascontiguousarray(part) for part in np.split(rows, places)]
