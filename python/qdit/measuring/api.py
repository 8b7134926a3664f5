"""`qdit.measure`: the numbers of any set of rows, beside those of random sets of the same size."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..common.progress import Phases, ProgressLike, open_phases
from ..common.types import JSON, Floats, Indices, StrPath
from ..engine.backend import open_engine
from ..engine.rows import EmbeddingsLike, Rows, open_embeddings, subset
from ..engine.shuffle import shuffled
from ..exporting.named import SelectionLike, SelectionsLike, labelled, read_selection
from ..records.pool import Pool
from ..selection.pool import is_pool
from ..selection.quality import open_quality
from . import beside, within
from .intervals import prediction_interval
from .options import MeasureOptions

MEASURES: Mapping[str, str] = {
    "coverage": "mean similarity of a row of the pool to the nearest row of the set",
    "coverage_worst": "the same over the tenth of the pool that is covered worst",
    "pairwise_distance": "mean distance, 1 - cosine, of two rows of the set",
    "nearest_distance": "mean distance of a row of the set to the nearest other one",
    "least_distance": "smallest distance of two rows of the set",
    "vendi": "Vendi score: as diverse as so many rows without likeness",
    "log_determinant": "log det(I + X X'), the volume that the rows span",
    "novelsum": "NovelSum: distances to near rows count more, and those where the pool is dense",
    "cells": "k-means cells of the pool that the set has rows of",
    "quality": "mean quality",
}
_SAMPLE_KEY = 1 << 62
_DENSITY_POWER = 0.5  # beta of NovelSum
_MOST_CELLS, _ROWS_OF_A_CELL = 1000, 10


@dataclass(frozen=True)
class Reading:
    """One number of a set.

    Attributes:
        value: of the set; NaN where it has none, as the distances of one row.
        random: of random sets of the same size.
        low, high: the interval in which one more random set would lie; NaN with fewer than two.

    """

    value: float
    random: tuple[float, ...]
    low: float
    high: float

    @property
    def mean(self) -> float:
        """The mean of the random sets, NaN without any."""
        return math.fsum(self.random) / len(self.random) if self.random else math.nan

    def json(self) -> JSON:
        """Return a JSON object, null where there is nothing."""
        found = {"value": self.value, "random_mean": self.mean, "low": self.low, "high": self.high}
        numbers = {name: None if math.isnan(value) else value for name, value in found.items()}
        return {**numbers, "random": [None if math.isnan(value) else value for value in self.random]}


@dataclass(frozen=True)
class Measured:
    """What `measure` found of one set.

    Attributes:
        rows: how many rows the set has.
        readings: by the names of `MEASURES`; without "quality" where there is none.

    """

    rows: int
    readings: Mapping[str, Reading]

    def __getitem__(self, name: str) -> Reading:
        return self.readings[name]

    def json(self) -> JSON:
        """Return a JSON object."""
        return {"rows": self.rows, "measures": {name: one.json() for name, one in self.readings.items()}}


def measure(
    embeddings: EmbeddingsLike | Pool | StrPath,
    rows: SelectionLike,
    *,
    progress: ProgressLike = None,
    **options: Any,
) -> Measured:
    """Measure a set of rows, however it was chosen, beside random sets of the same size.

    Similarities are cosines. Rows of zeros have none: they count nowhere and may not be in the set.

    Args:
        embeddings: (n, d) as in `qdit.select`, or a pool (its directory).
        rows: distinct row numbers, a .npy file of them, a `Selection` or the directory of one.
        progress: True for a bar on stderr, or a callable that takes a `qdit.Progress`.
        options: those of `qdit.measuring.MeasureOptions`.

    Returns:
        The numbers that `qdit.measuring.MEASURES` names.

    Raises:
        TypeError, ValueError: as `qdit.coverage`; rows of zeros are named.

    """
    asked = MeasureOptions.of("measure", options)
    return measure_sets(embeddings, {"": rows}, asked, progress)[""]


def measure_sets(
    embeddings: EmbeddingsLike | Pool | StrPath,
    sets: SelectionsLike,
    options: MeasureOptions,
    progress: ProgressLike = None,
) -> dict[str, Measured]:
    """Measure several sets, named as in `evaluate_coverage`, with the work that they share done once."""
    pool, quality = _open(embeddings, options)
    chosen = {label: read_selection(source, pool) for label, source in labelled(sets).items()}
    with open_phases(progress, pool.n, max(map(len, chosen.values()))) as phases:
        meter = Meter(pool, quality, options, phases)
        return {label: meter.measured(rows) for label, rows in chosen.items()}


class Meter:
    """Measures sets of one pool.

    Attributes:
        free: rows that have a direction, ascending: random sets are taken from these.

    """

    def __init__(self, rows: Rows, quality: Floats | None, options: MeasureOptions, phases: Phases) -> None:
        if rows.device is not None:
            raise ValueError("embeddings: measure reads embeddings in CPU memory; copy them there")
        self._rows, self._quality, self._options, self._phases = rows, quality, options, phases
        self._engine = open_engine(rows, metric="cosine", zero_rows="ignore", threads=options.thread_count)
        self.free = np.setdiff1d(np.arange(rows.n), self._engine.ignored)
        self._sample = shuffled(self.free, options.seed ^ _SAMPLE_KEY)[: options.sample]
        self._random: dict[int, list[dict[str, float]]] = {}
        self._density = np.full(rows.n, np.nan)

    def measured(self, chosen: Indices) -> Measured:
        """Measure one set, and random ones of its size if that was not done before."""
        self._check(chosen)
        own = self._values(chosen, "")
        random = self._random.setdefault(len(chosen), [])
        while len(random) < self._options.random_sets:
            number = len(random)
            some = shuffled(self.free, self._options.seed + number)[: len(chosen)]
            random.append(self._values(some, f"random {number} "))
        return Measured(
            len(chosen), {name: self._reading(value, name, random) for name, value in own.items()}
        )

    def _reading(self, value: float, name: str, random: Sequence[Mapping[str, float]]) -> Reading:
        values = tuple(one[name] for one in random)
        return Reading(value, values, *prediction_interval(values, self._options.level))

    def _check(self, chosen: Indices) -> None:
        if not len(chosen):
            raise ValueError("rows: got no rows, wanted at least one")
        zero = np.flatnonzero(~np.isin(chosen, self.free))
        if len(zero):
            at = int(zero[0])
            raise ValueError(
                f"rows: position {at} is row {chosen[at]}, which is all zeros and has no similarity; leave "
                "it out"
            )

    def _values(self, chosen: Indices, who: str) -> dict[str, float]:
        options, tick = self._options, self._tick(who)
        cells = self._cells
        found: dict[str, float] = {}
        found["coverage"], found["coverage_worst"] = beside.coverage(
            self._engine, self.free, chosen, tick("coverage")
        )
        some = subset(self._rows, chosen)
        spread = within.spectrum(some)
        found["pairwise_distance"] = spread.pairwise_distance
        new = chosen[np.isnan(self._density[chosen])]
        self._density[new] = beside.densities(
            self._engine, self._sample, new, options.neighbors, tick("density")
        )
        engine = open_engine(some, metric="cosine", threads=options.thread_count)
        which = np.sort(shuffled(np.arange(len(chosen)), options.seed)[: options.sample])
        density = self._density[chosen] ** _DENSITY_POWER
        apart = within.distances(engine, which, density, tick("distances"))
        found |= {"nearest_distance": apart.nearest, "least_distance": apart.least}
        found |= {"vendi": spread.vendi, "log_determinant": spread.log_determinant}
        found |= {"novelsum": apart.novelsum, "cells": float(len(np.unique(cells[chosen])))}
        if self._quality is not None:
            found["quality"] = float(self._quality[chosen].mean())
        return found

    @cached_property
    def _cells(self) -> Indices:
        self._phases.enter("cells")
        most = max(1, min(_MOST_CELLS, len(self.free) // _ROWS_OF_A_CELL))
        count = most if self._options.cells is None else min(self._options.cells, len(self.free))
        some = shuffled(self.free, self._options.seed ^ _SAMPLE_KEY)
        return beside.cells_of(self._rows, self._engine, some, count, self._options.seed)

    def _tick(self, who: str) -> Callable[[str], Callable[[float], None]]:
        def enter(phase: str) -> Callable[[float], None]:
            self._phases.enter(who + phase)
            return self._phases.tick

        return enter


def _open(embeddings: Any, options: MeasureOptions) -> tuple[Rows, Floats | None]:
    """Return the rows of a pool and their quality, if there is any."""
    if not is_pool(embeddings):
        rows = open_embeddings(embeddings)
        return rows, open_quality(options.quality, rows.n)
    pool = embeddings if isinstance(embeddings, Pool) else Pool.open(embeddings)
    if pool.embeddings is None:
        raise FileNotFoundError(
            f"{pool.directory}: no embeddings.npy; make them with: qdit embed {pool.directory}"
        )
    given = open_quality(options.quality, pool.embeddings.n)
    return pool.embeddings, pool.quality if given is None else given
