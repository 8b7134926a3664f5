"""`qdit.build_graph`, and the graph of method "sparse"."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from ...common import checks
from ...common.progress import Phases, Progress, open_sink
from ...common.text import parse_bytes
from ..options import ObjectiveOptions
from ..problem import Problem, make_problem
from . import files, steps
from .graph import SimilarityGraph, Sink, load_graph


def build_graph(
    embeddings: Any,
    *,
    cells: int | None = None,
    probes: int | None = None,
    first_picks: int | None = None,
    sample: int = 30_000,
    metric: str = "cosine",
    zero_rows: str = "error",
    threads: int | None = None,
    memory_budget: int | str | None = None,
    seed: int = 0,
    backend: str = "auto",
    device: int = 0,
    precision: str = "auto",
    progress: bool | Callable[[Progress], Any] | None = None,
) -> SimilarityGraph:
    """Build the similarity graph of a pool, for any number of selections from it.

    Rows are put into cells by spherical k-means on some of them, and every row is compared with the members
    of the cells nearest to it. A pair is kept if its similarity is above what a greedy choice of some first
    picks reaches for either row: pairs below that could hardly matter later. Those first picks are made on a
    sample, exactly.

    Args:
        embeddings: (n, d), as in `qdit.select`; CuPy arrays and torch tensors on a CUDA device too.
        cells: number of cells; None is 4 * sqrt(n).
        probes: cells that each row is compared with; None is what makes some 4,000 rows, and at least 12.
            More find more pairs.
        first_picks: None is one for every 2,000 rows, from 25 to 500, and at least 60 sampled rows for each.
            Fewer keep more pairs.
        sample: rows that first picks are chosen from.
        metric: "cosine" or "dot".
        zero_rows: under "cosine", "error" refuses rows of zeros and "ignore" leaves them out.
        threads: None for all processors that this process may use. Never changes the result.
        memory_budget: bytes, or text such as "2GiB", for the graph while it is built, beside the embeddings;
            None is 5 GB, or half of the available memory if that is less. Where not all pairs fit, every row
            keeps its most similar ones. Backend "cuda" makes the lists on the device, in parts where they do
            not fit it or take more than this.
        seed: of the sample, the cells, and how large cells are split.
        backend: "cpu", "cuda", or "auto" = "cuda" where the device can be used. On integers graphs are the
            same; else a similarity may differ in its last bits, and a row on a border be in another cell.
        device: number of the device of backend "cuda".
        precision: of products on backend "cuda", as in `qdit.select`.
        progress: True for a bar on stderr, or a callable that takes a `qdit.Progress`.

    Raises:
        TypeError, ValueError, RuntimeError: as `qdit.select`.
        MemoryError: if memory_budget is too small for the pool.

    """
    options = ObjectiveOptions(
        alpha=0.0,
        metric=metric,
        zero_rows=zero_rows,
        backend=backend,
        device=device,
        precision=precision,
        threads=threads,
    )
    problem = make_problem(embeddings, options)
    steps.check_backend(problem.backend)
    plan = steps.plan(
        problem.n,
        cells=cells,
        probes=probes,
        first_picks=first_picks,
        sample=sample,
        limit=parse_bytes("memory_budget", memory_budget),
        seed=checks.check_seed(seed),
    )
    sink, bar = open_sink(progress)
    try:
        return _build(problem, plan, options.thread_count, sink)
    finally:
        if bar is not None:
            bar.close()


class GraphMaker:
    """Makes the graph of a pool when it is first asked for; runs on the same pool share it."""

    def __init__(self, problem: Problem, plan: steps.Plan) -> None:
        """Remember what to build; the graph depends on the rows of the problem only."""
        nothing = np.empty(0, np.int64)
        self._problem = replace(problem, alpha=0.0, given=nothing, outside=None, floor=None)
        self._plan = plan
        self._graph: SimilarityGraph | None = None

    def get(self, threads: int, sink: Sink = None, folder: Path | None = None) -> SimilarityGraph:
        """Return the graph; folder: where an earlier run saved it, or where this one shall."""
        if self._graph is None and folder is not None and (folder / files.MANIFEST).is_file():
            self._graph = load_graph(folder, self._problem.rows)
        if self._graph is None:
            self._graph = _build(self._problem, self._plan, threads, sink)
            if folder is not None:
                self._graph.save(folder)
        return self._graph


def _build(problem: Problem, plan: steps.Plan, threads: int, sink: Sink) -> SimilarityGraph:
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
