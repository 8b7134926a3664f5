"""The picture of the demo: the pool in two dimensions and what each method chose of it."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_POOL_COLOR = "#c9ccd1"
_PICK_COLORS = ("#c2410c", "#1d4ed8", "#a21caf", "#15803d")
_BLOCK = 4096


@dataclass(frozen=True)
class Outcome:
    """What one method chose, and how good it is.

    Attributes:
        name: of the method.
        indices: (k,) int64 rows chosen; of the first seed for random.
        mean_quality: of the rows chosen.
        coverage: mean over all rows of the similarity to the nearest chosen row.
        worst: the same over the worst-covered tenth of the rows.
        seconds: to choose.

    """

    name: str
    indices: NDArray[np.int64]
    mean_quality: float
    coverage: float
    worst: float
    seconds: float


def require_matplotlib() -> None:
    """Raise ImportError with the command that installs matplotlib, if it is missing."""
    if importlib.util.find_spec("matplotlib") is None:
        raise ImportError("the picture needs matplotlib; install it with: pip install 'qdit[plots]'")


def project(rows: NDArray[Any]) -> NDArray[np.float64]:
    """Return the coordinates of (n, d) rows on their first two principal axes, (n, 2)."""
    n, d = rows.shape
    mean = np.zeros(d)
    second = np.zeros((d, d))
    for start in range(0, n, _BLOCK):
        block = np.asarray(rows[start : start + _BLOCK], np.float64)
        mean += block.sum(axis=0)
        second += block.T @ block
    mean /= n
    _, vectors = np.linalg.eigh(second / n - np.outer(mean, mean))
    axes = vectors[:, -2:][:, ::-1]
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])
    blocks = [
        (np.asarray(rows[start : start + _BLOCK], np.float64) - mean) @ axes for start in range(0, n, _BLOCK)
    ]
    return np.concatenate(blocks)


def draw(path: Path, rows: NDArray[Any], outcomes: Sequence[Outcome]) -> Path:
    """Write a PNG with one panel for each outcome: the pool in grey, its picks in colour."""
    require_matplotlib()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    points = project(rows)
    columns = 2 if len(outcomes) > 1 else 1
    lines = -(-len(outcomes) // columns)
    figure = Figure(figsize=(5.4 * columns, 4.9 * lines), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False)
    for axis, outcome, color in zip(grid.flat, outcomes, _PICK_COLORS, strict=False):
        axis.scatter(*points.T, s=2, c=_POOL_COLOR, linewidths=0, rasterized=True)
        axis.scatter(*points[outcome.indices].T, s=9, c=color, linewidths=0, alpha=0.75)
        axis.set_title(outcome.name, loc="left", fontsize=12, fontweight="bold", color=color)
        axis.set_title(
            f"quality {outcome.mean_quality:.2f}   coverage {outcome.coverage:.3f}", loc="right", fontsize=10
        )
        axis.set_xticks([])
        axis.set_yticks([])
        for spine in axis.spines.values():
            spine.set_color("#dddddd")
    k = len(outcomes[0].indices)
    title = f"{k:,} picks of {len(rows):,} rows, on the pool's first two principal axes"
    figure.suptitle(title, fontsize=13)
    figure.savefig(path, dpi=130)
    return path
