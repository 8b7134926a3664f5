"""The demo: four ways to choose from a sample pool, one table and one picture."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .coverage import row_coverage
from .greedy import select
from .picture import Outcome, draw, require_matplotlib
from .progress import Progress
from .rows import Rows, open_embeddings
from .sample import write_sample

_RANDOM_SEEDS = (0, 1, 2)


def run_demo(
    out: Path,
    *,
    rows: int = 20_000,
    dims: int = 384,
    k: int = 1_000,
    seed: int = 0,
    threads: int | None = None,
    progress: bool | Callable[[Progress], Any] = True,
    say: Callable[[str], Any] = print,
) -> list[Outcome]:
    """Write a sample pool to `out`, choose k rows in four ways, print a table and draw picks.png.

    Raises:
        ImportError: if matplotlib is missing.

    """
    require_matplotlib()
    say(f"sample pool: {rows:,} x {dims} float16, seed {seed}, in {out}")
    sample = write_sample(out, rows, dims, seed)
    pool = open_embeddings(sample.embeddings)
    quality = np.load(sample.quality).astype(np.float64)
    outcomes = []
    for name, alpha in (("qdit, alpha 0.7", 0.7), ("diversity only, alpha 0", 0.0), ("quality only", 1.0)):
        say(f"{name}:")
        start = time.perf_counter()
        chosen = select(pool, quality, alpha, k, threads=threads, progress=progress)
        seconds = time.perf_counter() - start
        chosen.save(out / f"alpha-{alpha:g}")
        outcomes.append(_judge(name, pool, quality, [chosen.indices], seconds, threads))
    start = time.perf_counter()
    draws = [_random_rows(rows, k, s) for s in _RANDOM_SEEDS]
    seconds = (time.perf_counter() - start) / len(draws)
    outcomes.append(_judge(f"random, mean of {len(draws)} seeds", pool, quality, draws, seconds, threads))
    picture = draw(out / "picks.png", pool.array, outcomes)
    say("\n" + format_outcomes(outcomes, pool.n, k) + f"\n\npicture: {picture}")
    return outcomes


def format_outcomes(outcomes: list[Outcome], n: int, k: int) -> str:
    """Return the table of the demo."""
    lines = [
        f"{k:,} of {n:,} rows            mean quality   coverage   worst 10%   seconds",
    ]
    width = lines[0].index("mean quality")
    lines += [
        f"{o.name:<{width}}{o.mean_quality:>12.3f}{o.coverage:>11.4f}{o.worst:>12.4f}{o.seconds:>10.2f}"
        for o in outcomes
    ]
    lines.append(
        "coverage: mean similarity of a row to the nearest chosen one; worst 10%: of the rows least covered"
    )
    return "\n".join(lines)


def _random_rows(n: int, k: int, seed: int) -> NDArray[np.int64]:
    return np.random.default_rng(seed).choice(n, k, replace=False).astype(np.int64)


def _judge(
    name: str,
    pool: Rows,
    quality: NDArray[np.float64],
    draws: list[NDArray[np.int64]],
    seconds: float,
    threads: int | None,
) -> Outcome:
    covers = [np.sort(row_coverage(pool, indices, threads=threads)) for indices in draws]
    tenth = max(1, pool.n // 10)
    return Outcome(
        name=name,
        indices=draws[0],
        mean_quality=float(np.mean([quality[indices].mean() for indices in draws])),
        coverage=float(np.mean([cover.mean() for cover in covers])),
        worst=float(np.mean([cover[:tenth].mean() for cover in covers])),
        seconds=seconds,
    )
