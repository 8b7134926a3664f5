"""The work that backend "cuda" makes of a selection: counted, for clocks of another machine say nothing.

With memory as a card of 139 GiB has it beside 1.3 million rows of 768 float16 items: room for a hundredth of
all pairs. `.ci/emulation` runs the large pool on emulated kernels whose products the host makes.
"""

import os

import numpy as np
import pytest

from conftest import skip_without_cuda
from helpers.oracle import replay
from qdit import _core

D = 768
SHARE = 0.0107  # of n * n pairs: (139 GiB less the pool and the rest) / 8 bytes, for n = 1.3 million
ALPHA = 0.7


def text_like_rows(n, seed):
    """Return (n, D) float16 unit rows like those of bench_cuda.py, turned so that their axes are columns."""
    rng = np.random.default_rng(seed)
    spread = np.arange(1, D + 1, dtype=np.float32) ** np.float32(-0.6)
    centres = rng.standard_normal((int(n**0.5), D), dtype=np.float32)
    sizes = np.arange(1, len(centres) + 1) ** -0.7
    which = rng.choice(len(centres), n, p=sizes / sizes.sum())
    rows = (centres[which] + np.float32(0.7) * rng.standard_normal((n, D), dtype=np.float32)) * spread
    rows[:, 0] += 1.5
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float16)


COUNTS = {
    *("products", "products_evaluating", "evaluations", "pairs_written", "commits"),
    *("rebuilds", "relists", "dense_picks", "pick_waits", "pick_bytes_down"),
}


class Work:
    """A pool, and what selecting from it with the memory of a card takes."""

    def __init__(self, n):
        self.rows = text_like_rows(n, seed=0)
        self.quality = np.random.default_rng(1).normal(-2.4, 0.7, n)
        self.memory = int(8 * SHARE * n * n)
        self.engine = _core.Engine(self.rows, dtype="float16", backend="cuda")

    def select(self, k):
        """Return the picks, their gains, and what the engine's counters rose by."""
        self.engine.reset()
        before = self.engine.stats()
        scale = self.engine.scale
        options = {"weight": (1 - ALPHA) / scale, "bonus": ALPHA * self.quality, "memory": self.memory}
        picks, gains = self.engine.select("exact", k, **options)
        now = self.engine.stats()
        return picks, gains / scale, {key: now[key] - before[key] for key in COUNTS}


@pytest.mark.parametrize("n", [8_000, pytest.param(25_000, marks=pytest.mark.slow)])
def test_the_work_of_a_large_pool(n):
    skip_without_cuda()
    if "emulation" in _core.cuda_status()["name"] and "on_host" not in os.environ["QDIT_CUDA_LIBRARY"]:
        pytest.skip("emulated tensor cores are too slow for large pools")
    work = Work(n)
    early, _, counts = work.select(10)
    assert counts["products_evaluating"] <= 0.5, counts
    assert counts["rebuilds"] == counts["relists"] == 0, counts

    k = 200
    picks, gains, counts = work.select(k)
    print(n, counts)
    assert picks[:10].tolist() == early.tolist()
    assert (counts["rebuilds"], counts["relists"]) == (0, 1), counts
    assert counts["dense_picks"] <= 150, counts
    assert counts["pairs_written"] <= 1.2 * SHARE * n * n, counts
    assert counts["pick_waits"] <= 8 * k, counts
    told = 8 * counts["evaluations"] + 8 * 8 * n  # the candidates of each, and all gains now and then
    assert counts["pick_bytes_down"] <= k * 8_000 + told, counts
    if n < 10_000:
        replay(work.rows, picks, work.quality, ALPHA, k=k, rtol=1e-3, gains=gains, gains_rtol=1e-3)
