"""All pairs of near-duplicates: what finding them takes, beside a float32 product of all rows with all rows.

    python bench/bench_dedup.py --data FOLDER
    python bench/bench_dedup.py --file large.npy [--thresholds 0.95]

Of the real pool the pairs are compared with those of the product, one by one, before anything is reported;
of a file that is too large for it they are only counted. Processor seconds do not depend on what else runs
here as much as those of the clock do.
"""

from __future__ import annotations

import argparse
import os
import resource
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import qdit
from bench_quality import REAL_ROWS, open_pool
from harness import Report
from qdit.cleaning.pairs import find_pairs
from qdit.engine.backend import open_engine
from qdit.engine.blocks import products_of

BLOCK = 2048
ROUNDING = 1e-6


def by_product(
    rows: NDArray[np.float32], threshold: float
) -> tuple[set[tuple[int, int]], set[tuple[int, int]]]:
    """Return the pairs above a threshold, and those so near to it that rounding decides."""
    above, near = set(), set()
    for start in range(0, len(rows), BLOCK):
        sims = rows[start : start + BLOCK] @ rows[start:].T
        for a, b in np.argwhere(sims > threshold - ROUNDING).tolist():
            if a < b:
                (above if sims[a, b] > threshold + ROUNDING else near).add((start + a, start + b))
    return above, near


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=os.environ.get("QDIT_DATA"))
    parser.add_argument("--file", type=Path, help="embeddings to count the pairs of")
    parser.add_argument("--thresholds", type=lambda text: [float(part) for part in text.split(",")])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    real = options.file is None
    rows = open_pool(REAL_ROWS, Path(options.data), Path())[0] if real else options.file
    opened = qdit.open_embeddings(rows)
    report = Report(
        "dedup" if real else f"dedup_{options.file.stem}",
        f"All pairs of {opened.n:,} x {opened.d} {opened.dtype} rows so similar, {options.threads} threads.",
    )
    unit = None
    if real:
        unit = np.asarray(opened.array, np.float32)
        unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    for threshold in options.thresholds or ([0.8, 0.9, 0.95, 0.99] if real else [0.95]):
        start = time.process_time()
        engine = open_engine(opened, zero_rows="ignore", threads=options.threads)
        found = find_pairs(engine, threshold, by="embedding", most=10**8)
        spent = time.process_time() - start
        row = {
            "threshold": threshold,
            "pairs": len(found),
            "rows that go": len(qdit.dedup(rows, threshold, threads=options.threads).dropped),
            "processor s": round(spent, 2),
            "products, n x n": round(products_of(engine) / opened.n**2, 4),
        }
        if not real:
            row["peak GB, file and all"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2)
        if unit is not None:
            start = time.process_time()
            above, near = by_product(unit, threshold)
            row["processor s of the product"] = round(time.process_time() - start, 2)
            pairs = set(map(tuple, found.rows.tolist()))
            assert above <= pairs <= above | near, "the pairs are not those of the product"
            row["pairs of the product"] = f"{len(above)} and {len(near)} within rounding"
        report.add(row)
    report.write(options.out)


if __name__ == "__main__":
    main()
