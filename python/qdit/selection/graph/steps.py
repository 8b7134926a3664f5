"""The steps that make a similarity graph: first picks on a sample, cells, products of candidate pairs."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..._core import GraphBuilder
from ...common.progress import Phases
from ...common.types import JSON, Array, Indices
from ...engine.backend import open_engine
from ...engine.blocks import commit, fixed_coverage, products_of
from ...engine.kmeans import cell_centroids
from ...engine.rows import Rows, subset
from ...engine.shuffle import shuffled
from ..methods import EXACT
from ..problem import Problem
from .plan import TRAINING_ROWS, GraphPlan, memory_needed

_SPLIT = 4  # cells of more than so many times the average are split
_SAMPLE_PAIR_BYTES = 2 * 10**9


@dataclass(frozen=True, eq=False)
class Built:
    """What `build` returns; see `qdit.selection.graph.graph.SimilarityGraph`."""

    offsets: Indices
    pairs: Array
    sampled: Indices
    scale: float
    stats: JSON


def build(
    problem: Problem, plan: GraphPlan, threads: int, phases: Phases, floors: NDArray[np.int32] | None = None
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
    multiplied: dict[str, float] = {}
    phases.enter("sampling", plan.first_picks, "picks")
    if floors is None:
        first, products = first_picks(problem, plan.first_picks, sampled, plan.first_picks, threads)
        commit(engine, first, phases.tick)
        multiplied["multiplied_sampling"] = products + products_of(engine)
        floors = fixed_coverage(engine)
    del engine
    phases.enter("cells")
    training = subset(rows, np.sort(order[: TRAINING_ROWS * plan.cells]))
    count = min(plan.cells, training.n)
    placement = problem.placement(threads)
    trained = open_engine(training, zero_rows="ignore", **placement)
    centroids = cell_centroids(training, trained, count, plan.seed, phases.tick)
    multiplied["multiplied_cells"] = products_of(trained)
    del training, trained
    phases.enter("assigning", rows.n)
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
    return Built(offsets, pairs, sampled, builder.scale, stats | multiplied | phases.seconds)


def first_picks(
    problem: Problem,
    k: int,
    sampled: Indices,
    count: int,
    threads: int,
    closed: Indices | None = None,
    read: Callable[[Indices], Rows] | None = None,
) -> tuple[Indices, float]:
    """Return the first picks of exact greedy on a sample of the rows, and the products of two rows it took.

    Args:
        problem: the pool, what is given, and how rows are scored.
        k: picks of the whole selection.
        sampled: row numbers, ascending: the rows that are covered, and the candidates.
        count: picks, fewer if fewer sampled rows are open.
        threads: threads of the engine.
        closed: rows of the pool that cannot be picked.
        read: returns some rows of the pool; None takes them from the problem.

    """
    excluded = np.flatnonzero(np.isin(sampled, [] if closed is None else closed))
    count = min(count, len(sampled) - len(excluded))
    if count == 0:
        return np.empty(0, np.int64), 0.0
    engine = problem.sample_engine(sampled, read, **problem.placement(threads))
    picks, _ = engine.select(
        EXACT.name,
        count,
        weight=problem.weight(k) * problem.n / len(sampled) / engine.scale,
        bonus=np.ascontiguousarray(problem.bonus[sampled]),
        excluded=excluded,
        memory=_SAMPLE_PAIR_BYTES,
    )
    return np.asarray(sampled[picks], dtype=np.int64), products_of(engine)
