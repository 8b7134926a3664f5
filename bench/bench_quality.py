"""Objective of every method as a share of what exact gains over random, and the time each takes.

    python bench/bench_quality.py [--data FOLDER] [--sizes 52002] [--k 3000 9000]

share = (F(method) - F(random)) / (F(exact) - F(random)), F by `qdit.objective` over all rows, random the mean
of three seeds. One run each: times are for orientation, shares do not depend on the machine.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from typing import Any

import numpy as np

import qdit
from harness import Report, pool

METHODS: dict[str, dict[str, Any]] = {
    "exact": {"method": "exact"},
    "stochastic 0.01": {"method": "stochastic", "epsilon": 0.01},
    "stochastic 0.1": {"method": "stochastic", "epsilon": 0.1},
    "threshold": {"method": "threshold"},
    "cluster": {"method": "cluster"},
    "quality": {"method": "quality"},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=os.environ.get("QDIT_DATA"))
    parser.add_argument("--sizes", type=int, nargs="+", default=[52_002])
    parser.add_argument("--k", type=int, nargs="+", default=[3_000, 9_000])
    parser.add_argument("--alpha", type=float, nargs="+", default=[0.0, 0.7])
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    report = Report("quality", "Share of the gain of exact over random that each method keeps.")
    for n in options.sizes:
        if options.data is not None and n <= 52_002:
            rows = np.load(Path(options.data) / "alpaca_mpnet_f16.npy", mmap_mode="r")[:n]
            quality = np.load(Path(options.data) / "alpaca_quality.npy").astype(np.float64)[:n]
        else:
            rows = pool(n, 768).astype(np.float16)
            quality = np.random.default_rng(0).normal(-2.4, 0.7, n)
        for alpha in options.alpha:
            for k in options.k:
                draws = [np.random.default_rng(seed).permutation(n)[:k] for seed in range(3)]
                low = np.mean([qdit.objective(rows, draw, quality, alpha) for draw in draws])
                high = None
                for name, how in METHODS.items():
                    start = time.perf_counter()
                    chosen = qdit.select(rows, quality, alpha, k, threads=options.threads, **how)
                    seconds = time.perf_counter() - start
                    reached = qdit.objective(rows, chosen, quality, alpha)
                    assert abs(reached - chosen.objective) <= 1e-6 * abs(reached)
                    high = reached if high is None else high
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
                            "seconds": seconds,
                        }
                    )
    report.write(options.out)


if __name__ == "__main__":
    main()
