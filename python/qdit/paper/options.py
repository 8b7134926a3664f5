"""What the figures of a pool have in common, and what selections of a study have in common."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..common.options import ThreadOptions
from ..common.text import parse_numbers
from ..common.types import JSON
from ..selection.options import Column, Limits, SelectOptions

NAMED = ("tau", "clusters", "gain_scale", "quality_scale", "backend", "threads")  # always in a record
_APART = {"quality", "alpha", "k", "method", "seed", "given", "labels", *Limits.names()}  # of one selection
SHARED = tuple(name for name in SelectOptions.names() if name not in _APART)
_INDECISIVE = {"threads", "memory_budget"}  # change no picks
OF_METHODS = (
    "tau",
    "clusters",
    "cell_share",
    "distance_weight",
    "label_threshold",
    "propagation",
    "exponent",
)


@dataclass(frozen=True, kw_only=True)
class FigureOptions(ThreadOptions):
    """What a figure is made of beside its pool, and where what takes time is kept.

    Attributes:
        quality: .npy file of n scores; none for the pool's own.
        name: Name of the pool, for titles.
        work: Folder that keeps selections and other work, for other figures and for a repeated command; none
            for work in out.
        backend: auto, cpu, cuda or reference.

    """

    quality: Column | None = None
    name: str | None = None
    work: str | Path | None = None
    backend: str = "auto"

    def select_options(self) -> SelectOptions:
        """Return what the selections of the figure have in common."""
        return SelectOptions(**{name: getattr(self, name) for name in NAMED if hasattr(self, name)})


def parse_sizes(k: int | Sequence[int] | str) -> tuple[int, ...]:
    """Return the numbers of rows of "1000,3000", of one number, or of several."""
    found = parse_numbers("k", k, int)
    if not found or min(found) < 1:
        raise ValueError(f"k: got {k!r}, wanted whole numbers from 1")
    return found


def in_common(options: SelectOptions) -> JSON:
    """Return what selections have in common, for records: NAMED, and others that are not the default."""
    usual = SelectOptions()
    others = [n for n in SHARED if n not in NAMED and getattr(options, n) != getattr(usual, n)]
    return {name: getattr(options, name) for name in (*NAMED, *others)}


def decisive(options: SelectOptions) -> JSON:
    """Return what of it changes picks whatever the method, for fingerprints."""
    left_out = _INDECISIVE | {*OF_METHODS}  # the latter change the picks of methods that take them
    return {name: value for name, value in in_common(options).items() if name not in left_out}
