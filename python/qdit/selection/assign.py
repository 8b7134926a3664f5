"""What each chosen row stands for: every row goes to the chosen row that is most similar to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..common.progress import ProgressLike, open_phases
from ..common.types import Floats, Indices
from ..engine import arrays
from ..engine.backend import open_engine, resolve_backend, resolve_precision
from ..engine.rows import EmbeddingsLike, Rows, open_embeddings, to_float32
from .evaluate import IndicesLike
from .options import Column, Machine, Similarity
from .problem import row_indices


@dataclass(frozen=True, kw_only=True)
class AssignOptions(Machine, Similarity):
    """The options of `qdit.assign`."""


@dataclass(frozen=True, eq=False, repr=False)
class Assignment:
    """Which chosen row stands for each row, as `qdit.assign` returns it.

    Attributes:
        nearest: number of the chosen row that is most similar to each row, of a chosen row its own; the first
            pick on ties, -1 for rows of zeros under "cosine"; (n,).
        similarity: with it; NaN for rows of zeros; (n,).
        sizes: how many rows each chosen row stands for, itself among them, in pick order; (k,).
        weights: their total weight, the sizes where no weights were given; (k,).

    """

    nearest: Indices
    similarity: Floats
    sizes: Indices
    weights: Floats

    def __repr__(self) -> str:
        return f"Assignment(n={len(self.nearest):,}, k={len(self.sizes):,}, largest={self.sizes.max():,})"


def assign(
    embeddings: EmbeddingsLike,
    indices: IndicesLike,
    *,
    weights: Column | None = None,
    represent: EmbeddingsLike | None = None,
    progress: ProgressLike = None,
    **options: Any,
) -> Assignment:
    """Give every row to the chosen row that is most similar to it.

    Args:
        embeddings: the pool, (n, d), as in `qdit.select`.
        indices: the chosen rows: distinct row numbers, or a `Selection`.
        weights: what each row counts, n positive numbers: an array or .npy file; None for 1.
        represent: other rows, (m, d), that go to the chosen rows in place of those of the pool.
        progress: True for a bar on stderr, or a callable that takes a `qdit.Progress`.
        **options: metric, zero_rows, backend, device, precision, threads, as in `qdit.select`.

    Raises:
        TypeError, ValueError: as `qdit.select`; indices that are empty, repeated or out of range; weights
            that are not positive numbers, one for each row.

    """
    asked = AssignOptions.of("assign", options)
    pool = open_embeddings(embeddings)
    chosen = row_indices("indices", indices, pool.n)
    if not len(chosen):
        raise ValueError("indices: got no rows, wanted at least one")
    rows = pool if represent is None else open_embeddings(represent)
    if rows.d != pool.d:
        raise ValueError(f"represent: got rows of {rows.d} columns, wanted {pool.d} as in the embeddings")
    counts = None if weights is None else arrays.positive("weights", weights, rows.n)
    with open_phases(progress, rows.n, len(chosen)) as phases:
        phases.enter("nearest", rows.n)
        where, similarity = nearest_of(rows, pool, chosen, asked, phases.tick)
    if represent is None and asked.metric == "cosine":
        here = np.flatnonzero(where[chosen] >= 0)  # a copy of an earlier pick stands for itself
        where[chosen[here]] = here
    there = where >= 0
    sizes = np.bincount(where[there], minlength=len(chosen))
    given = np.ones(rows.n) if counts is None else counts
    totals = np.bincount(where[there], given[there], len(chosen)).astype(np.float64)
    return Assignment(np.where(there, chosen[where], -1), similarity, sizes, totals)


def nearest_of(
    rows: Rows,
    pool: Rows,
    chosen: Indices,
    asked: AssignOptions,
    tick: Callable[[float], None] = lambda share: None,
    block: int = 4096,
) -> tuple[Indices, Floats]:
    """Return for every row the position of the most similar chosen row, the first on ties, and how similar.

    Both (n,); -1 and NaN for rows of zeros under "cosine". Nothing of size n x k.

    Args:
        rows: that are given to chosen rows.
        pool: that the chosen rows are in.
        chosen: their numbers.
        asked: metric, zero_rows and where it is computed.
        tick: is told the share that is done.
        block: how many chosen rows are compared with at a time.

    """
    backend = resolve_backend(asked.backend, asked.device, on_device=rows.device is not None)
    engine = open_engine(
        rows,
        metric=asked.metric,
        zero_rows=asked.zero_rows,
        threads=asked.thread_count,
        backend=backend,
        device=asked.device,
        precision=resolve_precision(asked.precision, rows.dtype) if backend == "cuda" else None,
    )
    where, similarity = np.full(rows.n, -1, np.int64), np.full(rows.n, -np.inf)
    for first in range(0, len(chosen), block):
        ids, sims = engine.nearest(np.ascontiguousarray(to_float32(pool, chosen[first : first + block])))
        better = sims > similarity
        where[better], similarity[better] = ids[better] + first, sims[better]
        tick(min(1.0, (first + block) / len(chosen)))
    where[engine.ignored], similarity[engine.ignored] = -1, np.nan
    return where, similarity
