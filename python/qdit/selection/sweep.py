"""`qdit.sweep`: one selection for each value of alpha, with the work that they share done once."""

from __future__ import annotations

import inspect
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from ..common.progress import Progress
from ..engine.rows import open_embeddings
from .api import run_job
from .options import GREEDY_METHODS, check_alpha
from .quality import open_quality
from .run import Job, prepare
from .selection import Selection


def sweep(
    embeddings: Any,
    quality: Any,
    alphas: Iterable[float],
    k: int | float | None = None,
    *,
    checkpoint: str | os.PathLike[str] | None = None,
    progress: bool | Callable[[Progress], Any] | None = None,
    **options: Any,
) -> dict[float, Selection]:
    """Select for several values of alpha; equal to one `qdit.select` each, and faster.

    The pool is read, checked and hashed once. Method "exact" makes one pass over all pairs for all alphas
    that have the first pick in common (most have), method "sparse" builds one graph, and the others keep the
    similarities that they have stored.

    Args:
        embeddings: (n, d), as in `qdit.select`.
        quality: (n,) scores, as in `qdit.select`.
        alphas: distinct numbers from 0 (diversity only) to 1 (quality only).
        k: number of rows, or a fraction of n, as in `qdit.select`.
        checkpoint: a directory with a checkpoint for each alpha; a repeated call goes on from there.
        progress: True for a bar for each alpha, or a callable that takes a `qdit.Progress`.
        **options: the other options of `qdit.select`.

    Returns:
        alpha -> selection, in the order of alphas.

    Raises:
        TypeError, ValueError, MemoryError, RuntimeError: as `qdit.select`; no alphas, or one twice.

    """
    start = time.perf_counter()
    jobs = _prepare(embeddings, quality, alphas, k, options)
    first = next(iter(jobs.values()))
    cache = max(
        (job.memory.cache_bytes for job in jobs.values() if job.plan.method in GREEDY_METHODS), default=0
    )
    engine = first.problem.engine(threads=first.threads, cache_bytes=cache)
    maker = next((job.graph_maker for job in jobs.values() if job.graph_maker is not None), None)
    for job in jobs.values():
        job.check_engine(engine)
        job.inputs = first.inputs
        job.graph_maker = maker if job.graph_maker is not None else None
    selections = {}
    for alpha, job in jobs.items():
        job.problem.reset(engine)
        folder = None if checkpoint is None else Path(checkpoint) / alpha_folder(alpha)
        selections[alpha] = run_job(job, start, checkpoint=folder, progress=progress, engine=engine)
        start = time.perf_counter()
    return selections


def alpha_folder(alpha: float) -> str:
    """Return the name of the folder of one alpha."""
    return f"alpha-{float(alpha)!r}"


def _prepare(
    embeddings: Any, quality: Any, alphas: Iterable[float], k: int | float | None, options: dict[str, Any]
) -> dict[float, Job]:
    values = [check_alpha(alpha) for alpha in alphas]
    if not values:
        raise ValueError("alphas: got none, wanted at least one")
    for i, alpha in enumerate(values):
        if alpha in values[:i]:
            raise ValueError(f"alphas: got {alpha} twice; drop repeats")
    known = inspect.signature(prepare).parameters
    for name in options:
        if name not in known or known[name].kind is not inspect.Parameter.KEYWORD_ONLY:
            raise TypeError(f"sweep: got option {name!r}, which select does not have")
    rows = open_embeddings(embeddings)
    scores = open_quality(quality, rows.n)
    return {alpha: prepare(rows, scores, alpha, k, **options) for alpha in values}
