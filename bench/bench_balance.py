"""What alpha 0.5 weighs under `gain_scale="balanced"`, beside the literal reading, over pools, k and scores.

`python bench/bench_balance.py --data FOLDER --sizes ''` takes the real embeddings and scores of a folder
(alpaca_mpnet_f16.npy, alpaca_quality.npy); without --sizes it takes pools of 10,000 to 1,000,000 rows
that are made of them (pools.py; --pool takes a file that is there). A made row has the score that a linear
model of the real ones gives it, and noise with the variance that this model leaves.

For every pool and k: the share of what alpha 0 gains in coverage over random rows, and of what alpha 1 gains
in quality over them, that alpha 0.5 reaches. Coverages are exact, over all rows; above --exact rows the picks
are those of method "sparse", from one graph. "warns" says whether the run told that a side had no weight.
Results are in bench/results/balance.{json,md} row by row, and a repeated run adds what is missing.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import warnings
from collections.abc import Callable
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
DRAWS = 2  # random selections; one of a large pool, where they hardly differ


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


class Balance:
    """Measures what is not in the results yet; these are saved row by row, so a run that is cut goes on."""

    def __init__(self, out: Path, exact: int, graph: Path | None) -> None:
        self.out, self.exact, self.graph = out, exact, graph
        self.report = Report("balance", " ".join((__doc__ or "").split("\n\n")[2].split()))
        if (out / "balance.json").is_file():
            self.report.rows = json.loads((out / "balance.json").read_text())["rows"]

    def measure(
        self, name: str, rows: NDArray[Any], quality: Floats, ks: tuple[int, ...], kinds: tuple[str, ...]
    ) -> None:
        """Add a row of results for each k and kind of scores."""
        n = len(rows)
        there = {(row["pool"], row["n"], row["k"], row["scores"]) for row in self.report.rows}
        left = {k: [kind for kind in kinds if (name, n, k, kind) not in there] for k in ks}
        if not any(left.values()):
            return
        graph = None
        if n > self.exact:
            saved = self.graph if self.graph is not None and n >= 1_000_000 else None
            graph = qdit.build_graph(rows) if saved is None else qdit.load_graph(saved, rows)
        found = scores(quality)
        for k, some in left.items():
            if some:
                self._of_k(name, rows, graph, k, {kind: found[kind] for kind in some})

    def _of_k(self, name: str, rows: NDArray[Any], graph: Any, k: int, qualities: dict[str, Floats]) -> None:
        def run(alpha: float, q: Floats | None, scale: str) -> qdit.Selection:
            if graph is None:
                return qdit.select(rows, q, alpha, k, method="exact", gain_scale=scale)
            found: qdit.Selection = graph.select(q, alpha, k, gain_scale=scale)
            return found

        draws = [
            qdit.select(rows, alpha=0.0, k=k, method="random", seed=seed)
            for seed in range(DRAWS if len(rows) <= 100_000 else 1)
        ]
        random = float(np.mean([draw.coverage for draw in draws]))
        diverse = run(0.0, None, "sum").coverage
        for kind, q in qualities.items():
            row: dict[str, Any] = {"pool": name, "n": len(rows), "k": k, "scores": kind}
            best = float(np.sort(q)[-k:].mean() - q.mean())
            for scale in ("sum", "balanced"):
                with warnings.catch_warnings(record=True) as told:
                    warnings.simplefilter("always")
                    one = run(0.5, q, scale)
                assert one.mean_quality is not None
                row[f"{scale}: coverage"] = (one.coverage - random) / (diverse - random)
                row[f"{scale}: quality"] = (one.mean_quality - float(q.mean())) / best
                row[f"{scale}: warns"] = any("weight" in str(warning.message) for warning in told)
            row["apart"] = abs(row["balanced: coverage"] - row["balanced: quality"])
            self.report.add(row)
            self.report.save(self.out)


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument(
        "--sizes", default="10000,50000,200000,1000000", help="of made pools; none for Alpaca"
    )
    parser.add_argument("--pool", type=Path, help="a made pool of the last size")
    parser.add_argument("--graph", type=Path, help="its graph, if it was saved")
    parser.add_argument("--exact", type=int, default=20_000, help="most rows that all pairs are compared of")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    parser.add_argument("--figure", type=Path, help="where to draw the results")
    options = parser.parse_args()
    real = np.load(options.data / "alpaca_mpnet_f16.npy", mmap_mode="r")
    quality = np.load(options.data / "alpaca_quality.npy").astype(np.float64)
    balance = Balance(options.out, options.exact, options.graph)
    kinds = tuple(scores(quality[:10]))
    sizes = [int(size) for size in options.sizes.split(",") if size]
    if not sizes:
        balance.measure("Alpaca", real, quality, (500,), kinds)
        balance.measure("Alpaca", real, quality, (1_000, 3_000, 9_000), kinds[:3])
    score = linear(real, quality) if sizes else None
    with tempfile.TemporaryDirectory() as folder:
        for n in sizes:
            path = Path(folder) / f"{n}.npy"
            if options.pool is not None and n == sizes[-1]:
                path = options.pool
            else:
                make_pool(path, n, seed=n, data=options.data / "alpaca_mpnet_f16.npy")
            rows = np.load(path, mmap_mode="r")
            assert score is not None
            ks = (n // 100, n // 16) if n <= 10_000 else (min(10_000, n // 20),)
            few = kinds if n <= 10_000 else kinds[:3] if n < 1_000_000 else (kinds[1], kinds[0])
            balance.measure("made of it", rows, score(rows, n), ks, few)
    balance.report.write(options.out)
    if options.figure is not None:
        draw(balance.report.rows, options.figure)


if __name__ == "__main__":
    main()
