"""`qdit.build_graph`, and the graph of a method that works on one."""

import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from ...common.progress import Phases, ProgressLike, Sink, open_sink
from ...engine.rows import EmbeddingsLike
from ..options import Machine, ObjectiveOptions
from ..problem import Problem, make_problem
from . import files, steps
from .graph import SimilarityGraph, load_graph
from .plan import GraphOptions, GraphPlan, check_backend, plan_graph


def build_graph(
    embeddings: EmbeddingsLike, *, progress: ProgressLike = None, **options: Any
) -> SimilarityGraph:
    """Build the similarity graph of a pool, for any number of selections from it.

    Rows are put into cells by spherical k-means on some of them, and every row is compared with the members
    of the cells nearest to it. A pair is kept if its similarity is above what a greedy choice of some first
    picks reaches for either row: pairs below that could hardly matter later. Those first picks are made on a
    sample, exactly.

    On integers all backends make the same graph; else a similarity may differ in its last bits, and a row on
    a border be in another cell.

    Args:
        embeddings: (n, d), as in `qdit.select`; CuPy arrays and torch tensors on a CUDA device too.
        progress: True for a bar on stderr, or a callable that takes a `qdit.Progress`.
        **options: cells, probes, first_picks, sample, seed, memory_budget, metric, zero_rows, backend ("cpu",
            "cuda" or "auto"), device, precision, threads; see `GraphOptions`.

    Raises:
        TypeError, ValueError, RuntimeError: as `qdit.select`.
        MemoryError: if memory_budget is too small for the pool.

    """
    chosen = GraphOptions.of("build_graph", options)
    machine = vars(chosen.only(Machine))
    problem = make_problem(
        embeddings,
        ObjectiveOptions(alpha=0.0, metric=chosen.metric, zero_rows=chosen.zero_rows, **machine),
    )
    check_backend(problem.backend)
    plan = plan_graph(problem.n, chosen)
    with open_sink(progress) as sink:
        return _build(problem, plan, chosen.thread_count, sink)


class GraphMaker:
    """Makes the graph of a pool when it is first asked for; runs on the same pool share it."""

    def __init__(self, problem: Problem, plan: GraphPlan) -> None:
        """Remember what to build; the graph depends on the rows of the problem only."""
        nothing = np.empty(0, np.int64)
        self._problem = replace(problem, alpha=0.0, gain_scale="sum", given=nothing, outside=None, floor=None)
        self._plan = plan
        self._graph: SimilarityGraph | None = None

    def get(self, threads: int, sink: Sink | None = None, folder: Path | None = None) -> SimilarityGraph:
        """Return the graph; folder: where an earlier run saved it, or where this one shall."""
        if self._graph is None and folder is not None and (folder / files.MANIFEST).is_file():
            self._graph = load_graph(folder, self._problem.rows)
        if self._graph is None:
            self._graph = _build(self._problem, self._plan, threads, sink)
            if folder is not None:
                self._graph.save(folder)
        return self._graph


def _build(problem: Problem, plan: GraphPlan, threads: int, sink: Sink | None) -> SimilarityGraph:
    start = time.perf_counter()
    where = {"backend": problem.backend}
    if problem.precision is not None:
        where["precision"] = problem.precision
    built = steps.build(problem, plan, threads, Phases(sink, problem.n))
    return SimilarityGraph(
        rows=problem.rows,
        offsets=built.offsets,
        pairs=built.pairs,
        sampled=built.sampled,
        scale=built.scale,
        params={**where, "metric": problem.metric, "zero_rows": problem.zero_rows, **asdict(plan)},
        stats={**built.stats, "pairs": len(built.pairs), "seconds_build": time.perf_counter() - start},
    )
