"""Exact values of any set of rows: objective, coverage, and coverage row by row."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._core import Engine
from ..common import checks
from .problem import Problem, make_problem, row_indices

_CHUNK = 256  # rows per call, so that Ctrl-C is seen soon


def objective(
    embeddings: Any,
    indices: Any,
    quality: Any = None,
    alpha: float = 0.7,
    *,
    backend: str = "auto",
    metric: str = "cosine",
    floor: float | None = None,
    gain_scale: str = "sum",
    quality_scale: str = "raw",
    given: Any = None,
    threads: int | None = None,
    zero_rows: str = "error",
) -> float:
    """Return (1 - alpha) * factor * d(A and given) + alpha * sum of scaled quality over A.

    Blocked, over all rows, nothing of size n x n. It is the function that `qdit.select` maximises (Bukharin &
    Zhao, arXiv 2311.14736) and equals `Selection.objective` for its picks, whatever their order.

    Args:
        embeddings: the pool, (n, d), as in `qdit.select`.
        indices: the set A: distinct row numbers, or a `Selection`.
        quality: (n,) scores as in `qdit.select`; None needs alpha=0.
        alpha: from 0 (diversity only) to 1 (quality only).
        backend: "auto", "cpu", "cuda" (on the first device) or "reference".
        metric: "cosine" or "dot".
        floor: similarity that every row starts with, or None.
        gain_scale: "sum" (factor 1) or "per_k" (factor len(A) / n).
        quality_scale: "raw", "minmax", "zscore" or "rank".
        given: rows already chosen, as in `qdit.select`.
        threads: None for all processors that this process may use.
        zero_rows: "error" or "ignore".

    Raises:
        TypeError, ValueError: as `qdit.select`; indices that are empty, repeated or out of range.

    """
    problem = make_problem(
        embeddings,
        quality,
        alpha,
        metric=metric,
        floor=floor,
        zero_rows=zero_rows,
        backend=backend,
        gain_scale=gain_scale,
        quality_scale=quality_scale,
        given=given,
    )
    rows = _rows_of(indices, problem.n)
    engine = _cover(problem, rows, threads)
    diversity = problem.weight(len(rows)) * (engine.coverage() / engine.scale)
    return math.fsum([diversity, *problem.bonus[rows].tolist()])


def coverage(
    embeddings: Any,
    indices: Any,
    *,
    backend: str = "auto",
    metric: str = "cosine",
    floor: float | None = None,
    given: Any = None,
    threads: int | None = None,
    zero_rows: str = "error",
) -> float:
    """Return d(A and given) / n: the mean over all rows of the similarity to the nearest row of the set.

    Arguments and errors as in `qdit.objective`.
    """
    problem = _diversity_only(embeddings, backend, metric, floor, given, zero_rows)
    engine = _cover(problem, _rows_of(indices, problem.n), threads)
    return engine.coverage() / engine.scale / problem.n


def row_coverage(
    embeddings: Any,
    indices: Any,
    *,
    backend: str = "auto",
    metric: str = "cosine",
    floor: float | None = None,
    given: Any = None,
    threads: int | None = None,
    zero_rows: str = "error",
) -> NDArray[np.float64]:
    """Return for every row the similarity to the nearest row of the set, (n,) float64.

    Arguments and errors as in `qdit.objective`.
    """
    problem = _diversity_only(embeddings, backend, metric, floor, given, zero_rows)
    return _cover(problem, _rows_of(indices, problem.n), threads).row_coverage()


def _diversity_only(
    embeddings: Any, backend: str, metric: str, floor: float | None, given: Any, zero_rows: str
) -> Problem:
    return make_problem(
        embeddings,
        None,
        0.0,
        metric=metric,
        floor=floor,
        zero_rows=zero_rows,
        backend=backend,
        gain_scale="sum",
        quality_scale="raw",
        given=given,
    )


def _rows_of(indices: Any, n: int) -> NDArray[np.int64]:
    rows = row_indices("indices", getattr(indices, "indices", indices), n)
    if len(rows) == 0:
        raise ValueError("indices: got no rows, wanted at least one")
    return rows


def _cover(problem: Problem, rows: NDArray[np.int64], threads: int | None) -> Engine:
    engine = problem.engine(threads=checks.check_threads(threads))
    for start in range(0, len(rows), _CHUNK):
        engine.commit(rows[start : start + _CHUNK])
    return engine
