"""Pools and calls for tests of qdit.distributed."""

import numpy as np

import qdit
from qdit import distributed
from qdit.distributed.transport import LocalTransport


def pool(n, d=24, seed=0, dtype=np.float16):
    random = np.random.default_rng(seed)
    centers = random.standard_normal((max(2, n // 40), d))
    rows = centers[random.integers(len(centers), size=n)] + 0.7 * random.standard_normal((n, d))
    return rows.astype(dtype), random.uniform(1, 5, n)


def cut(rows, *places):
    return [np.ascontiguousarray(part) for part in np.split(rows, places)]


def one_process(rows, quality, alpha, k, **options):
    return qdit.select(rows, quality, alpha, k, backend="cpu", method="exact", threads=1, **options)


def select(shards, quality, alpha, k, **options):
    return distributed.select(shards, quality, alpha, k, address="in-process", **options)


def assert_same(got, wanted):
    assert np.array_equal(got.indices, wanted.indices)
    assert got.gains.tobytes() == wanted.gains.tobytes()
    assert got.scores.tobytes() == wanted.scores.tobytes()
    assert (got.objective, got.coverage, got.d_start) == (wanted.objective, wanted.coverage, wanted.d_start)


class Fails:
    """Loses a worker at each of some calls of a method."""

    def __init__(self, method, *calls):
        self.method, self.calls, self.count = method, set(calls), 0

    def __call__(self, worker, method, message):
        if method != self.method:
            return False
        self.count += 1
        return self.count in self.calls

    def transport(self, sources, settings):
        return LocalTransport(sources, settings, fails=self)
