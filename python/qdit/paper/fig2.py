"""Figures 2 and 6 to 8: what alpha trades, diversity d/n against mean quality, on one pool."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..evaluation.stats import tail_mean
from ..evaluation.tables import Table
from ..selection.selection import Selection
from .drawing import Spot, draw_tradeoff, png
from .methods import Method, qdit, random
from .results import Result
from .shelf import Shelf
from .sources import Source

WORST = 0.1  # of the rows


@dataclass(frozen=True)
class Fig2:
    """What Figure 2 is made of.

    Attributes:
        k: rows chosen.
        alphas: of QDIT.
        seeds: random choices.
        name: of the files; the paper's figures 6 to 8 are the same for other pools.

    """

    k: int = 3_000
    alphas: tuple[float, ...] = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0)
    seeds: int = 5
    name: str = "fig2"


@dataclass(frozen=True)
class Trade:
    """What one selection reaches.

    Attributes:
        coverage: d/n, the mean over all rows of the pool of the similarity to the nearest chosen row.
        worst: the mean of the tenth of the rows that are covered least.
        quality: mean quality of the chosen rows.

    """

    coverage: float
    worst: float
    quality: float


def fig2(source: Source, shelf: Shelf, spec: Fig2) -> Result:
    """Select for every alpha in one sweep, and at random; tabulate and draw."""
    scores = source.scores
    methods = [*qdit(*spec.alphas), *random(spec.seeds)]
    chosen = shelf.get(methods, spec.k)
    found = {
        method: trade(chosen[method], scores, tail_mean(shelf.row_coverage(method, spec.k), WORST))
        for method in methods
    }
    spots = [_spot(method, one) for method, one in found.items()]
    return Result(
        spec.name,
        f"{_title(spec.name)}: coverage and quality of {spec.k:,} rows of {source.name}, by alpha",
        {"": _table(found, spec.seeds)},
        {"-runs": _runs(found)},
        {".png": png(draw_tradeoff(spots, "coverage of the pool, d/n"), 7.6, 4.8)},
        inputs=source.hashes,
        options={"k": spec.k, "alphas": list(spec.alphas), "seeds": spec.seeds},
        facts={"n": source.rows.n, "mean_quality_of_pool": float(scores.mean())},
    )


def trade(chosen: Selection, scores: Any, worst: float) -> Trade:
    """Return what a selection reaches; scores: (n,) quality of the pool."""
    return Trade(chosen.coverage, worst, float(np.mean(scores[chosen.indices])))


def _spot(method: Method, one: Trade) -> Spot:
    label, text = (method.label, "") if method.kind != "qdit" else ("", f"{method.alpha:g}")
    return Spot(method.kind, label, one.quality, one.coverage, text)


def _title(name: str) -> str:
    return f"Figure {name[3:]}" if name.startswith("fig") and name[3:].isdigit() else name


def _table(found: Mapping[Method, Trade], seeds: int) -> Table:
    rows: list[Sequence[Any]] = [
        [method.label, one.coverage, one.worst, one.quality]
        for method, one in found.items()
        if method.kind == "qdit"
    ]
    drawn = [one for method, one in found.items() if method.kind == "random"]
    for label, number in ((f"Random, mean of {seeds}", np.mean), (f"Random, range of {seeds}", np.ptp)):
        rows.append([label, *(float(number([getattr(d, f) for d in drawn])) for f in Trade.__match_args__)])
    columns = ["choice", "coverage d/n", f"coverage, worst {WORST:.0%} of rows", "mean quality"]
    return Table(columns, rows, digits=4)


def _runs(found: Mapping[Method, Trade]) -> Table:
    rows = [
        [method.kind, method.alpha, method.seed, one.coverage, one.worst, one.quality]
        for method, one in found.items()
    ]
    return Table(["method", "alpha", "seed", "coverage", "worst", "mean_quality"], rows)
