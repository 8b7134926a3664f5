"""The figures of a report, each for a light and a dark page."""

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import Any, Concatenate, ParamSpec

import numpy as np

from ..common.optional import check_installed
from ..common.types import Floats
from .analysis import Curve, Map, Point
from .options import MATPLOTLIB
from .verbs import Verbs

_DPI = 150


@dataclass(frozen=True)
class Theme:
    """Colors of a figure."""

    text: str
    muted: str
    grid: str
    background: str
    pool: str
    chosen: str
    random: str


LIGHT = Theme("#1f2328", "#57606a", "#e4e7eb", "#ffffff", "#c3c9d1", "#c2410c", "#3b6ea5")
DARK = Theme("#e6e8eb", "#a3abb5", "#333a43", "#171b21", "#4b545f", "#fb923c", "#7fb2e5")

# of matplotlib, which is optional
Figure = Any
Axes = Any
Draw = Callable[[Figure, Theme], None]
Given = ParamSpec("Given")


def drawing(draw: Callable[Concatenate[Figure, Theme, Given], None]) -> Callable[Given, Draw]:
    """Return a function that takes what `draw` draws, and returns how to draw it on a figure in a theme."""

    @wraps(draw)
    def keep(*given: Given.args, **options: Given.kwargs) -> Draw:
        return lambda figure, theme: draw(figure, theme, *given, **options)

    return keep


def require_matplotlib() -> None:
    """Raise ImportError with the command that installs matplotlib, if it is missing."""
    check_installed([MATPLOTLIB])


def render(draw: Draw, width: float = 7.6, height: float = 4.2) -> tuple[bytes, bytes]:
    """Return a figure as PNG, for a light and for a dark page; size in inches."""
    return render_as(draw, LIGHT, width, height), render_as(draw, DARK, width, height)


