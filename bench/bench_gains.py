"""The gains kernel against OpenBLAS: one batch of marginal gains and one float32 product of the same shape.

`python bench/bench_gains.py` measures both in turn in one process, prints the share pair by pair and writes
bench/results/gains.{json,md}. `pytest bench --benchmark-only` gives the same two to pytest-benchmark. Answers
are checked before anything is timed.
"""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from harness import Report, interleave, pool
from qdit import _core

N, BATCH = 16_384, 2_048
DEPTHS = (384, 768, 1024)
DTYPES = ("float16", "float32")
CONTROLLER = ThreadpoolController()


class Blas:
    """The product that gains() computes and reduces, as well as OpenBLAS can do it: float32 rows in memory,
    preallocated output, the best of some block shapes."""

    def __init__(self, rows: NDArray[np.float32], threads: int) -> None:
        self.rows, self.threads = rows, threads
        self.out = np.empty((BATCH, len(rows)), dtype=np.float32)
        choices = [(block, flip) for block in (256, 512, 1024, 2048) for flip in (False, True)]
        seconds = interleave([lambda c=c: self.run(*c) for c in choices], rounds=3)
        self.best = choices[int(np.argmin(np.min(seconds, axis=1)))]

    def run(self, block: int, flip: bool) -> None:
        with CONTROLLER.limit(limits=self.threads, user_api="blas"):
            for at in range(0, BATCH, block):
                part = self.rows[at : at + block]
                if flip:
                    np.matmul(self.rows, part.T, out=self.out[at : at + block].reshape(len(self.rows), -1))
                else:
                    np.matmul(part, self.rows.T, out=self.out[at : at + block])

    def __call__(self) -> None:
        self.run(*self.best)


class Gains:
    """One batch of marginal gains on an engine that covers one row already."""

    def __init__(self, rows: NDArray[np.float32], dtype: str, threads: int, simd: str | None = None) -> None:
        self.stored = rows.astype(dtype)
        self.engine = _core.Engine(self.stored, dtype=dtype, threads=threads, simd=simd)
        self.engine.reset(np.array([0]))
        self.candidates = np.arange(BATCH)

    def __call__(self) -> NDArray[np.int64]:
        return self.engine.gains(self.candidates)

    def check(self) -> None:
        x = self.stored.astype(np.float64)
        x /= np.linalg.norm(x, axis=1, keepdims=True)
        some = np.arange(0, BATCH, 101)
        wanted = np.maximum(x[some] @ x.T - x[0] @ x.T, 0).sum(axis=1)
        got = self()[some] / self.engine.scale
        # 2e-7 is what float32 accumulation may cost a similarity; N of them, all one way, would be the worst
        assert np.abs(got - wanted).max() <= 2e-7 * N


def flops(d: int) -> float:
    return 2.0 * BATCH * N * d


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("d", DEPTHS)
@pytest.mark.parametrize("what", ["blas", *DTYPES])
def test_gains(benchmark, what: str, d: int, threads: int) -> None:
    rows = pool(N, d)
    if what == "blas":
        run = Blas(rows, threads)
    else:
        run = Gains(rows, what, threads)
        run.check()
    benchmark.group = f"d = {d}, {threads} thread(s)"
    benchmark.pedantic(run, rounds=7, warmup_rounds=1)
    benchmark.extra_info["GFLOP/s"] = flops(d) / 1e9 / benchmark.stats["median"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=11, help="pairs of measurements")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    report = Report(
        "gains", "Share of OpenBLAS's float32 rate that the gains kernel reaches (higher is better)."
    )
    for d, threads in itertools.product(DEPTHS, (1, 2)):
        rows = pool(N, d)
        blas = Blas(rows, threads)
        engines = {dtype: Gains(rows, dtype, threads) for dtype in DTYPES}
        for engine in engines.values():
            engine.check()
        seconds = interleave([blas, *engines.values()], options.rounds)
        for dtype, mine in zip(DTYPES, seconds[1:], strict=True):
            share = seconds[0] / mine
            report.add(
                {
                    "d": d,
                    "threads": threads,
                    "rows": dtype,
                    "kernel": engines[dtype].engine.simd,
                    "OpenBLAS GFLOP/s": flops(d) / 1e9 / float(np.median(seconds[0])),
                    "gains GFLOP/s": flops(d) / 1e9 / float(np.median(mine)),
                    "share": float(np.median(share)),
                    "share min": float(share.min()),
                    "share max": float(share.max()),
                }
            )
    report.write(options.out)


if __name__ == "__main__":
    main()
