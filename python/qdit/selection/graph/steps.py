"""The steps that make a similarity graph: first picks on a sample, cells, products of candidate pairs."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._core import Engine, GraphBuilder
from ...common.checks import check_int
from ...common.progress import Phases
from ...common.text import format_bytes
from ...common.types import Indices
from ...engine.blocks import commit, fixed_coverage
from ...engine.kmeans import CELL_ITERATIONS, cell_centroids
from ...engine.rows import Rows, subset
from ...engine.shuffle import shuffled
from .. import memory
from ..problem import Problem

_COMPARED = 4_000  # rows that each row is compared with, about
_LEAST_PROBES = 12
_ROWS_PER_FIRST_PICK = 2_000
_SAMPLED_PER_FIRST_PICK = 60
_FIRST_PICKS = (25, 500)  # at least, at most
_TRAINING_ROWS = 16  # per cell
_SPLIT = 4  # cells of more than so many times the average are split
_DEFAULT_BYTES = 5 * 10**9
_SAMPLE_PAIR_BYTES = 2 * 10**9
_ROW_BYTES = 120  # norms, maxima, offsets, list heads, members and parts, without what each probe takes
_PROBE_BYTES = 12
_KEEP_BYTES = 9  # per pair of a row: 8, and room to shrink lists rarely
_LEAST_KEEP = 16


@dataclass(frozen=True)
class Plan:
    """What a graph is built with; all of it but `threads` decides the result.

    Attributes:
        cells: k-means cells.
        probes: cells that each row is compared with.
        first_picks: rows that set the floors.
        sample: rows that the first picks are chosen from, and for.
        keep: most pairs a row.
        seed: of the sample, the cells and their parts.

    """

    cells: int
    probes: int
    first_picks: int
    sample: int
    keep: int
    seed: int


def plan(
    n: int,
    *,
    cells: int | None = None,
    probes: int | None = None,
    first_picks: int | None = None,
    sample: int = 30_000,
    limit: int | None = None,
    seed: int = 0,
) -> Plan:
    """Check options and fill in defaults for a pool of n rows; limit: bytes, or None.

    The number of cells grows with the square root of n, so that assigning rows to cells costs what comparing
    the rows of cells does. Every row is compared with about as many others in a pool of any size.
    """
    sample = min(n, _positive("sample", sample))
    cells = min(n, round(4 * math.sqrt(n)) if cells is None else _positive("cells", cells))
    if probes is None:
        probes = max(_LEAST_PROBES, math.ceil(_COMPARED * cells / n))
    probes = min(cells, _positive("probes", probes))
    if first_picks is None:
        low, high = _FIRST_PICKS
        wanted = min(high, max(low, n // _ROWS_PER_FIRST_PICK))
        first_picks = max(1, min(wanted, sample // _SAMPLED_PER_FIRST_PICK))
    first_picks = min(sample, _positive("first_picks", first_picks))
    return Plan(cells, probes, first_picks, sample, _most_pairs(n, probes, limit), seed)


def check_backend(backend: str) -> None:
    """Raise ValueError for the backend that has no graphs."""
    if backend == "reference":
        raise ValueError("backend: got 'reference', wanted 'cpu', 'cuda' or 'auto' for a similarity graph")


def _positive(name: str, value: object) -> int:
    number = check_int(name, value)
    if number < 1:
        raise ValueError(f"{name}: got {number}, wanted at least 1")
    return number


def _most_pairs(n: int, probes: int, limit: int | None) -> int:
    """Return how many pairs a row the budget has room for."""
    fixed = n * (_ROW_BYTES + _PROBE_BYTES * probes)
    if limit is None:
        # not what is available just now: what a full list keeps would depend on it
        total = memory.total_memory()
        limit = _DEFAULT_BYTES if total is None else min(_DEFAULT_BYTES, total // 2)
    least = fixed + n * _KEEP_BYTES * _LEAST_KEEP
    if limit < least:
        raise MemoryError(
            f"memory_budget: got {format_bytes(limit)}, wanted at least {format_bytes(least)} "
            "for the graph of this pool (beside the embeddings); raise the budget or probe fewer cells"
        )
    return min(n, (limit - fixed) // (n * _KEEP_BYTES))


def memory_needed(n: int, plan: Plan) -> tuple[int, int]:
    """Return the bytes that building takes beside the embeddings: at least, and at most for pairs on top."""
    return n * (_ROW_BYTES + _PROBE_BYTES * plan.probes), n * _KEEP_BYTES * plan.keep


def expected_products(n: int, plan: Plan) -> float:
    """Return about how many pairs of rows building multiplies."""
    training = min(n, _TRAINING_ROWS * plan.cells)
    compared = plan.probes / plan.cells * n
    return (
        n * (plan.cells + compared / 2)
        + training * plan.cells * CELL_ITERATIONS
        + plan.sample * (plan.sample / 2 + plan.first_picks)
    )


@dataclass(frozen=True, eq=False)
class Built:
    """What `build` returns; see `qdit.selection.graph.graph.SimilarityGraph`."""

    offsets: NDArray[np.int64]
    pairs: NDArray[Any]
    sampled: NDArray[np.int64]
    scale: float
    stats: dict[str, Any]


def build(
    problem: Problem, plan: Plan, threads: int, phases: Phases, floors: NDArray[np.int32] | None = None
) -> Built:
    """Build the pairs of a graph. problem: with nothing given, no floor, no quality.

    floors: (n,) what the similarity of a pair must be above, in fixed point; None is what first picks reach.
    """
    rows = problem.rows
    phases.enter("reading")
    engine = problem.engine(threads=threads)
    order = shuffled(np.setdiff1d(np.arange(rows.n), engine.ignored), plan.seed)
    if len(order) == 0:
        raise ValueError(f"embeddings: all {rows.n:,} rows are zero, wanted at least one that is not")
    sampled = np.sort(order[: plan.sample])
    phases.enter("sampling")
    if floors is None:
        commit(
            engine, first_picks(problem, plan.first_picks, sampled, plan.first_picks, threads), phases.tick
        )
        floors = fixed_coverage(engine)
    del engine
    phases.enter("cells")
    training = np.sort(order[: _TRAINING_ROWS * plan.cells])
    count = min(plan.cells, len(training))
    placement = problem.placement(threads)
    centroids = cell_centroids(subset(rows, training), count, plan.seed, phases.tick, **placement)
    phases.enter("assigning")
    builder = GraphBuilder(
        rows.array, dtype=rows.dtype, metric=problem.metric, zero_rows=problem.zero_rows, **placement
    )
    nearest = builder.nearest(centroids, min(plan.probes, count), phases.tick)
    phases.enter("pairs")
    offsets, pairs, stats = builder.pairs(
        nearest,
        cells=count,
        largest=max(1, _SPLIT * rows.n // count),
        floors=floors,
        keep=plan.keep,
        seed=plan.seed,
        memory=memory_needed(rows.n, plan)[1],
        on_progress=phases.tick,
    )
    phases.enter("done")
    return Built(offsets, pairs, sampled, builder.scale, stats | phases.seconds)


def first_picks(
    problem: Problem,
    k: int,
    sampled: Indices,
    count: int,
    threads: int,
    closed: Indices | None = None,
    read: Callable[[Indices], Rows] | None = None,
) -> Indices:
    """Return the first picks of exact greedy on a sample of the rows.

    Args:
        problem: the pool, what is given, and how rows are scored.
        k: picks of the whole selection.
        sampled: row numbers, ascending: the rows that are covered, and the candidates.
        count: picks, fewer if fewer sampled rows are open.
        threads: threads of the engine.
        closed: rows of the pool that cannot be picked.
        read: returns some rows of the pool; None takes them from the problem.

    """
    read = partial(subset, problem.rows) if read is None else read
    excluded = np.flatnonzero(np.isin(sampled, [] if closed is None else closed))
    count = min(count, len(sampled) - len(excluded))
    if count == 0:
        return np.empty(0, np.int64)
    some = read(sampled)
    outside = read(problem.given) if len(problem.given) else problem.outside
    engine = Engine(
        some.array,
        dtype=some.dtype,
        metric=problem.metric,
        floor=problem.floor,
        zero_rows="ignore",
        **problem.placement(threads),
        outside=None if outside is None else outside.array,
        outside_dtype="" if outside is None else outside.dtype,
    )
    engine.reset()
    picks, _ = engine.select(
        "exact",
        count,
        weight=problem.weight(k) * problem.n / some.n / engine.scale,
        bonus=np.ascontiguousarray(problem.bonus[sampled]),
        excluded=excluded,
        memory=_SAMPLE_PAIR_BYTES,
    )
    return np.asarray(sampled[picks], dtype=np.int64)
