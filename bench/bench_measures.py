"""What the sets of all methods are like: every number of `qdit measure`, beside random sets.

    python bench/bench_measures.py --data FOLDER [--k 3000]

The pool is the real one (see bench_quality.py). Methods that multiply by quality get it with its least value
at 0.
Nothing here depends on the machine but rounding. It stands beside no trained model: see docs/concepts.md.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np

import qdit
from bench_quality import LIFTED, METHODS, REAL_ROWS, open_pool
from harness import Report

SETS = {
    "exact, alpha 0": ("exact", 0.0),
    "exact, alpha 0.7": ("exact", 0.7),
    **{
        name: (name, 0.7)
        for name in METHODS
        if not name.startswith(("exact", "sparse", "stochastic", "mig 1000"))
    },
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=os.environ.get("QDIT_DATA"))
    parser.add_argument("--k", type=int, default=3_000)
    parser.add_argument("--random-sets", type=int, default=5)
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    rows, quality = open_pool(REAL_ROWS, Path(options.data), Path())
    report = Report("measures", f"Measures of sets of {options.k:,} of {len(rows):,} rows, by method.")
    sets = {}
    for label, (name, alpha) in SETS.items():
        scores = quality - quality.min() if name in LIFTED else quality
        sets[label] = qdit.select(rows, scores, alpha, options.k, threads=options.threads, **METHODS[name])
    asked = qdit.measuring.MeasureOptions(
        quality=quality, random_sets=options.random_sets, threads=options.threads
    )
    found = qdit.measuring.measure_sets(rows, sets, asked)
    readings = next(iter(found.values())).readings
    random = {name: one.mean for name, one in readings.items()}
    low, high = ({name: getattr(one, end) for name, one in readings.items()} for end in ("low", "high"))
    own = {
        label: {name: one.value for name, one in one_set.readings.items()} for label, one_set in found.items()
    }
    for label, values in {"random, mean": random, "random, from": low, "random, to": high, **own}.items():
        report.add({"rows": label, **{name: float(np.round(value, 5)) for name, value in values.items()}})
    report.write(options.out)


if __name__ == "__main__":
    main()
