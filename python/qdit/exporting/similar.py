"""Nearest chosen rows and final gains for all rows of a pool, in blocks: nothing of size n x k or n x n."""

from collections.abc import Callable

import numpy as np

from .._core import Engine
from ..common.types import Floats, Indices
from ..engine.backend import open_engine
from ..engine.blocks import commit
from ..engine.rows import Rows, subset
from ..selection.assign import AssignOptions, nearest_of
from ..selection.problem import Problem

_BLOCK = 128
_CANDIDATES = 1024
_CENTROIDS = 4096
_PAIR_BYTES = 2 * 10**9
_INTERVAL = 0.25  # seconds between reports

Tick = Callable[[float], None]


def nearest_chosen(
    rows: Rows, chosen: Indices, *, metric: str, threads: int, tick: Tick = lambda _: None
) -> tuple[Indices, Floats]:
    """Return for every row the position in `chosen` of the most similar chosen row, and the similarity.

    Both (n,); -1 and NaN for rows of zeros under "cosine". A chosen row is nearest to itself.
    """
    asked = AssignOptions(metric=metric, zero_rows="ignore", backend="cpu", threads=threads)
    return nearest_of(rows, rows, chosen, asked, tick, _CENTROIDS)


def nearest_other(
    rows: Rows,
    chosen: Indices,
    *,
    metric: str,
    threads: int,
    earlier: bool = False,
    tick: Tick = lambda _: None,
) -> tuple[Indices, Floats]:
    """Return for every chosen row the position of the most similar other one, and the similarity; (k,).

    earlier: only those before it count. -1 and NaN where there is none.
    """
    k = len(chosen)
    where, similarity = np.full(k, -1, np.int64), np.full(k, np.nan)
    engine = comparing_engine(subset(rows, chosen), metric, threads)
    everyone = np.arange(k)
    lowest = np.iinfo(np.int64).min
    for start in range(0, k, _BLOCK):
        block = everyone[start : start + _BLOCK]
        others = everyone[: block[-1] + 1] if earlier else everyone
        sims = engine.similarities(block, others)
        barred = others[None, :] >= block[:, None] if earlier else others[None, :] == block[:, None]
        sims[barred] = lowest
        best = sims.argmax(axis=1)
        value = sims[np.arange(len(block)), best]
        there = value > lowest
        where[block[there]] = best[there]
        similarity[block[there]] = value[there] / engine.scale
        tick(min(1.0, (start + _BLOCK) / k))
    return where, similarity


def covering_engine(problem: Problem, chosen: Indices, threads: int, tick: Tick = lambda _: None) -> Engine:
    """Return an engine over the pool that covers with what is given and `chosen`."""
    engine = problem.engine(threads=threads)
    commit(engine, chosen, tick)
    return engine


def all_gains(
    engine: Engine, covered: int, tick: Tick = lambda _: None, pair_bytes: int = _PAIR_BYTES
) -> Floats:
    """Return what every row would add to what the engine covers with, in units of similarity; (n,).

    The symmetric pass of method "exact" finds all gains with half the products that evaluating them takes.

    covered: a row that the engine covers with: picked once more it changes nothing.
    """
    everyone = np.arange(engine.n)
    if engine.backend == "reference":  # it has no such pass
        return gains_of(engine, everyone, tick)
    before = engine.stats()["evaluations"]

    def report(_picks: Indices, _gains: Indices, evaluations: int) -> None:
        tick(min(1.0, (evaluations - before) / engine.n))

    only = np.zeros(engine.n)
    only[covered] = 1.0
    engine.select(
        "exact", 1, weight=0.0, bonus=only, memory=pair_bytes, on_progress=report, interval=_INTERVAL
    )
    return gains_of(engine, everyone)


def gains_of(engine: Engine, candidates: Indices, tick: Tick = lambda _: None) -> Floats:
    """Return what each candidate would add to what the engine covers with, in units of similarity."""
    gains = np.empty(len(candidates))
    for start in range(0, len(candidates), _CANDIDATES):
        part = slice(start, start + _CANDIDATES)
        gains[part] = engine.gains(candidates[part]) / engine.sum_scale
        tick(min(1.0, (start + _CANDIDATES) / len(candidates)))
    return gains


def comparing_engine(rows: Rows, metric: str, threads: int) -> Engine:
    """Return an engine that compares rows; rows of zeros are left out."""
    return open_engine(rows, metric=metric, zero_rows="ignore", threads=threads)
