"""Method exact, end to end, against one OpenBLAS n x n float32 product on the same threads in the same run.

    python bench/bench_exact.py [--data FOLDER] [--threads 1 2] [--rounds 3]

The product is blocked, with a preallocated output and the best of some block sizes; nothing is done with
it. The selection includes everything from the memory-mapped rows to the picks. Peak memory is that of a
process of its own, less the mapped file. Answers are checked first: exact must make the picks of lazy.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

import qdit
from harness import Report, pool

CONTROLLER = ThreadpoolController()


def rows_and_quality(data: Path | None, folder: Path) -> tuple[Path, NDArray[np.float64], str]:
    """Return an embedding file and scores: the real ones, or 52,002 rows made here."""
    if data is not None:
        return data / "alpaca_mpnet_f16.npy", np.load(data / "alpaca_quality.npy").astype(np.float64), "real"
    path = folder / "pool.npy"
    np.save(path, pool(52_002, 768).astype(np.float16))
    return path, np.random.default_rng(0).normal(-2.4, 0.7, 52_002), "synthetic"


class Product:
    """All similarities of float32 rows, block after block into one buffer."""

    def __init__(self, rows: NDArray[np.float32], threads: int) -> None:
        self.rows, self.threads = rows, threads
        self.out = np.empty((8192, len(rows)), np.float32)
        seconds = {block: self.part(block) for block in (512, 1024, 2048, 4096, 8192)}
        self.block = min(seconds, key=lambda block: seconds[block])

    def part(self, block: int) -> float:
        """Return seconds per row, from one block."""
        times = []
        for _ in range(2):
            start = time.perf_counter()
            with CONTROLLER.limit(limits=self.threads, user_api="blas"):
                np.matmul(self.rows[:block], self.rows.T, out=self.out[:block])
            times.append(time.perf_counter() - start)
        return min(times) / block

    def run(self) -> float:
        start = time.perf_counter()
        with CONTROLLER.limit(limits=self.threads, user_api="blas"):
            for at in range(0, len(self.rows), self.block):
                part = self.rows[at : at + self.block]
                np.matmul(part, self.rows.T, out=self.out[: len(part)])
        return time.perf_counter() - start


def high_water() -> int:
    """Return the most memory this process had resident, in bytes."""
    # not ru_maxrss: a child starts with that of its parent
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


def peak(path: Path, quality: NDArray[np.float64], alpha: float, k: int, threads: int, out: Any) -> None:
    """Measure the peak memory of a selection; runs in a process of its own."""
    before = high_water()
    qdit.select(path, quality, alpha, k, method="exact", threads=threads)
    out.put(high_water() - before - path.stat().st_size)


def peak_bytes(*args: Any) -> int:
    spawn = multiprocessing.get_context("spawn")
    queue = spawn.Queue()
    process = spawn.Process(target=peak, args=(*args, queue))
    process.start()
    result = int(queue.get())
    process.join()
    return result


def check(path: Path, quality: NDArray[np.float64]) -> None:
    some = np.ascontiguousarray(np.load(path, mmap_mode="r")[:6000])
    for alpha in (0.0, 0.7):
        lazy = qdit.select(some, quality[:6000], alpha, 1000, method="lazy")
        for budget in (None, "20MB"):
            exact = qdit.select(some, quality[:6000], alpha, 1000, method="exact", memory_budget=budget)
            assert np.array_equal(exact.indices, lazy.indices)
            assert np.array_equal(exact.gains, lazy.gains)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    data = os.environ.get("QDIT_DATA")
    parser.add_argument("--data", type=Path, default=data and Path(data))
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 20_000, 52_002])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    parser.add_argument("--work", type=Path, default=Path("/tmp"))
    options = parser.parse_args()
    whole, quality, kind = rows_and_quality(options.data, options.work)
    check(whole, quality)
    report = Report(
        "exact", f"Exact selection against one OpenBLAS n x n float32 product ({kind} embeddings)."
    )
    for n in options.sizes:
        path = options.work / "bench_exact_rows.npy"
        np.save(path, np.load(whole, mmap_mode="r")[:n])
        rows = np.load(path).astype(np.float32)
        for threads in options.threads:
            product = Product(rows, threads)
            for alpha, k in ((0.7, n // 100), (0.7, n * 9 // 52), (0.0, n * 9 // 52), (0.7, n // 2)):
                pairs = []
                for _ in range(options.rounds):
                    reference = product.run()
                    start = time.perf_counter()
                    chosen = qdit.select(path, quality[:n], alpha, k, method="exact", threads=threads)
                    pairs.append((time.perf_counter() - start, reference))
                seconds = np.array(pairs)
                ratio = seconds[:, 0] / seconds[:, 1]
                report.add(
                    {
                        "n": n,
                        "d": rows.shape[1],
                        "k": k,
                        "alpha": alpha,
                        "threads": threads,
                        "seconds": float(np.median(seconds[:, 0])),
                        "product seconds": float(np.median(seconds[:, 1])),
                        "ratio": float(np.median(ratio)),
                        "ratio min": float(ratio.min()),
                        "ratio max": float(ratio.max()),
                        "products": float(chosen.stats["products"]),
                        "peak MB": round(peak_bytes(path, quality[:n], alpha, k, threads) / 1e6),
                    }
                )
        path.unlink()
    report.write(options.out)


if __name__ == "__main__":
    main()