def render_as(draw: Draw, theme: Theme, width: float, height: float) -> bytes:
    """Return a figure as PNG for one kind of page; size in inches."""
    from matplotlib import figure as mpl_figure
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    with _style(theme):
        figure = mpl_figure.Figure(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(figure)
        draw(figure, theme)
        buffer = io.BytesIO()
        figure.savefig(buffer, dpi=_DPI, format="png")
    return buffer.getvalue()


@contextmanager
def _style(theme: Theme) -> Iterator[None]:
    import warnings

    import matplotlib as mpl

    settings: Any = {
        "text.parse_math": False,  # labels come from data: a dollar sign is one
        "font.size": 11,
        "figure.facecolor": theme.background,
        "axes.facecolor": theme.background,
        "savefig.facecolor": theme.background,
        "text.color": theme.text,
        "axes.labelcolor": theme.text,
        "axes.edgecolor": theme.grid,
        "xtick.color": theme.muted,
        "ytick.color": theme.muted,
        "axes.grid": True,
        "grid.color": theme.grid,
        "grid.linewidth": 0.8,
        "axes.axisbelow": True,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "legend.frameon": False,
    }
    with mpl.rc_context(settings), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # a label in a script that the font lacks
        yield


@drawing
def draw_map(figure: Figure, theme: Theme, found: Map) -> None:
    """Pool and picks in two dimensions."""
    axes = figure.subplots()
    axes.grid(False)
    axes.scatter(*found.pool.T, s=3, c=theme.pool, linewidths=0, label="pool")
    size = float(np.clip(9000 / max(1, len(found.picks)), 2.5, 14))
    axes.scatter(*found.picks.T, s=size, c=theme.chosen, linewidths=0, alpha=0.8, label="chosen")
    axes.set_xticks([])
    axes.set_yticks([])
    _label(
        axes,
        f"first axis ({found.shares[0]:.1%} of the variance)",
        f"second axis ({found.shares[1]:.1%})",
        markerscale=2.5,
        handletextpad=0.2,
    )


@drawing
def draw_coverage(figure: Figure, theme: Theme, chosen: Curve, random: Sequence[Curve]) -> None:
    """Coverage against k, with the band of random orders."""
    axes = figure.subplots()
    if random:
        band = np.array([curve.coverage for curve in random])
        ks = random[0].ks
        axes.fill_between(ks, band.min(axis=0), band.max(axis=0), color=theme.random, alpha=0.25, linewidth=0)
        label = f"random, mean and range of {len(random)} seeds"
        axes.plot(ks, band.mean(axis=0), color=theme.random, linewidth=1.6, label=label, linestyle="--")
    axes.plot(chosen.ks, chosen.coverage, color=theme.chosen, linewidth=2.2, label="chosen")
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.xaxis.set_minor_formatter(lambda value, _: "")
    _label(axes, "rows taken, in pick order", "coverage")


@drawing
def draw_two_histograms(
    figure: Figure,
    theme: Theme,
    first: Floats,
    second: Floats,
    names: tuple[str, str],
    label: str,
    random: bool = False,
) -> None:
    """Two distributions over the same bins, each as a share of its own rows."""
    axes = figure.subplots()
    low, high = (float(f(np.concatenate([first, second]))) for f in (np.min, np.max))
    if not high > low:
        low, high = low - 0.5, high + 0.5
    bins = np.linspace(low, high, 61)
    for values, name, color, filled in (
        (first, names[0], theme.random if random else theme.pool, True),
        (second, names[1], theme.chosen, False),
    ):
        weights = np.full(len(values), 100.0 / len(values))
        style = {"histtype": "stepfilled" if filled else "step", "color": color, "label": name}
        axes.hist(values, bins, weights=weights, **style, alpha=0.6 if filled else 1.0, linewidth=1.8)
        axes.axvline(float(values.mean()), color=color, linewidth=1.2, linestyle=":")
    _label(axes, f"{label} (dotted: means)", "% of rows")


@drawing
def draw_sweep(
    figure: Figure, theme: Theme, points: Sequence[Point], alpha: float, random: tuple[float, float] | None
) -> None:
    """Coverage against mean quality over alpha; random: coverage and quality of random rows."""
    axes = figure.subplots()
    known = [point for point in points if point.mean_quality is not None]
    quality = [point.mean_quality for point in known]
    coverage = [point.coverage for point in known]
    axes.plot(quality, coverage, "o-", color=theme.chosen, markersize=5, linewidth=1.6, label="alpha")
    for point in known:
        here = abs(point.alpha - alpha) < 1e-12
        axes.annotate(
            f"{point.alpha:g}" + (" (this one)" if here else ""),
            (point.mean_quality, point.coverage),
            xytext=(6, 5),
            textcoords="offset points",
            fontweight="bold" if here else "normal",
        )
    if random is not None:
        axes.plot(random[1], random[0], "D", color=theme.random, markersize=7, label="random rows")
    axes.margins(0.1)
    _label(axes, "mean quality of the chosen rows", "coverage")


@drawing
def draw_sources(figure: Figure, theme: Theme, labels: Sequence[str], pool: Floats, chosen: Floats) -> None:
    """Shares of the sources, in percent, in the pool and in the selection."""
    axes = figure.subplots()
    at = np.arange(len(labels))
    axes.barh(at - 0.2, pool, 0.38, color=theme.pool, label="pool")
    axes.barh(at + 0.2, chosen, 0.38, color=theme.chosen, label="chosen")
    axes.set_yticks(at, [label if len(label) <= 32 else label[:31] + "…" for label in labels])
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    _label(axes, "% of rows", "")


@drawing
def draw_sunburst(figure: Figure, theme: Theme, verbs: Verbs) -> None:
    """Two rings: the commonest verbs, and the commonest objects of each."""
    import matplotlib as mpl

    axes = figure.subplots()
    axes.set_aspect("equal")
    top = verbs.top()
    colors = mpl.colormaps["tab20"](np.arange(len(top)) % 20)
    edge = {"edgecolor": theme.background, "linewidth": 1.0}
    inner, outer, outer_colors, outer_labels = [], [], [], []
    for (_, count, nouns), color in zip(top, colors, strict=True):
        inner.append(count)
        shown = sum(number for _, number in nouns)
        for i, (noun, number) in enumerate(nouns):
            outer.append(number)
            outer_labels.append(noun)
            outer_colors.append((*color[:3], 0.75 - 0.12 * i))
        outer.append(count - shown)
        outer_labels.append("")
        outer_colors.append((*color[:3], 0.12))
    total = sum(inner)
    options = {"startangle": 90, "counterclock": False, "wedgeprops": {**edge, "width": 0.42}}
    wedges, _ = axes.pie(inner, radius=0.72, colors=colors, **options)
    rings, _ = axes.pie(
        outer, radius=1.0, colors=outer_colors, **{**options, "wedgeprops": {**edge, "width": 0.28}}
    )
    for wedge, (verb, count, _), color in zip(wedges, top, colors, strict=True):
        if count / total > 0.012:
            _radial(axes, wedge, 0.51, verb, 8.5, _readable_on(color))
    for wedge, noun, number in zip(rings, outer_labels, outer, strict=True):
        if noun and number / total > 0.006:
            _radial(axes, wedge, 1.03, noun, 7.5, theme.text, outside=True)
    axes.set_xlim(-1.42, 1.42)
    axes.set_ylim(-1.36, 1.36)


def _label(axes: Axes, x: str, y: str, **options: Any) -> None:
    """Name the axes, and put the legend above them: inside there may be data in any corner."""
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=3, borderaxespad=0.2, **options)


def _readable_on(color: Sequence[float]) -> str:
    """Return black or white, whichever contrasts more with an RGB color (WCAG 2 relative luminance)."""
    part = np.asarray(color[:3], np.float64)
    linear = np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)
    luminance = float(linear @ [0.2126, 0.7152, 0.0722])
    return "#000000" if (luminance + 0.05) ** 2 > 0.05 * 1.05 else "#ffffff"


def _radial(
    axes: Axes, wedge: Any, radius: float, text: str, size: float, color: str, outside: bool = False
) -> None:
    angle = (wedge.theta1 + wedge.theta2) / 2
    x, y = radius * np.cos(np.radians(angle)), radius * np.sin(np.radians(angle))
    flipped = 90 < angle % 360 < 270
    side = ("right" if flipped else "left") if outside else "center"
    axes.text(
        *(x, y, text[:18]),
        rotation=angle + 180 if flipped else angle,
        rotation_mode="anchor",
        ha=side,
        va="center",
        fontsize=size,
        color=color,
    )
