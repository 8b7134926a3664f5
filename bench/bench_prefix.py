"""Bounds from prefixes beside ordinary products: exact evaluation, the nearest of k rows, selections.

`python bench/bench_prefix.py` makes pools in a folder that it deletes afterwards, runs each with bounds off
(QDIT_PREFIX=0) and on in turn, every run in a process of its own, compares the answers to the last bit and
writes bench/results/prefix.{json,md}.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

import qdit
from harness import Report
from pools import make_pool
from qdit._core import Engine
from qdit.engine.blocks import commit

_D = 768
_METHODS = ("threshold", "stochastic", "lazy")
_TAU = 0.7
_GREEDY_ROWS = 50_000  # the first rows of the pool, for methods that take minutes with more


def measure(path: Path, k: int, threads: int) -> dict[str, Any]:
    """Time each kind of work on one pool; return seconds and digests of the answers."""
    rows = np.load(path, mmap_mode="r")
    chosen = np.random.default_rng(1).permutation(len(rows))[:k]
    centroids = np.asarray(rows[np.sort(chosen)[:4096]], np.float32)
    out: dict[str, Any] = {}
    engine = Engine(rows, dtype="float16", threads=threads)
    start = time.perf_counter()
    gains = commit(engine, chosen)
    out["evaluate"] = time.perf_counter() - start
    out["evaluate digest"] = hashlib.sha256(gains.tobytes() + engine.row_coverage().tobytes()).hexdigest()
    engine = Engine(rows, dtype="float16", threads=threads)
    start = time.perf_counter()
    ids, similarities = engine.nearest(centroids)
    out["nearest"] = time.perf_counter() - start
    out["nearest digest"] = hashlib.sha256(ids.tobytes() + similarities.tobytes()).hexdigest()
    for method in _METHODS:
        part = rows if method == "threshold" else rows[:_GREEDY_ROWS]
        quality = np.random.default_rng(2).random(len(part))
        options: dict[str, Any] = {"tau": _TAU, "shortfall": "stop"} if method == "threshold" else {}
        found = qdit.select(part, quality, 0.7, k, method=method, threads=threads, **options)
        out[method] = found.stats["seconds_total"]
        out[f"{method} digest"] = hashlib.sha256(found.indices.tobytes() + found.gains.tobytes()).hexdigest()
    return out


def run(path: Path, k: int, threads: int, *, bounds: bool) -> dict[str, Any]:
    """Return what `measure` finds in a process of its own."""
    command = [sys.executable, __file__, "--pool", str(path), "--k", str(k), "--threads", str(threads)]
    variables = {name: value for name, value in os.environ.items() if name != "QDIT_PREFIX"}
    if not bounds:
        variables["QDIT_PREFIX"] = "0"
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=variables)
    return dict(json.loads(done.stdout))


def compare(path: Path, kind: str, k: int, threads: int, rounds: int, report: Report) -> None:
    """Alternate both, and report the medians of their ratios."""
    n = len(np.load(path, mmap_mode="r"))
    pairs = [[run(path, k, threads, bounds=bounds) for bounds in (False, True)] for _ in range(rounds)]
    for what in ("evaluate", "nearest", *_METHODS):
        assert len({one[f"{what} digest"] for pair in pairs for one in pair}) == 1
        ratios = np.array([pair[1][what] / pair[0][what] for pair in pairs])
        report.add(
            {
                "pool": kind,
                "n": min(n, _GREEDY_ROWS) if what in ("stochastic", "lazy") else n,
                "k": min(k, 4096) if what == "nearest" else k,
                "threads": threads,
                "what": what,
                "ordinary s": float(np.median([pair[0][what] for pair in pairs])),
                "bounds s": float(np.median([pair[1][what] for pair in pairs])),
                "ratio": float(np.median(ratios)),
                "least": float(ratios.min()),
                "most": float(ratios.max()),
            }
        )


def isotropic(path: Path, n: int) -> None:
    """Write (n, d) float16 rows without any decay of their spectrum."""
    random = np.random.default_rng(0)
    out = np.lib.format.open_memmap(path, mode="w+", dtype=np.float16, shape=(n, _D))
    for start in range(0, n, 8192):
        block = random.standard_normal((min(8192, n - start), _D), dtype=np.float32)
        out[start : start + len(block)] = block / np.linalg.norm(block, axis=1, keepdims=True)
    out.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, nargs="+", default=[50_000, 200_000])
    parser.add_argument("--k", type=int, default=9_000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    parser.add_argument("--pool", type=Path, default=None, help="measure this file and print JSON")
    options = parser.parse_args()
    if options.pool is not None:
        print(json.dumps(measure(options.pool, options.k, options.threads)))
        return
    report = Report("prefix", "Bounds from prefixes beside ordinary products: seconds, and their ratio.")
    makers = {
        "embeddings": lambda path, n: make_pool(path, n),
        "a third near-copies": lambda path, n: make_pool(path, n, copies=1 / 3),
        "isotropic": isotropic,
    }
    for n in options.n:
        for kind, make in makers.items():
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "pool.npy"
                make(path, n)
                compare(path, kind, options.k, options.threads, options.rounds, report)
    report.write(options.out)


if __name__ == "__main__":
    main()
