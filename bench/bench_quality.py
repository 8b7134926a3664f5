"""Objective of every method as a share of what exact gains over random, and the time each takes.

    python bench/bench_quality.py [--data FOLDER] [--sizes 52002 200000] [--k 3000 9000]

share = (F(method) - F(random)) / (F(exact) - F(random)), F by `qdit.objective` over all rows, random the mean
of three seeds. One run each: times are for orientation, shares do not depend on the machine. Pools larger
than the data are made by pools.py. Of the picks of exact some are replayed: none may be beaten by any row.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import qdit
from harness import Report
from pools import make_pool
from qdit import _core

METHODS: dict[str, dict[str, Any]] = {
    "exact": {"method": "exact", "memory_budget": "8GB"},
    "sparse": {"method": "sparse"},
    "stochastic 0.01": {"method": "stochastic", "epsilon": 0.01},
    "stochastic 0.1": {"method": "stochastic", "epsilon": 0.1},
    "threshold": {"method": "threshold"},
    "cluster": {"method": "cluster"},
    "k_center": {"method": "k_center"},
    "k_center weighted": {"method": "k_center", "distance_weight": "quality"},
    "kmq": {"method": "kmq"},
    "mig": {"method": "mig"},
    "mig 1000": {"method": "mig", "clusters": 1000},
    "quality": {"method": "quality"},
}
LIFTED = ("k_center weighted", "kmq", "mig", "mig 1000")  # multiply by quality: its least value becomes 0

REAL_ROWS = 52_002
MOST_ROWS = 100_000  # with more, only exact and sparse run: the others take hours


def open_pool(n: int, data: Path | None, folder: Path) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Return rows and scores: the real ones, or made ones where there are not so many."""
    if data is not None and n <= REAL_ROWS:
        rows = np.load(data / "alpaca_mpnet_f16.npy", mmap_mode="r")[:n]
        return rows, np.load(data / "alpaca_quality.npy").astype(np.float64)[:n]
    path = folder / f"pool-{n}.npy"
    if not path.exists():
        make_pool(path, n)
    return np.load(path, mmap_mode="r"), np.random.default_rng(0).normal(-2.4, 0.7, n)


def replay(rows: NDArray[Any], quality: NDArray[np.float64], chosen: qdit.Selection, alpha: float) -> None:
    """Check that no row would have scored higher than the pick, at some steps and for some rows."""
    n, k = len(rows), len(chosen)
    rng = np.random.default_rng(7)
    engine = _core.Engine(rows, dtype="float16", threads=len(os.sched_getaffinity(0)))
    done = 0
    for step in (1, 2, 5, 20, 100, k // 3, k - 1):
        engine.commit(chosen.indices[done:step])
        done = step
        best = chosen.indices[step : step + 200]  # what greedy picks next is what comes closest
        others = np.union1d(np.setdiff1d(rng.choice(n, 1500, replace=False), chosen.indices[:step]), best)
        scores = (1 - alpha) * engine.gains(others) / engine.scale + alpha * quality[others]
        mine = scores[others == chosen.indices[step]][0]
        assert not mine < scores.max(), f"pick {step} is beaten: {mine} < {scores.max()}"
        assert abs(mine - chosen.scores[step]) <= 1e-9 * abs(mine)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=os.environ.get("QDIT_DATA"))
    parser.add_argument("--sizes", type=int, nargs="+", default=[REAL_ROWS])
    parser.add_argument("--k", type=int, nargs="+", default=[3_000, 9_000])
    parser.add_argument("--alpha", type=float, nargs="+", default=[0.0, 0.7])
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--tmp", type=Path, default=None, help="where made pools go")
    parser.add_argument("--no-times", action="store_true", help="where others use the machine too")
    parser.add_argument("--name", default="quality", help="of the result files")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.tmp) as folder:
        measure(options, Path(folder))


def measure(options: argparse.Namespace, folder: Path) -> None:
    report = Report(options.name, "Share of the gain of exact over random that each method keeps.")
    for n in options.sizes:
        rows, quality = open_pool(n, options.data and Path(options.data), folder)
        for alpha in options.alpha:
            for k in options.k:
                draws = [np.random.default_rng(seed).permutation(n)[:k] for seed in range(3)]
                low = np.mean([qdit.objective(rows, draw, quality, alpha) for draw in draws])
                high = None
                for name in options.methods:
                    if n > MOST_ROWS and name not in ("exact", "sparse"):
                        continue
                    how = METHODS[name]
                    scores = quality - quality.min() if name in LIFTED else quality
                    start = time.perf_counter()
                    chosen = qdit.select(rows, scores, alpha, k, threads=options.threads, **how)
                    seconds = time.perf_counter() - start
                    reached = qdit.objective(rows, chosen, quality, alpha)
                    lift = alpha * float((scores - quality)[chosen.indices].sum())
                    assert abs(reached + lift - chosen.objective) <= 1e-6 * abs(chosen.objective)
                    if high is None:
                        assert name == "exact", "exact comes first: the others are measured by it"
                        replay(rows, quality, chosen, alpha)
                        high = reached
                    report.add(
                        {
                            "n": n,
                            "k": k,
                            "alpha": alpha,
                            "method": name,
                            "objective": round(reached, 3),
                            "share": round(float((reached - low) / (high - low)), 5),
                            "coverage": round(chosen.coverage, 5),
                            "mean quality": round(float(quality[chosen.indices].mean()), 4),
                            **({} if options.no_times else {"seconds": seconds}),
                            "products": chosen.stats["products"] + chosen.stats.get("multiplied", 0) / n**2,
                        }
                    )
        report.write(options.out)


if __name__ == "__main__":
    main()
