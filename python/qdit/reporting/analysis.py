"""The numbers of a report, worked out on a seeded sample of large pools."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._core import Engine
from ..common import files
from ..engine.rows import Rows
from ..engine.shuffle import shuffled
from ..exporting.choice import Choice
from ..exporting.similar import float32_rows, nearest_other
from ..selection.api import select
from ..selection.selection import FORMAT, MANIFEST

_POINTS = 32  # of a coverage curve
_MAP_PICKS = 20_000
_SAMPLE_KEY = 1 << 62
_DUPLICATE_PICKS = 50_000
_REGIONS, _REGION_ROWS = 6, 4
_WORST_SHARE, _WORST_LEAST = 0.02, 60

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Tick = Callable[[float], None]


@dataclass(frozen=True, eq=False)
class Curve:
    """Coverage of the sampled rows as rows are added in an order.

    Attributes:
        ks: (p,) numbers of rows added.
        coverage: (p,) mean similarity to the nearest of them.
        nearest: (m,) for each sampled row the position in the order of the nearest row, at the end; -1 for
            rows of zeros.
        similarity: (m,) with it.
        taken: (m,) whether the sampled row is one of those taken.

    """

    ks: Ints
    coverage: Floats
    nearest: Ints
    similarity: Floats
    taken: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Map:
    """Pool and picks on the first two principal axes of the pool's unit vectors.

    pool: (m, 2); picks: (p, 2); shares: of the variance along each axis.
    """

    pool: Floats
    picks: Floats
    shares: tuple[float, float]


@dataclass(frozen=True)
class Region:
    """Badly covered rows that are similar to each other.

    Attributes:
        rows: row numbers of examples, the most typical first.
        nearest: row number of the chosen row that is nearest to the first.
        similarity: of the two.
        count: sampled rows in the region.
        mean: their mean similarity to the nearest chosen row.

    """

    rows: tuple[int, ...]
    nearest: int
    similarity: float
    count: int
    mean: float


@dataclass(frozen=True)
class Duplicates:
    """Picks that are very similar to an earlier pick.

    Attributes:
        pairs: (row, earlier row, similarity), the most similar first.
        above: how many picks have an earlier one at or above each threshold.
        compared: picks that were compared.

    """

    pairs: tuple[tuple[int, int, float], ...]
    above: dict[float, int]
    compared: int


@dataclass(frozen=True)
class Point:
    """One selection of a sweep."""

    alpha: float
    coverage: float
    mean_quality: float | None
    objective: float


@dataclass(frozen=True, eq=False)
class Numbers:
    """Everything that a report shows.

    Attributes:
        sample: (m,) sampled rows, ascending.
        chosen: curve of the picks. random: curves of random orders, by seed.
        map, regions, duplicates, sweep: see their types.
        notes: what was left out, by section.

    """

    sample: Ints
    chosen: Curve
    random: dict[int, Curve]
    map: Map
    regions: tuple[Region, ...]
    duplicates: Duplicates
    sweep: tuple[Point, ...]
    notes: dict[str, str] = field(default_factory=dict)


def sample_rows(rows: Rows, most: int, seed: int) -> Ints:
    """Return up to `most` row numbers, ascending, all if there are no more."""
    if rows.n <= most:
        return np.arange(rows.n)
    # another order than that of random selections, or the sample would hold their rows first of all
    return np.sort(shuffled(np.arange(rows.n), seed ^ _SAMPLE_KEY)[:most])


def rows_to_take(choice: Choice, threads: int) -> Ints:
    """Return the rows that a random selection may take, ascending: all but ignored rows of zeros."""
    rows, params = choice.rows, choice.selection.params
    if params.get("zero_rows") != "ignore" or params.get("metric") != "cosine":
        return np.arange(rows.n)
    engine = Engine(rows.array, dtype=rows.dtype, zero_rows="ignore", threads=threads)
    return np.setdiff1d(np.arange(rows.n), engine.ignored)


def curve(
    rows: Rows,
    sample: Ints,
    order: Ints,
    *,
    metric: str,
    floor: float | None,
    threads: int,
    tick: Tick = lambda _: None,
) -> Curve:
    """Return the coverage of the sampled rows as `order` is added row by row; work m * k * d."""
    engine = Engine(
        np.ascontiguousarray(rows.array[sample]),
        dtype=rows.dtype,
        metric=metric,
        zero_rows="ignore",
        threads=threads,
    )
    k = len(order)
    ks = np.unique(np.geomspace(1, k, _POINTS).round().astype(np.int64))
    similarity = np.full(len(sample), -np.inf if floor is None else floor)
    nearest = np.full(len(sample), -1, np.int64)
    coverage = np.empty(len(ks))
    start = 0
    for i, stop in enumerate(ks.tolist()):
        ids, sims = engine.nearest(float32_rows(rows, order[start:stop]))
        better = sims > similarity
        nearest[better] = ids[better] + start
        similarity[better] = sims[better]
        coverage[i] = similarity.mean()
        start = stop
        tick(stop / k)
    nearest[engine.ignored] = -1
    return Curve(ks, coverage, nearest, similarity, np.isin(sample, order))


def project(rows: Rows, sample: Ints, chosen: Ints, seed: int) -> Map:
    """Return the map; at most 20,000 picks are on it."""
    pool = _unit(float32_rows(rows, sample))
    mean = pool.mean(axis=0)
    pool = pool - mean
    values, vectors = np.linalg.eigh(pool.T @ pool / len(pool))
    vectors = vectors[:, ::-1]
    if vectors.shape[1] == 1:
        vectors = np.concatenate([vectors, np.zeros_like(vectors)], axis=1)
    axes = vectors[:, :2]
    axes = axes * np.sign(
        axes[np.abs(axes).argmax(axis=0), [0, 1]] + 1e-300
    )  # the sign of an axis is arbitrary
    total = max(float(values.sum()), 1e-30)
    shown = chosen if len(chosen) <= _MAP_PICKS else shuffled(chosen, seed)[:_MAP_PICKS]
    picks = (_unit(float32_rows(rows, shown)) - mean) @ axes
    shares = [*(values[::-1][:2] / total).tolist(), 0.0]
    return Map(np.asarray(pool @ axes, np.float64), np.asarray(picks, np.float64), (shares[0], shares[1]))


def worst_regions(choice: Choice, sample: Ints, covered: Curve, threads: int) -> tuple[Region, ...]:
    """Return groups of the worst covered sampled rows.

    The worst 2% (60 at least) are represented by a few of them, chosen by facility location, and each goes to
    the one it is most similar to.
    """
    rows = choice.rows
    metric = str(choice.selection.params.get("metric", "cosine"))
    there = np.flatnonzero(covered.nearest >= 0)
    count = min(len(there), max(_WORST_LEAST, int(_WORST_SHARE * len(sample))))
    worst = there[np.argsort(covered.similarity[there], kind="stable")[:count]]
    some = Rows(np.ascontiguousarray(rows.array[sample[worst]]), rows.dtype)
    found = select(some, alpha=0, k=min(_REGIONS, count), metric=metric, threads=threads, zero_rows="ignore")
    engine = Engine(some.array, dtype=some.dtype, metric=metric, zero_rows="ignore", threads=threads)
    label, likeness = engine.nearest(float32_rows(some, found.indices))
    regions = []
    for g in range(len(found.indices)):
        members = np.flatnonzero(label == g)
        if not len(members):
            continue
        members = members[np.argsort(-likeness[members], kind="stable")]
        first = int(worst[members[0]])
        regions.append(
            Region(
                rows=tuple(int(sample[worst[i]]) for i in members[:_REGION_ROWS]),
                nearest=int(choice.selection.indices[covered.nearest[first]]),
                similarity=float(covered.similarity[first]),
                count=len(members),
                mean=float(covered.similarity[worst[members]].mean()),
            )
        )
    return tuple(sorted(regions, key=lambda region: region.mean))


def duplicates(choice: Choice, near: float, threads: int, tick: Tick) -> Duplicates:
    """Return picks that an earlier pick is very similar to; the first 50,000 picks are compared."""
    chosen = choice.selection.indices[:_DUPLICATE_PICKS]
    metric = str(choice.selection.params.get("metric", "cosine"))
    where, similarity = nearest_other(
        choice.rows, chosen, metric=metric, threads=threads, earlier=True, tick=tick
    )
    found = np.flatnonzero(similarity >= near)
    found = found[np.argsort(-similarity[found], kind="stable")]
    pairs = [(int(chosen[i]), int(chosen[where[i]]), float(similarity[i])) for i in found[:10]]
    levels = sorted({near, 0.9, 0.95, 0.99})
    above = {level: int((similarity >= level).sum()) for level in levels}
    return Duplicates(tuple(pairs), above, len(chosen))


def read_sweep(choice: Choice, folder: Path | None) -> tuple[Point, ...]:
    """Return the selections of a sweep of the same embeddings, by rising alpha; () if there is none."""
    folder = _find_sweep(choice) if folder is None else folder
    if folder is None:
        return ()
    points = []
    wanted = choice.selection.inputs["embeddings"]["sha256"]
    for path in sorted(folder.glob(f"alpha-*/{MANIFEST}")):
        record: dict[str, Any] = files.read_json(path, FORMAT)
        if record["inputs"]["embeddings"]["sha256"] != wanted:
            raise ValueError(f"{path}: made of other embeddings than {choice.folder}; pass another sweep")
        result = record["result"]
        points.append(
            Point(
                float(record["params"]["alpha"]),
                float(result["coverage"]),
                result["mean_quality"],
                float(result["objective"]),
            )
        )
    if not points:
        raise ValueError(f"{folder}: no folders such as alpha-0.5 with selections; make them with qdit sweep")
    return tuple(sorted(points, key=lambda point: point.alpha))


def _find_sweep(choice: Choice) -> Path | None:
    places = (choice.directory, choice.directory / "sweep", choice.directory.resolve().parent)
    return next((place for place in places if (place / "sweep.csv").is_file()), None)


def _unit(values: NDArray[np.float32]) -> NDArray[np.float32]:
    norms = np.sqrt(np.einsum("ij,ij->i", values, values))
    return np.asarray(values / np.where(norms > 0, norms, 1)[:, None], np.float32)
