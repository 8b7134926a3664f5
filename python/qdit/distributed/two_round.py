"""RandGreeDi: greedy on random parts, then greedy on the union of what they chose."""

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..common.progress import ProgressLike
from ..common.types import Indices
from ..engine.shuffle import shuffled
from ..selection.selection import Selection
from .api import engine_stats
from .greedy import Greedy
from .options import ShardOptions, TwoRoundOptions
from .session import Session, open_session
from .sources import Source
from .transport import MakeTransport


def two_round(
    shards: Sequence[Source],
    quality: Any = None,
    alpha: float = ShardOptions.alpha,
    k: int | float = ShardOptions.k,
    *,
    progress: ProgressLike = None,
    transport: MakeTransport | None = None,
    **options: Any,
) -> Selection:
    """Choose k rows in two rounds, for pools where every pair of rows is too dear.

    Rows are dealt at random into parts. Round one: exact greedy of k rows on each part alone. Round two:
    exact greedy of k among the up to parts * k rows chosen, evaluated on all rows of all shards. The result
    is the better of round two and the best part, both evaluated on all rows. With m parts of n rows that is
    n * n / (2 * m) pairs in round one, and m * k * n in each of round two and the evaluation of the parts.

    What is guaranteed (Barbosa, Ene, Nguyen & Ward, "The Power of Randomization", ICML 2015): for a monotone
    submodular objective, not negative, greedy in both rounds reaches (1 - 1/e) / 2 = 0.316 of the best in
    expectation over the partition, if round one evaluates the true objective. Here it evaluates the
    objective on its part with the gains scaled by n / part: an unbiased estimate of a mean over n rows, so
    the bound holds up to its sampling error (Mirzasoleiman et al., NIPS 2013, section 4.3, on decomposable
    objectives). Quality that is not negative keeps the objective monotone and submodular. Where quality can
    be negative (use quality_scale="minmax"), or cosines without floor are negative, so that d is not
    submodular at the empty set, no factor is guaranteed; with floor=0.0 d is. In practice the loss is far
    smaller: docs/scale.md has it for real embeddings.

    Args:
        shards: as in `qdit.distributed.select`.
        quality: scores; None needs alpha=0.
        alpha: from 0 (diversity only) to 1 (quality only).
        k: number of rows, or a fraction of n between 0 and 1.
        progress: True for a bar on stderr, or a callable that takes a `qdit.Progress`.
        transport: makes other workers.
        **options: the others of `TwoRoundOptions`: those of `ShardOptions`, as in `qdit.distributed.select`,
            and parts.

    Returns:
        The selection. stats has "winner", "objective_union", "objective_best_part" and "candidates".

    Raises:
        TypeError, ValueError, ImportError, RuntimeError: as `qdit.distributed.select`.

    """
    chosen = TwoRoundOptions.of(
        "distributed.two_round", {"quality": quality, "alpha": alpha, "k": k, **options}
    )
    with open_session(shards, chosen, progress, transport) as session:
        count = session.pool.transport.count
        return _run(session, count if chosen.parts is None else chosen.parts, chosen.seed)


def _run(session: Session, parts: int, seed: int) -> Selection:
    start = time.perf_counter()
    chosen = session.pool.retry(lambda: _first_round(session, parts, seed))
    union = np.unique(np.concatenate(chosen))
    seconds = {"first round": time.perf_counter() - start}
    start = time.perf_counter()
    lists = session.pool.facts[0].lists_pairs
    second = Greedy(session, lists=lists, candidates=union).run()
    seconds["second round"] = time.perf_counter() - start
    start = time.perf_counter()
    evaluated = [Greedy(session, lists=False, fixed=picks).run() for picks in chosen]
    seconds["evaluation"] = time.perf_counter() - start
    values = [outcome.objective(session.problem, session.k) for outcome in evaluated]
    best = int(np.argmax(values))
    value = second.objective(session.problem, session.k)
    winner = second if value >= values[best] else evaluated[best]
    session.tell("done", 1.0, session.k)
    return session.selection(
        "two_round",
        winner,
        params={"parts": parts, "seed": seed},
        stats={
            "winner": "union" if winner is second else "part",
            "objective_union": value,
            "objective_best_part": values[best],
            "candidates": len(union),
            "resumed_picks": 0,
            "seconds": seconds,
            **engine_stats(session),
        },
    )


def _first_round(session: Session, parts: int, seed: int) -> list[Indices]:
    """Return the picks of each random part."""
    pool, problem, transport = session.pool, session.problem, session.pool.transport
    free = np.flatnonzero(~session.closed)
    if not 1 <= parts <= len(free) // session.k:
        raise ValueError(
            f"parts: got {parts}, wanted 1 to {len(free) // session.k}, so that each of the parts of "
            f"{len(free):,} rows has k = {session.k:,}"
        )
    order = shuffled(free, seed)
    transport.all("begin", pool.range)
    found: list[Indices] = []
    for first in range(0, parts, transport.count):
        numbers = range(first, min(parts, first + transport.count))
        rows = [np.sort(order[number::parts]) for number in numbers]
        for worker, part in enumerate(rows):
            for kind, which in (("part", part), ("given", session.given)):
                for batch in pool.batches(which):
                    places, refs = pool.send(batch)
                    transport.get([transport.call(worker, "collect", kind, places, *refs)])
        calls = [
            transport.call(
                worker,
                "choose",
                session.k,
                problem.weight(session.k) * problem.n / len(part),
                problem.bonus[part],
                session.memory,
            )
            for worker, part in enumerate(rows)
        ]
        transport.traffic.rounds += 1
        found += [part[picks] for part, picks in zip(rows, transport.get(calls), strict=True)]
        session.tell("first round", len(found) / parts, 0)
    return found
