"""Figures 2 and 6 to 8: what alpha trades, diversity d/n against mean quality, on one pool."""

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass

import numpy as np

from ..common.text import parse_numbers
from ..common.types import Floats
from ..evaluation.stats import tail_mean
from ..evaluation.tables import Cell as TableCell
from ..evaluation.tables import Table
from ..selection.selection import Selection
from .drawing import Spot, draw_tradeoff, png
from .methods import Method, qdit, random
from .options import FigureOptions
from .results import Result
from .shelf import Shelf

WORST = 0.1  # of the rows
COLUMNS = ("coverage d/n", f"coverage, worst {WORST:.0%} of rows", "mean quality")  # of a `Trade`


@dataclass(frozen=True, kw_only=True)
class Fig2Options(FigureOptions):
    """What Figure 2 is made of.

    Attributes:
        k: Rows to choose.
        alpha: Values from 0 (diversity only) to 1 (quality only), such as 0.1,0.5,0.9.
        seeds: Random choices.
        file: Name of the files; fig6, fig7, fig8 for the paper's other pools.
        gain_scale: sum or per_k, as in select.
        quality_scale: raw, minmax, zscore or rank, as in select.

    """

    k: int = 3_000
    alpha: str | float | Sequence[float] = "0,0.1,0.3,0.5,0.7,0.9,1"
    seeds: int = 5
    file: str = "fig2"
    gain_scale: str = "sum"
    quality_scale: str = "raw"


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


def fig2(shelf: Shelf, options: Fig2Options) -> Result:
    """Select for every alpha in one sweep, and at random; tabulate and draw."""
    source, k, seeds, name = shelf.source, options.k, options.seeds, options.file
    alphas = parse_numbers("alpha", options.alpha, float)
    found = trades(shelf, [*qdit(*alphas), *random(seeds)], k)
    spots = [_spot(method, one) for method, one in found.items()]
    return Result(
        name,
        f"{_title(name)}: coverage and quality of {k:,} rows of {source.name}, by alpha",
        {"": _table(found, seeds)},
        {"-runs": _runs(found)},
        {".png": png(draw_tradeoff(spots, "coverage of the pool, d/n"), 7.6, 4.8)},
        inputs=source.hashes,
        options={"k": k, "alphas": list(alphas), "seeds": seeds},
        facts={"n": source.rows.n, "mean_quality_of_pool": float(source.scores.mean())},
    )


def trades(shelf: Shelf, methods: Sequence[Method], k: int) -> dict[Method, Trade]:
    """Return what each method reaches on a pool."""
    scores, chosen = shelf.source.scores, shelf.get(methods, k)
    return {method: trade(one, scores, shelf.row_coverage(method, k)) for method, one in chosen.items()}


def trade(chosen: Selection, scores: Floats, covered: Floats) -> Trade:
    """Return what a selection reaches; (n,) quality of the pool and coverage of its rows."""
    return Trade(chosen.coverage, tail_mean(covered, WORST), float(np.mean(scores[chosen.indices])))


def _spot(method: Method, one: Trade) -> Spot:
    label, text = (method.label, "") if not method.greedy else ("", f"{method.alpha:g}")
    return Spot(method.kind, label, one.quality, one.coverage, text)


def _title(name: str) -> str:
    return f"Figure {name[3:]}" if name.startswith("fig") and name[3:].isdigit() else name


def _table(found: Mapping[Method, Trade], seeds: int) -> Table:
    rows: list[Sequence[TableCell]] = [
        [method.label, *astuple(one)] for method, one in found.items() if method.greedy
    ]
    drawn = [one for method, one in found.items() if not method.greedy]
    for label, number in ((f"Random, mean of {seeds}", np.mean), (f"Random, range of {seeds}", np.ptp)):
        rows.append([label, *(float(number(column)) for column in zip(*map(astuple, drawn), strict=True))])
    return Table(["choice", *COLUMNS], rows, digits=4)


def _runs(found: Mapping[Method, Trade]) -> Table:
    rows = [[*astuple(method), *astuple(one)] for method, one in found.items()]
    return Table(["method", "alpha", "seed", "coverage", "worst", "mean_quality"], rows)
