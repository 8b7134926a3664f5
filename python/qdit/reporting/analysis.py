"""The numbers of a report, worked out on a seeded sample of large pools."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..common import files
from ..common.progress import Phases
from ..common.types import Floats, Indices, StrPath
from ..engine.rows import Rows, subset, to_float32
from ..engine.shuffle import shuffled
from ..exporting.choice import Choice
from ..exporting.similar import Tick, comparing_engine, nearest_other
from ..measuring.api import Measured, Meter
from ..measuring.options import MeasureOptions
from ..selection.api import select
from ..selection.selection import FORMAT, MANIFEST
from ..selection.tables import SWEEP
from .options import ReportOptions

_POINTS = 32  # of a coverage curve
_MAP_PICKS = 20_000
_SAMPLE_KEY = 1 << 62
_DUPLICATE_PICKS = 50_000
_REGIONS, _REGION_ROWS = 6, 4
_WORST_SHARE, _WORST_LEAST = 0.02, 60


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

    ks: Indices
    coverage: Floats
    nearest: Indices
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
        measured: the picks beside random sets, over all rows; None where that was not asked for.

    """

    sample: Indices
    chosen: Curve
    random: dict[int, Curve]
    map: Map
    regions: tuple[Region, ...]
    duplicates: Duplicates
    sweep: tuple[Point, ...]
    measured: Measured | None

    @property
    def random_coverage(self) -> Floats:
        """Coverage that as many random rows reach, one for each seed."""
        return np.array([curve.coverage[-1] for curve in self.random.values()])


def work_out(choice: Choice, options: ReportOptions, phases: Phases) -> Numbers:
    """Work out the numbers of a report; the sweep is read first, so that a wrong one is found at once."""
    sweep = read_sweep(choice, options.sweep)
    rows, chosen, threads = choice.rows, choice.selection.indices, options.thread_count
    floor = choice.selection.params.get("floor")
    sample = sample_rows(rows, options.sample, options.seed)

    def covered(order: Indices) -> Curve:
        return curve(
            rows, sample, order, metric=choice.metric, floor=floor, threads=threads, tick=phases.tick
        )

    phases.enter("coverage")
    own = covered(chosen)
    random, free = {}, rows_to_take(choice, threads)
    for seed in range(options.seed, options.seed + options.random_seeds):
        phases.enter(f"random {seed}")
        random[seed] = covered(shuffled(free, seed)[: len(chosen)])
    phases.enter("map")
    place = project(rows, sample, chosen, options.seed)
    phases.enter("worst rows")
    regions = worst_regions(choice, sample, own, threads)
    phases.enter("duplicates")
    near = duplicates(choice, options.near, threads, phases.tick)
    measured = measure(choice, options, phases) if options.measures else None
    return Numbers(sample, own, random, place, regions, near, sweep, measured)


def measure(choice: Choice, options: ReportOptions, phases: Phases) -> Measured | None:
    """Measure the picks that have a direction; None if none has."""
    asked = MeasureOptions(
        random_sets=options.random_seeds,
        **{name: getattr(options, name) for name in ("sample", "seed", "threads")},
    )
    meter = Meter(choice.rows, choice.scores, asked, phases)
    chosen = choice.selection.indices
    chosen = chosen[np.isin(chosen, meter.free)]  # under "dot" rows of zeros may be picks
    return meter.measured(chosen) if len(chosen) else None


def sample_rows(rows: Rows, most: int, seed: int) -> Indices:
    """Return up to `most` row numbers, ascending, all if there are no more."""
    if rows.n <= most:
        return np.arange(rows.n)
    # another order than that of random selections, or the sample would hold their rows first of all
    return np.sort(shuffled(np.arange(rows.n), seed ^ _SAMPLE_KEY)[:most])


def rows_to_take(choice: Choice, threads: int) -> Indices:
    """Return the rows that a random selection may take, ascending: all but ignored rows of zeros."""
    everyone, params = np.arange(choice.rows.n), choice.selection.params
    if params.get("zero_rows") != "ignore" or params.get("metric") != "cosine":
        return everyone
    return np.setdiff1d(everyone, comparing_engine(choice.rows, "cosine", threads).ignored)


