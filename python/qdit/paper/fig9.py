"""Figure 9: what QDIT, QDIT:Threshold and QDIT:Cluster choose, on points of a plane or on a pool."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..common import files
from ..evaluation.stats import tail_mean
from ..evaluation.tables import Table
from ..reporting.analysis import project, sample_rows
from ..selection.api import select
from ..selection.evaluate import row_coverage
from ..selection.selection import Selection
from . import toy
from .drawing import Floats, Panel, draw_panels, png
from .fig2 import WORST, Trade, trade
from .methods import Method, qdit
from .results import Result
from .shelf import Shelf
from .sources import Source
from .toy import Toy

_POOL_POINTS = 15_000  # of a pool that are drawn


@dataclass(frozen=True)
class Fig9:
    """What Figure 9 is made of.

    Attributes:
        k: points or rows chosen.
        alpha: of QDIT.
        tau: of QDIT:Threshold.
        clusters: of QDIT:Cluster.

    """

    k: int
    alpha: float
    tau: float
    clusters: int


def variants(alpha: float) -> list[Method]:
    """Return the three variants."""
    return [*qdit(alpha), Method("threshold"), Method("cluster", seed=0)]


def fig9_toy(drawn: Toy, spec: Fig9) -> Result:
    """Choose among made-up points."""
    made = toy.make(drawn)
    methods = variants(spec.alpha)
    chosen = {
        method: select(
            made.rows,
            made.quality,
            k=spec.k,
            **method.select_options(tau=spec.tau, clusters=spec.clusters),
        )
        for method in methods
    }
    found = {
        method: trade(one, made.quality, tail_mean(row_coverage(made.rows, one), WORST))
        for method, one in chosen.items()
    }
    panels = [
        Panel(method.label, made.points, made.quality, made.points[one.indices], method.kind)
        for method, one in chosen.items()
    ]
    shown = draw_panels(panels, size=16, ring=60, shade="quality")
    return Result(
        "fig9",
        f"Figure 9: {spec.k} of {drawn.points} made-up points, as the three variants choose them",
        {"": _table(found, chosen)},
        {"-points": _points(made, chosen)},
        {".png": png(shown, 11.5, 4.0)},
        inputs={"points": files.sha256_array(made.points), "quality": files.sha256_array(made.quality)},
        options={**asdict(spec), **{f"toy_{name}": value for name, value in asdict(drawn).items()}},
        notes=[
            "Points and qualities are this project's own, not the paper's. Similarity is "
            "exp(-distance^2 / (2 width^2)).",
            *_shortfalls(chosen),
        ],
    )


def fig9_pool(source: Source, shelf: Shelf, spec: Fig9) -> Result:
    """Choose from a pool; the map has its first two principal axes."""
    methods = variants(spec.alpha)
    scores = source.scores
    chosen = shelf.get(methods, spec.k)
    found = {
        method: trade(chosen[method], scores, tail_mean(shelf.row_coverage(method, spec.k), WORST))
        for method in methods
    }
    sample = sample_rows(source.rows, _POOL_POINTS, 0)
    maps = {method: project(source.rows, sample, chosen[method].indices, 0) for method in methods}
    panels = [
        Panel(method.label, maps[method].pool, None, maps[method].picks, method.kind) for method in methods
    ]
    shares = maps[methods[0]].shares
    return Result(
        "fig9-pool",
        f"Figure 9 on {source.name}: {spec.k:,} of {source.rows.n:,} rows, as the three variants choose them",
        {"": _table(found, chosen)},
        pictures={".png": png(draw_panels(panels, size=1.5, ring=2.5), 11.5, 4.0)},
        inputs=source.hashes,
        options=asdict(spec),
        facts={"variance_on_axes": list(shares), "rows_drawn": len(sample)},
        notes=[
            f"Two principal axes hold {sum(shares):.0%} of the variance: rows that are close in the picture "
            "may be far apart.",
            *_shortfalls(chosen),
        ],
    )


def _table(found: Mapping[Method, Trade], chosen: Mapping[Method, Selection]) -> Table:
    rows: list[Sequence[Any]] = [
        [method.label, len(chosen[method]), one.coverage, one.worst, one.quality]
        for method, one in found.items()
    ]
    columns = ["choice", "rows", "coverage d/n", f"coverage, worst {WORST:.0%} of rows", "mean quality"]
    return Table(columns, rows, digits=4)


def _points(made: toy.Made, chosen: Mapping[Method, Selection]) -> Table:
    """Return every point with the rank that each variant gave it."""
    ranks: dict[str, Floats] = {}
    for method, one in chosen.items():
        ranks[method.kind] = np.zeros(len(made.points))
        ranks[method.kind][one.indices] = np.arange(1, len(one) + 1)
    rows = [
        [
            *(round(float(x), 6) for x in point),
            round(float(score), 6),
            *(int(rank[i]) or None for rank in ranks.values()),
        ]
        for i, (point, score) in enumerate(zip(made.points, made.quality, strict=True))
    ]
    return Table(["x", "y", "quality", *(f"{kind} rank" for kind in ranks)], rows)


def _shortfalls(chosen: Mapping[Method, Selection]) -> list[str]:
    """Return what was done where a variant alone would choose fewer rows; the paper is silent about it."""
    notes = []
    for method, one in chosen.items():
        if method.kind not in ("threshold", "cluster"):
            continue
        filled = one.stats["filled"]
        if filled == 0:
            notes.append(f"{method.label} found all {len(one):,} rows by its own rule.")
        elif method.kind == "threshold":
            notes.append(
                f"{method.label} keeps {one.stats['survivors']:,} rows; the best of the others fill "
                f"the {filled:,} that are missing."
            )
        else:
            notes.append(
                f"{method.label}: {one.stats['short_clusters']:,} clusters have too few rows; others fill "
                f"the {filled:,} that are missing."
            )
    return notes
