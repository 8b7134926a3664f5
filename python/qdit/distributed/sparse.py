"""Method "sparse" over shards: candidates by a similarity graph of each shard, then exact greedy.

First picks are exact greedy on a sample of all rows, added on every shard. Then every shard builds the graph
of its own rows (see `qdit.build_graph`) above the maxima of that moment. In the union of these graphs no pair
joins two shards, so a pick changes no gain in another shard, and greedy on the union is a merge: every shard
picks alone, its scores fall, and the best of all sequences, by score and then by row number, are the picks of
greedy on the union. One round trip, however large k is.

What the union leaves out are the pairs between shards: two shards may choose the same thing twice. So it
chooses four times as many rows as are wanted, and exact greedy picks k of them and of the first picks, over
all rows of all shards: 4 * k * n pairs, four times what the evaluation of k rows takes. Gains and objective
are exact.
"""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any

import numpy as np

from .._core import Engine
from ..engine.shuffle import shuffled
from ..selection.graph import steps
from .messages import Ints
from .session import Session

_SAMPLE_PAIR_BYTES = 2 * 10**9
_SPARE = 4  # candidates for each pick


def candidates(session: Session, seed: int) -> tuple[Ints, dict[str, Any]]:
    """Return the rows to pick from, ascending, and what to report."""
    pool, problem, transport = session.pool, session.problem, session.pool.transport
    if problem.metric != "cosine":
        raise ValueError(f"method: 'sparse' over shards knows metric 'cosine' only, got {problem.metric!r}")
    seconds: dict[str, float] = {}
    start = time.perf_counter()
    plan = steps.plan(problem.n, seed=seed)
    transport.all("begin", pool.range)
    given = np.setdiff1d(problem.given, pool.ignored)
    if len(given):
        pool.commit(given)
    closed = session.closed
    session.tell("sampling", 0.0, 0)
    first = _first_picks(session, min(session.k, plan.first_picks), plan.sample, seed)
    if len(first):
        pool.commit(first)
    closed[first] = True
    seconds["sampling"] = time.perf_counter() - start
    start = time.perf_counter()
    rest = min(_SPARE * (session.k - len(first)), int((~closed).sum()))
    bonus = problem.bonus
    scale = transport.all("scale")[0]
    calls = []
    for worker in range(transport.count):
        own = slice(int(pool.starts[worker]), int(pool.starts[worker + 1]))
        call = transport.call(
            worker,
            "sparse",
            rest,
            problem.weight(session.k) / scale,
            bonus[own],
            closed[own],
            seed,
            session.memory,
        )
        calls.append(call)
    transport.traffic.rounds += 1
    session.tell("pairs", 0.0, len(first))
    found = transport.get(calls)
    rows = np.concatenate([numbers + at for (numbers, _), at in zip(found, pool.starts, strict=False)])
    scores = np.concatenate([values for _, values in found])
    order = np.lexsort((rows, -scores))[:rest]
    seconds["graphs and picks"] = time.perf_counter() - start
    report = {"seconds": seconds, "first_picks": len(first), "graph": asdict(plan)}
    return np.union1d(first, rows[order]), report


def _first_picks(session: Session, count: int, sample: int, seed: int) -> Ints:
    """Return the first picks of exact greedy on a sample of all rows, made by the driver."""
    pool, problem, transport = session.pool, session.problem, session.pool.transport
    sampled = np.sort(shuffled(np.setdiff1d(np.arange(pool.n), pool.ignored), seed)[:sample])
    excluded = np.flatnonzero(session.closed[sampled])
    count = min(count, len(sampled) - len(excluded))
    if count == 0:
        return np.empty(0, np.int64)
    given = np.setdiff1d(problem.given, pool.ignored)
    outside = problem.outside.array if problem.outside is not None else None
    if len(given):
        outside = pool.fetch(given)
    settings = transport.settings
    engine = Engine(
        pool.fetch(sampled),
        dtype=pool.dtype,
        floor=problem.floor,
        zero_rows="ignore",
        threads=settings.threads,
        outside=outside,
        outside_dtype="" if outside is None else pool.dtype,
    )
    engine.reset()
    found, _ = engine.select(
        "exact",
        count,
        weight=problem.weight(session.k) * problem.n / len(sampled) / engine.scale,
        bonus=np.ascontiguousarray(problem.bonus[sampled]),
        excluded=excluded,
        memory=_SAMPLE_PAIR_BYTES,
    )
    return np.asarray(sampled[found], np.int64)