def curve(
    rows: Rows,
    sample: Indices,
    order: Indices,
    *,
    metric: str,
    floor: float | None,
    threads: int,
    tick: Tick = lambda _: None,
) -> Curve:
    """Return the coverage of the sampled rows as `order` is added row by row; work m * k * d."""
    engine = comparing_engine(subset(rows, sample), metric, threads)
    k = len(order)
    ks = np.unique(np.geomspace(1, k, _POINTS).round().astype(np.int64))
    similarity = np.full(len(sample), -np.inf if floor is None else floor)
    nearest = np.full(len(sample), -1, np.int64)
    coverage = np.empty(len(ks))
    start = 0
    for i, stop in enumerate(ks.tolist()):
        ids, sims = engine.nearest(to_float32(rows, order[start:stop]))
        better = sims > similarity
        nearest[better] = ids[better] + start
        similarity[better] = sims[better]
        coverage[i] = similarity.mean()
        start = stop
        tick(stop / k)
    nearest[engine.ignored] = -1
    return Curve(ks, coverage, nearest, similarity, np.isin(sample, order))


def project(rows: Rows, sample: Indices, chosen: Indices, seed: int) -> Map:
    """Return the map; at most 20,000 picks are on it."""
    pool = _unit(to_float32(rows, sample))
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
    picks = (_unit(to_float32(rows, shown)) - mean) @ axes
    shares = [*(values[::-1][:2] / total).tolist(), 0.0]
    return Map(np.asarray(pool @ axes, np.float64), np.asarray(picks, np.float64), (shares[0], shares[1]))


def worst_regions(choice: Choice, sample: Indices, covered: Curve, threads: int) -> tuple[Region, ...]:
    """Return groups of the worst covered sampled rows.

    The worst 2% (60 at least) are represented by a few of them, chosen by facility location, and each goes to
    the one it is most similar to.
    """
    there = np.flatnonzero(covered.nearest >= 0)
    count = min(len(there), max(_WORST_LEAST, int(_WORST_SHARE * len(sample))))
    worst = there[np.argsort(covered.similarity[there], kind="stable")[:count]]
    some, metric = subset(choice.rows, sample[worst]), choice.metric
    found = select(some, alpha=0, k=min(_REGIONS, count), metric=metric, threads=threads, zero_rows="ignore")
    engine = comparing_engine(some, metric, threads)
    label, likeness = engine.nearest(to_float32(some, found.indices))
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
    where, similarity = nearest_other(
        choice.rows, chosen, metric=choice.metric, threads=threads, earlier=True, tick=tick
    )
    found = np.flatnonzero(similarity >= near)
    found = found[np.argsort(-similarity[found], kind="stable")]
    pairs = [(int(chosen[i]), int(chosen[where[i]]), float(similarity[i])) for i in found[:10]]
    levels = sorted({near, 0.9, 0.95, 0.99})
    above = {level: int((similarity >= level).sum()) for level in levels}
    return Duplicates(tuple(pairs), above, len(chosen))


def read_sweep(choice: Choice, named: StrPath | None) -> tuple[Point, ...]:
    """Return the selections of a sweep of the same embeddings, by rising alpha; () if there is none.

    named: its folder; None looks beside the selection.
    """
    beside = (choice.directory, choice.directory / "sweep", choice.directory.resolve().parent)
    found = next((place for place in beside if (place / SWEEP).is_file()), None)
    folder = found if named is None else Path(named)
    if folder is None:
        return ()
    points = []
    wanted = choice.selection.inputs["embeddings"]["sha256"]
    for path in sorted(folder.glob(f"alpha-*/{MANIFEST}")):
        record = files.read_json(path, FORMAT)
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


def _unit(values: NDArray[np.float32]) -> NDArray[np.float32]:
    norms = np.sqrt(np.einsum("ij,ij->i", values, values))
    return np.asarray(values / np.where(norms > 0, norms, 1)[:, None], np.float32)
