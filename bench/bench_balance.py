"""What alpha 0.5 weighs under `gain_scale="balanced"`, beside the literal reading, over pools, k and scores.

`python bench/bench_balance.py --data FOLDER` takes the real embeddings and scores of a folder
(alpaca_mpnet_f16.npy, alpaca_quality.npy) and pools of 10,000 to 1,000,000 rows that are made of them
(pools.py; --pool takes a file that is there). A made row has the score that a linear model of the real ones
gives it, and noise with the variance that this model leaves.

For every pool and k: the share of what alpha 0 gains in coverage over random rows, and of what alpha 1 gains
in quality over them, that alpha 0.5 reaches. Coverages are exact, over all rows; above --exact rows the picks
are those of method "sparse", from one graph. "warns" says whether the run told that a side had no weight.
After every pool the results so far are in bench/results/balance.{json,md}.
"""

from __future__ import annotations

import argparse
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import qdit
from harness import Report
from pools import make_pool

Floats = NDArray[np.float64]
LEVELS = (0.05, 0.15, 0.45, 0.85)  # quantiles between ratings of 1 to 5
BLOCK = 16_384
DRAWS = 2


def scores(quality: Floats) -> dict[str, Floats]:
    """Return scores of several kinds with the order of `quality`."""
    order = np.argsort(np.argsort(quality, kind="stable"), kind="stable")
    rank = (order + 0.5) / len(quality)
    return {
        "raw": quality,
        "rank": rank,
        "1 to 5": np.digitize(rank, LEVELS) + 1.0,
        "one in five": (rank > 0.8).astype(float),
        "heavy tail": (1.0 - rank) ** -0.5,
        "another order": np.random.default_rng(1).permutation(quality),
    }


def linear(rows: NDArray[Any], quality: Floats) -> Callable[[NDArray[Any], int], Floats]:
    """Return what gives rows of a made pool scores, from the real ones."""
    x = np.asarray(rows, np.float64)
    centre = x.mean(0)
    x -= centre
    weights = np.linalg.solve(x.T @ x + np.eye(x.shape[1]), x.T @ (quality - quality.mean()))
    left = quality - quality.mean() - x @ weights

    def score(made: NDArray[Any], seed: int) -> Floats:
        parts = [made[i : i + BLOCK].astype(np.float64) - centre for i in range(0, len(made), BLOCK)]
        fitted = np.concatenate([part @ weights for part in parts])
        noise = left.std() * np.random.default_rng(seed).standard_normal(len(made))
        return np.asarray(quality.mean() + fitted + noise, np.float64)

    return score


def measured(
    name: str, rows: NDArray[Any], quality: Floats, k: int, kinds: tuple[str, ...], exact: int
) -> Iterator[dict[str, Any]]:
    """Yield a row of results for each kind of scores."""
    n = len(rows)
    chosen = graph_of(rows) if n > exact else None

    def run(alpha: float, q: Floats | None, scale: str) -> qdit.Selection:
        if chosen is None:
            return qdit.select(rows, q, alpha, k, method="exact", gain_scale=scale)
        return chosen.select(q, alpha, k, gain_scale=scale)

    draws = [qdit.select(rows, alpha=0.0, k=k, method="random", seed=seed) for seed in range(DRAWS)]
    random = float(np.mean([draw.coverage for draw in draws]))
    diverse = run(0.0, None, "sum").coverage
    found = scores(quality)
    for kind in kinds:
        q = found[kind]
        row: dict[str, Any] = {"pool": name, "n": n, "k": k, "scores": kind}
        best = float(np.sort(q)[-k:].mean() - q.mean())
        for scale in ("sum", "balanced"):
            with warnings.catch_warnings(record=True) as told:
                warnings.simplefilter("always")
                one = run(0.5, q, scale)
            assert one.mean_quality is not None
            coverage = (one.coverage - random) / (diverse - random)
            share = (one.mean_quality - float(q.mean())) / best
            row |= {f"{scale}: coverage": coverage, f"{scale}: quality": share}
            row[f"{scale}: warns"] = any("weight" in str(one.message) for one in told)
        row["apart"] = abs(row["balanced: coverage"] - row["balanced: quality"])
        yield row


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """Write the figure: shares over n, literal and balanced, a point for each k and kind of scores."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.6, 3.6), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    for axis, scale, title in zip(axes, ("sum", "balanced"), ("literal", "balanced"), strict=True):
        for shift, side, color, mark in (
            (0.96, "coverage", "#2a6f97", "o"),
            (1.04, "quality", "#c8553d", "^"),
        ):
            x = [row["n"] * shift for row in rows]
            y = [row[f"{scale}: {side}"] for row in rows]
            axis.plot(x, y, mark, color=color, alpha=0.6, markersize=5, label=side)
        axis.set(xscale="log", xlabel="rows of the pool", title=f"{title}, alpha 0.5")
        axis.grid(alpha=0.3)
    axes[0].set(ylabel="share of the gain over random", ylim=(min(-0.2, *axes[0].get_ylim()), 1.05))
    axes[0].legend()
    figure.savefig(path, dpi=130)


_graphs: dict[int, Any] = {}


def graph_of(rows: NDArray[Any]) -> Any:
    """Return the graph of a pool; the last one is kept."""
    if id(rows) not in _graphs:
        _graphs.clear()
        _graphs[id(rows)] = qdit.build_graph(rows, memory_budget="3GB")
    return _graphs[id(rows)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sizes", default="10000,50000,200000,1000000")
    parser.add_argument("--pool", type=Path, help="a made pool to take the last size from")
    parser.add_argument("--graph", type=Path, help="the graph of --pool, if it was saved")
    parser.add_argument("--exact", type=int, default=20_000, help="most rows that all pairs are compared of")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    parser.add_argument("--figure", type=Path, help="where to draw the results")
    options = parser.parse_args()
    real = np.load(options.data / "alpaca_mpnet_f16.npy", mmap_mode="r")
    quality = np.load(options.data / "alpaca_quality.npy").astype(np.float64)
    report = Report("balance", " ".join((__doc__ or "").split("\n\n")[2].split()))
    kinds = tuple(scores(quality[:10]))
    for k in (500, 1_000, 3_000, 9_000):
        for row in measured("Alpaca", real, quality, k, kinds if k != 1_000 else kinds[:3], options.exact):
            report.add(row)
        report.save(options.out)
    score = linear(real, quality)
    sizes = [int(size) for size in options.sizes.split(",")]
    with tempfile.TemporaryDirectory() as folder:
        for n in sizes:
            path = Path(folder) / f"{n}.npy"
            if options.pool is not None and n == sizes[-1]:
                path = options.pool
            else:
                make_pool(path, n, seed=n, data=options.data / "alpaca_mpnet_f16.npy")
            rows = np.load(path, mmap_mode="r")
            if options.graph is not None and n == sizes[-1]:
                _graphs[id(rows)] = qdit.load_graph(options.graph, rows)
            made = score(rows, n)
            for k in (n // 100, min(n // 16, 10_000)) if n < 1_000_000 else (n // 100,):
                for row in measured(
                    "made of it", rows, made, k, kinds[:5:2] if n > 60_000 else kinds, options.exact
                ):
                    report.add(row)
                report.save(options.out)
    report.write(options.out)
    if options.figure is not None:
        draw(report.rows, options.figure)


if __name__ == "__main__":
    main()
