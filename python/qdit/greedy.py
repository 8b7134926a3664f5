"""`qdit.select`: greedy choice of rows that are both good and diverse."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

from .checkpoint import Checkpoint
from .job import Job, prepare
from .progress import Progress, open_sink
from .selection import Selection


def select(
    embeddings: Any,
    quality: Any = None,
    alpha: float = 0.7,
    k: int | float = 10_000,
    *,
    method: str = "auto",
    backend: str = "auto",
    metric: str = "cosine",
    floor: float | None = None,
    gain_scale: str = "sum",
    quality_scale: str = "raw",
    given: Any = None,
    epsilon: float = 0.01,
    seed: int = 0,
    threads: int | None = None,
    memory_budget: int | str | None = None,
    zero_rows: str = "error",
    checkpoint: str | os.PathLike[str] | None = None,
    progress: bool | Callable[[Progress], Any] | None = None,
) -> Selection:
    """Choose k rows that maximise (1 - alpha) * d(A) + alpha * sum of quality, greedily.

    d(A) is the sum over all rows v of the largest similarity of v to a chosen row; each step picks the row
    with the largest (1 - alpha) * d(a|A) + alpha * q(a), the smaller row number on ties (Bukharin & Zhao,
    "Data Diversity Matters for Robust Instruction Tuning", arXiv 2311.14736, Algorithm 2).

    Args:
        embeddings: (n, d) float16, bfloat16, float32 or float64, C-contiguous: an array, np.memmap, path to a
            .npy file, CPU tensor, or what `qdit.open_embeddings` returned. Never copied.
        quality: (n,) finite scores (or the path of a .npy file), larger is better; None needs alpha=0.
        alpha: from 0 (diversity only) to 1 (quality only: the k best scores, whatever the method).
        k: number of rows, or a fraction of n between 0 and 1.
        method: "lazy" (exact, with upper bounds), "naive" (exact, every gain at every pick), "stochastic"
            (ceil(n / k * ln(1 / epsilon)) random candidates per pick), or "auto" = "lazy".
        backend: "cpu", "reference" (float64, slow, plain), or "auto" = "cpu".
        metric: "cosine" (rows are normalised as they are read) or "dot".
        floor: similarity that every row starts with; None starts with nothing, so that the first pick's
            similarities count as they are, negative ones too.
        gain_scale: "sum" adds the gain as it is, "per_k" multiplies it by k / n.
        quality_scale: "raw", "minmax", "zscore" or "rank".
        given: what is already chosen: row numbers of the pool, or (m, d) rows outside it. Their coverage
            counts, they are not picked again.
        epsilon: between 0 and 1, how much "stochastic" may lose in expectation.
        seed: of "stochastic".
        threads: None for all processors that this process may use. Never changes the result.
        memory_budget: bytes, or text such as "2GiB", beside the embeddings; None takes up to 512 MB for
            stored similarities. Never changes the result.
        zero_rows: under "cosine", "error" refuses rows of zeros and "ignore" leaves them out.
        checkpoint: a directory. A run that was stopped in any way goes on from it when the call is repeated
            and ends with the same picks; a finished one returns at once. It stays until you delete it.
        progress: True for a bar on stderr, or a callable that takes a `qdit.Progress`.

    Returns:
        The selection: indices in pick order, gains, scores, objective, coverage.

    Raises:
        TypeError: for a wrong dtype or kind of argument.
        ValueError: for wrong shapes, values, files, or a checkpoint of another run; rows are named.
        MemoryError: if memory_budget is below what the run needs.
        RuntimeError: if another run is using the checkpoint.

    """
    start = time.perf_counter()
    job = prepare(
        embeddings,
        quality,
        alpha,
        k,
        method=method,
        backend=backend,
        metric=metric,
        floor=floor,
        gain_scale=gain_scale,
        quality_scale=quality_scale,
        given=given,
        epsilon=epsilon,
        seed=seed,
        threads=threads,
        memory_budget=memory_budget,
        zero_rows=zero_rows,
    )
    return run_job(job, start, checkpoint=checkpoint, progress=progress)


def run_job(
    job: Job,
    start: float,
    *,
    checkpoint: str | os.PathLike[str] | None,
    progress: bool | Callable[[Progress], Any] | None,
) -> Selection:
    """Run a prepared call, or finish it from its checkpoint; start: perf_counter() when the call began."""
    sink, bar = open_sink(progress)
    try:
        if checkpoint is None:
            return job.run(start, sink=sink)
        with Checkpoint(checkpoint, job.identity(), job.problem.n) as saved:
            selection = saved.result(job.plan.k)
            if selection is None:
                selection = job.run(start, sink=sink, saved=saved)
                saved.finish(selection)
            return selection
    except KeyboardInterrupt as interrupt:
        interrupt.add_note(
            "nothing was kept; with a checkpoint directory the run could go on"
            if checkpoint is None
            else f"repeat the call to go on from the checkpoint {os.fspath(checkpoint)}"
        )
        raise
    finally:
        if bar is not None:
            bar.close()
