"""Figure 9: what QDIT, QDIT:Threshold and QDIT:Cluster choose, on points of a plane or on a pool."""

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np

from ..common import files
from ..common.types import JSON, Floats
from ..evaluation.tables import Cell as TableCell
from ..evaluation.tables import Table
from ..reporting.analysis import project, sample_rows
from ..selection.api import select
from ..selection.evaluate import row_coverage
from ..selection.selection import Selection
from . import toy
from .drawing import Panel, draw_panels, png
from .fig2 import COLUMNS, Trade, trade, trades
from .methods import Method, qdit
from .options import FigureOptions
from .results import Result
from .shelf import Shelf
from .toy import Toy

_POOL_POINTS = 15_000  # of a pool that are drawn


@dataclass(frozen=True, kw_only=True)
class Fig9Options(FigureOptions, Toy):
    """What Figure 9 is made of.

    Attributes:
        pool: Pool directory, or .npy file of embeddings with --quality; none for points of a plane.
        k: Points or rows to choose; none for 30 points or 3000 rows.
        alpha: Alpha of QDIT.
        tau: Largest similarity under QDIT:Threshold.
        clusters: Clusters of QDIT:Cluster; none for 10 of points, 100 of a pool.

    """

    pool: str | Path | None = None
    k: int | None = None
    alpha: float = 0.7
    tau: float = 0.5
    clusters: int | None = None

    def _check(self) -> None:
        k, clusters = (30, 10) if self.pool is None else (3_000, 100)
        self._set("k", k if self.k is None else self.k)
        self._set("clusters", clusters if self.clusters is None else self.clusters)

    def described(self) -> JSON:
        """Return what a record says of points and of pools."""
        return {"k": self.k, "alpha": self.alpha, "tau": self.tau, "clusters": self.clusters}


def variants(alpha: float) -> list[Method]:
    """Return the three variants."""
    return [*qdit(alpha), Method("threshold"), Method("cluster", seed=0)]


def fig9_toy(options: Fig9Options) -> Result:
    """Choose among made-up points."""
    made, asked = toy.make(options), options.described()
    shared = options.select_options()
    chosen = {
        method: select(made.rows, made.quality, k=asked["k"], **method.chosen(shared))
        for method in variants(options.alpha)
    }
    found = {method: trade(one, made.quality, row_coverage(made.rows, one)) for method, one in chosen.items()}
    panels = [
        Panel(method.label, made.points, made.quality, made.points[one.indices], method.kind)
        for method, one in chosen.items()
    ]
    return Result(
        "fig9",
        f"Figure 9: {options.k} of {options.points} made-up points, as the three variants choose them",
        {"": _table(found, chosen)},
        {"-points": _points(made, chosen)},
        {".png": png(draw_panels(panels, size=16, ring=60, shade="quality"), 11.5, 4.0)},
        inputs={"points": files.sha256_array(made.points), "quality": files.sha256_array(made.quality)},
        options=asked | {f"toy_{name}": getattr(options, name) for name in Toy.names()},
        notes=[
            "Points and qualities are this project's own, not the paper's. Similarity is "
            "exp(-distance^2 / (2 width^2)).",
            *_shortfalls(chosen),
        ],
    )


def fig9_pool(shelf: Shelf, options: Fig9Options) -> Result:
    """Choose from a pool; the map has its first two principal axes."""
    source, asked = shelf.source, options.described()
    chosen = shelf.get(variants(options.alpha), asked["k"])
    found = trades(shelf, list(chosen), asked["k"])
    sample = sample_rows(source.rows, _POOL_POINTS, 0)
    maps = {method: project(source.rows, sample, one.indices, 0) for method, one in chosen.items()}
    panels = [Panel(method.label, one.pool, None, one.picks, method.kind) for method, one in maps.items()]
    shares = next(iter(maps.values())).shares
    return Result(
        "fig9-pool",
        f"Figure 9 on {source.name}: {options.k:,} of {source.rows.n:,} rows, as the three variants choose "
        "them",
        {"": _table(found, chosen)},
        pictures={".png": png(draw_panels(panels, size=1.5, ring=2.5), 11.5, 4.0)},
        inputs=source.hashes,
        options=asked,
        facts={"variance_on_axes": list(shares), "rows_drawn": len(sample)},
        notes=[
            f"Two principal axes hold {sum(shares):.0%} of the variance: rows that are close in the picture "
            "may be far apart.",
            *_shortfalls(chosen),
        ],
    )


def _table(found: Mapping[Method, Trade], chosen: Mapping[Method, Selection]) -> Table:
    rows: list[Sequence[TableCell]] = [
        [method.label, len(chosen[method]), *astuple(one)] for method, one in found.items()
    ]
    return Table(["choice", "rows", *COLUMNS], rows, digits=4)


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
        filled = one.stats.get("filled")
        if filled is None:
            continue
        if filled == 0:
            notes.append(f"{method.label} found all {len(one):,} rows by its own rule.")
        elif "survivors" in one.stats:
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
