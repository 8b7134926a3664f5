"""A million rows: method "sparse" from a cold call to picks, and another alpha on the same graph.

`python bench/bench_scale.py` makes the pools in a folder that it deletes afterwards, measures each in a
process of its own, checks the answers and writes bench/results/scale.{json,md}.
"""

from __future__ import annotations

import argparse
import json
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


def peak_anonymous() -> int:
    """Return the most memory of this process so far that is not a mapped file, in bytes."""
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(fields["RssAnon"].split()[0]) * 1024


class Peak:
    """The largest value of `peak_anonymous` seen while progress was reported."""

    def __init__(self) -> None:
        self.bytes = 0

    def __call__(self, progress: qdit.Progress) -> None:
        self.bytes = max(self.bytes, peak_anonymous())


def measure(path: Path, k: int, threads: int) -> dict[str, Any]:
    """Build a graph, select at two alphas; check against random picks and the engine's own coverage."""
    peak = Peak()
    rows = np.load(path, mmap_mode="r")
    quality = np.random.default_rng(1).normal(size=len(rows))
    start = time.perf_counter()
    graph = qdit.build_graph(rows, threads=threads, progress=peak)
    built = time.perf_counter() - start
    sums: dict[str, Any] = {"n": len(rows), "k": k, "threads": threads, "build s": built}
    for alpha in (0.0, 0.7):
        selection = graph.select(quality, alpha, k, threads=threads, progress=peak)
        assert len(np.unique(selection.indices)) == k
        sums[f"picks s, alpha {alpha}"] = selection.stats["seconds_to_picks"]
        sums[f"evaluate s, alpha {alpha}"] = selection.stats["seconds_evaluating"]
        sums[f"coverage, alpha {alpha}"] = selection.coverage
    random = np.random.default_rng(2).permutation(len(rows))[:k]
    sums["coverage of random"] = qdit.coverage(rows, random, threads=threads)
    assert sums["coverage, alpha 0.0"] > sums["coverage of random"]
    sums["cold s"] = built + sums["picks s, alpha 0.0"]
    sums["peak GB"] = peak.bytes / 1e9
    sums["pairs"] = len(graph.pairs)
    sums["lists cut"] = graph.stats["cut_lists"]
    sums |= {name: value for name, value in graph.stats.items() if name.startswith("seconds_")}
    return sums


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=1_000_000)
    parser.add_argument("--k", type=int, default=10_000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--tmp", type=Path, default=None, help="where the pools go")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    parser.add_argument("--pool", type=Path, default=None, help="measure this file and print JSON")
    options = parser.parse_args()
    if options.pool is not None:
        print(json.dumps(measure(options.pool, options.k, options.threads)))
        return
    report = Report("scale", "Method sparse on a large pool: seconds and bytes beside the mapped file.")
    for copies in (0.0, 1 / 3):
        with tempfile.TemporaryDirectory(dir=options.tmp) as folder:
            path = Path(folder) / "pool.npy"
            make_pool(path, options.n, copies=copies)
            command = [sys.executable, __file__, "--pool", str(path)]
            command += ["--k", str(options.k), "--threads", str(options.threads)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            report.add({"near-copies": copies, **json.loads(done.stdout.splitlines()[-1])})
    report.write(options.out)


if __name__ == "__main__":
    main()
