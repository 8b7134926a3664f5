"""Exact values of any set of rows: objective, coverage, and coverage row by row."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .._core import Engine
from ..common.types import Floats, Indices
from ..engine.blocks import commit
from ..engine.rows import EmbeddingsLike
from .options import Column, CoverageOptions, ObjectiveOptions
from .problem import Problem, make_problem, row_indices
from .selection import Selection

IndicesLike = ArrayLike | Selection  # distinct row numbers, or those of a selection


def objective(
    embeddings: EmbeddingsLike,
    indices: IndicesLike,
    quality: Column | None = None,
    alpha: float = 0.7,
    **options: Any,
) -> float:
    """Return (1 - alpha) * factor * d(A and given) + alpha * sum of scaled quality over A.

    Blocked, over all rows, nothing of size n x n. It is the function that `qdit.select` maximises (Bukharin &
    Zhao, arXiv 2311.14736) and equals `Selection.objective` for its picks, whatever their order.

    Args:
        embeddings: the pool, (n, d), as in `qdit.select`.
        indices: the set A: distinct row numbers, or a `Selection`.
        quality: (n,) scores as in `qdit.select`; None needs alpha=0.
        alpha: from 0 (diversity only) to 1 (quality only).
        **options: gain_scale ("per_k" is factor len(A) / n), quality_scale, metric, floor, given,
            represent, weights, zero_rows, backend, device, precision, threads, as in `qdit.select`.

    Raises:
        TypeError, ValueError: as `qdit.select`; indices that are empty, repeated or out of range.

    """
    chosen = ObjectiveOptions.of("objective", {"quality": quality, "alpha": alpha, **options})
    problem = make_problem(embeddings, chosen)
    rows = _rows_of(indices, problem.n)
    engine = _cover(problem, rows, chosen.thread_count)
    diversity = problem.weight(len(rows)) * (engine.coverage() / engine.sum_scale)
    return math.fsum([diversity, *problem.bonus[rows].tolist()])


def coverage(embeddings: EmbeddingsLike, indices: IndicesLike, **options: Any) -> float:
    """Return d(A and given) / n: the mean over all rows of the similarity to the nearest row of the set.

    With represent it is the mean over these rows, with weights the weighted one.

    Args:
        embeddings: the pool, (n, d), as in `qdit.select`.
        indices: the set A: distinct row numbers, or a `Selection`.
        **options: metric, floor, given, represent, weights, zero_rows, backend, device, precision,
            threads, as in `qdit.select`.

    Raises:
        TypeError, ValueError: as `qdit.select`; indices that are empty, repeated or out of range.

    """
    problem, engine = _covered("coverage", embeddings, indices, options)
    return max(-engine.range, min(engine.range, engine.coverage() / engine.sum_scale / problem.mass))


def row_coverage(embeddings: EmbeddingsLike, indices: IndicesLike, **options: Any) -> Floats:
    """Return for every row the similarity to the nearest row of the set, (n,) float64; with represent: (m,).

    Arguments and errors as in `qdit.coverage`.
    """
    _, engine = _covered("row_coverage", embeddings, indices, options)
    return np.clip(engine.row_coverage(), -engine.range, engine.range)  # rounding goes beyond


def _covered(
    verb: str, embeddings: EmbeddingsLike, indices: IndicesLike, options: Mapping[str, Any]
) -> tuple[Problem, Engine]:
    """Return the problem, and an engine in which the rows are chosen."""
    chosen = CoverageOptions.of(verb, options)
    problem = make_problem(embeddings, ObjectiveOptions(alpha=0.0, **vars(chosen)))
    return problem, _cover(problem, _rows_of(indices, problem.n), chosen.thread_count)


def _rows_of(indices: IndicesLike, n: int) -> Indices:
    rows = row_indices("indices", indices, n)
    if len(rows) == 0:
        raise ValueError("indices: got no rows, wanted at least one")
    return rows


def _cover(problem: Problem, rows: Indices, threads: int) -> Engine:
    engine = problem.engine(threads=threads)
    commit(engine, rows)
    return engine
