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

import time
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from ..common.types import Indices
from ..engine.rows import Rows
from ..engine.shuffle import shuffled
from ..selection.graph import steps
from ..selection.graph.plan import GraphOptions, plan_graph
from .session import Session

_SPARE = 4  # candidates for each pick


def candidates(session: Session, seed: int) -> tuple[Indices, dict[str, Any]]:
    """Return the rows to pick from, ascending, and what to report."""
    pool, problem, transport = session.pool, session.problem, session.pool.transport
    if problem.metric != "cosine":
        raise ValueError(f"method: 'sparse' over shards knows metric 'cosine' only, got {problem.metric!r}")
    seconds: dict[str, float] = {}
    start = time.perf_counter()
    plan = plan_graph(problem.n, GraphOptions(seed=seed))
    transport.all("begin", pool.range)
    if len(session.given):
        pool.commit(session.given)
    closed = session.closed
    session.tell("sampling", 0.0, 0)
    free = np.setdiff1d(np.arange(pool.n), pool.ignored)
    first, _ = steps.first_picks(
        replace(problem, given=session.given),
        session.k,
        np.sort(shuffled(free, seed)[: plan.sample]),
        min(session.k, plan.first_picks),
        transport.options.threads,
        np.flatnonzero(closed),
        lambda rows: Rows(pool.fetch(rows), pool.dtype),
    )
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
