"""The figures of the study, in the style of the reports."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..common.types import Floats
from ..evaluation.stats import Interval
from ..reporting.figures import (
    LIGHT,
    Draw,
    Figure,
    Theme,
    draw_sunburst,
    drawing,
    render_as,
    require_matplotlib,
)
from ..reporting.verbs import Verbs

COLORS = {
    "qdit": "#c2410c",
    "quality": "#7c3aed",
    "random": "#3b6ea5",
    "threshold": "#0f766e",
    "cluster": "#a16207",
    "k_center": "#be185d",
    "kmq": "#4d7c0f",
    "mig": "#0369a1",
}  # by kind of method


def png(draw: Draw, width: float, height: float) -> bytes:
    """Return a figure as PNG of 256 colors, a third of the size, for a light page; size in inches."""
    require_matplotlib()
    from PIL import Image  # matplotlib needs it too

    picture = Image.open(io.BytesIO(render_as(draw, LIGHT, width, height))).convert("RGB")
    buffer = io.BytesIO()
    picture.quantize(256, dither=Image.Dither.NONE).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


@drawing
def draw_sunbursts(figure: Figure, theme: Theme, found: Mapping[str, Verbs]) -> None:
    """Sunbursts of verbs and objects side by side, by title."""
    panels = np.atleast_1d(figure.subfigures(1, len(found)))
    for panel, (title, verbs) in zip(panels, found.items(), strict=True):
        draw_sunburst(verbs)(panel, theme)
        panel.suptitle(title, fontsize=13)


@dataclass(frozen=True)
class Spot:
    """A selection in a plane: mean quality and coverage.

    Attributes:
        kind: of the method, for the color.
        label: for the legend; "" for a point of the curve of alphas.
        quality, coverage: where it is.
        text: written beside it, such as its alpha.

    """

    kind: str
    label: str
    quality: float
    coverage: float
    text: str = ""


@drawing
def draw_tradeoff(figure: Figure, theme: Theme, spots: Sequence[Spot], axis: str) -> None:
    """Coverage against mean quality: alphas joined by a line, other methods as single points."""
    axes = figure.subplots()
    curve = [spot for spot in spots if spot.kind == "qdit"]
    place = [spot.quality for spot in curve], [spot.coverage for spot in curve]
    axes.plot(*place, "o-", color=COLORS["qdit"], markersize=5, linewidth=1.6, label="QDIT, by alpha")
    for spot in curve:
        axes.annotate(spot.text, (spot.quality, spot.coverage), xytext=(6, 5), textcoords="offset points")
    seen = set()
    for spot in spots:
        if spot.kind != "qdit":
            label = None if spot.label in seen else spot.label
            seen.add(spot.label)
            axes.plot(*(spot.quality, spot.coverage, "D"), color=COLORS[spot.kind], markersize=6, label=label)
    axes.margins(0.1)
    axes.set_xlabel("mean quality of the chosen rows")
    axes.set_ylabel(axis)
    axes.legend(loc="lower left")


@dataclass(frozen=True, eq=False)
class Panel:
    """A scatter plot of a pool with what was chosen.

    Attributes:
        title: above it.
        pool: (n, 2).
        shade: (n,) numbers that color the pool, such as quality, or None.
        picks: (k, 2).
        kind: of the method.

    """

    title: str
    pool: Floats
    shade: Floats | None
    picks: Floats
    kind: str


@drawing
def draw_panels(
    figure: Figure, theme: Theme, panels: Sequence[Panel], *, size: float, ring: float, shade: str = ""
) -> None:
    """Panels side by side, with common axes. size, ring: of the points of the pool and of picks.

    shade: what the colors of the pool are, for the color bar.
    """
    columns = figure.subplots(1, len(panels), sharex=True, sharey=True, squeeze=False)[0]
    for axes, panel in zip(columns, panels, strict=True):
        axes.grid(False)
        axes.set_xticks([])
        axes.set_yticks([])
        style: dict[str, Any] = {"c": theme.pool}
        if panel.shade is not None:
            style = {"c": panel.shade, "cmap": "Blues", "edgecolors": "#9aa4b1"}
        points = axes.scatter(*panel.pool.T, s=size, linewidths=0.3 if shade else 0, **style)
        axes.scatter(
            *panel.picks.T,
            s=ring,
            facecolors="none" if shade else COLORS[panel.kind],
            edgecolors=COLORS[panel.kind] if shade else "none",
            linewidths=1.6 if shade else 0,
            alpha=1.0 if shade else 0.7,
        )
        axes.set_title(panel.title, fontsize=11)
    if shade:
        figure.colorbar(points, ax=list(columns), label=shade, shrink=0.9)


@dataclass(frozen=True)
class Line:
    """A line with an interval at each point: label, kind of method, x, and the interval at each x."""

    label: str
    kind: str
    x: Sequence[float]
    y: Sequence[Interval]


@drawing
def draw_lines(figure: Figure, theme: Theme, columns: Mapping[str, Sequence[Line]], x: str, y: str) -> None:
    """Lines with error bars, one column of axes for each title."""
    row = figure.subplots(1, len(columns), squeeze=False)[0]
    for axes, (title, lines) in zip(row, columns.items(), strict=True):
        for line in lines:
            points = [(one.mean, one.low, one.high) for one in line.y]
            mean, low, high = np.array(points, np.float64).reshape(-1, 3).T
            spread = np.abs(np.stack([mean - low, high - mean]))
            axes.errorbar(
                *(line.x, mean, spread),
                fmt="o-",
                color=COLORS[line.kind],
                markersize=5,
                capsize=3,
                linewidth=1.5,
                label=line.label,
            )
        axes.set_title(title, fontsize=12)
        axes.set_xlabel(x)
        axes.legend()
    row[0].set_ylabel(y)
