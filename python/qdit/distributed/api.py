"""`qdit.distributed.select`."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..common.progress import ProgressLike
from ..common.types import Indices, StrPath
from ..selection.bounds import certified, upper_bound
from ..selection.checkpoint import Checkpoint, resumable
from ..selection.memory import Spare
from ..selection.methods import EXACT, LAZY, METHODS, QUALITY, Method
from ..selection.plan import Plan
from ..selection.precision import warn_of_rounding
from ..selection.selection import Selection
from . import sparse
from .greedy import Greedy
from .options import ShardOptions, ShardSelectOptions
from .session import Session, open_session
from .sources import Source
from .transport import MakeTransport


def select(
    shards: Sequence[Source],
    quality: Any = None,
    alpha: float = ShardOptions.alpha,
    k: int | float = ShardOptions.k,
    *,
    checkpoint: StrPath | None = None,
    progress: ProgressLike = None,
    transport: MakeTransport | None = None,
    **options: Any,
) -> Selection:
    """Choose k rows of a pool that lies in several shards, each held by a Ray actor.

    The pool is the union of the shards; row numbers count through them in their order. Picks, gains and
    objective of methods "exact" and "lazy" are those of `qdit.select` on one pool of all rows, to the last
    bit, however the rows are cut into shards: gains are sums of integers, and s(c, v) has the same bits
    wherever c and v lie.

    Args:
        shards: one for each actor: path of a .npy file (mapped on the node of the actor), of a Parquet,
            Arrow, HDF5 or safetensors file or folder of vectors (read into memory there), or an (m, d) array.
            Paths must exist on all nodes. All have the same d and dtype; one without rows is left out.
        quality: (n,) scores of all rows, larger is better, or a list with one array or .npy file for each
            shard. None needs alpha=0.
        alpha: from 0 (diversity only) to 1 (quality only).
        k: number of rows, or a fraction of n between 0 and 1.
        checkpoint: a directory on the driver's machine: a repeated call goes on from the picks in it.
        progress: True for a bar on stderr, or a callable that takes a `qdit.Progress`.
        transport: makes other workers of sources and their options, for tests and simulations.
        **options: the others of `ShardSelectOptions`: those of `ShardOptions`, of which metric, floor, given,
            zero_rows, gain_scale and quality_scale are as in `qdit.select`, and method.

    Returns:
        The selection; its stats have the numbers of actors, of actors that were lost and replaced, of
        messages, rounds and bytes.

    An actor that dies is replaced, on any node with room, and the run goes on from its picks: the new lists
    are made at the maxima of that moment, so the result is the same.

    Raises:
        TypeError, ValueError: as `qdit.select`; shards that do not go together are named.
        ImportError: without Ray.
        RuntimeError: if the cluster has no room for the actors, or too many die.

    """
    chosen = ShardSelectOptions.of(
        "distributed.select", {"quality": quality, "alpha": alpha, "k": k, **options}
    )
    with resumable(checkpoint), open_session(shards, chosen, progress, transport) as session:
        return _run(session, _resolve(chosen.method, session), checkpoint, chosen.seed)


def _resolve(name: str, session: Session) -> Method:
    if session.problem.alpha == 1.0:
        return QUALITY
    lists = session.pool.facts[0].lists_pairs
    method = METHODS.get(name, EXACT if lists else LAZY)
    if method.needs_quality and session.problem.quality is None:
        raise ValueError(f"quality: got None with method {name!r}, wanted one score per row")
    if _lists(method) and not lists:
        raise ValueError(
            f"method: got {name!r}, which needs lists of pairs, and the backend of these actors keeps none "
            "for others; use 'lazy' or backend 'cpu'"
        )
    return method


def _lists(method: Method) -> bool:
    """Return whether actors list pairs for it."""
    return method.spare is not Spare.EVALUATED_PAIRS


def _run(session: Session, method: Method, checkpoint: StrPath | None, seed: int) -> Selection:
    if checkpoint is None:
        return _greedy(session, method, None, seed)
    with Checkpoint(checkpoint, session.identity(method, seed), session.problem.n) as saved:
        selection = saved.result(session.k)
        if selection is None:
            selection = _greedy(session, method, saved, seed)
            saved.finish(selection)
        return selection


def _greedy(session: Session, method: Method, saved: Checkpoint | None, seed: int) -> Selection:
    problem, pool = session.problem, session.pool
    report: dict[str, Any] = {}
    among = None
    if method.uses_graph:
        among, report = pool.retry(lambda: sparse.candidates(session, seed))
    fixed = None
    if not method.greedy:
        free = np.flatnonzero(~session.closed)
        fixed = free[np.argsort(-problem.scaled[free], kind="stable")][: session.k]
    greedy = Greedy(session, lists=_lists(method), candidates=among, fixed=fixed)
    resumed = 0
    if saved is not None:
        greedy.resume(saved.indices[: session.k], saved.gains[: session.k])
        resumed = len(greedy.picks)

        def keep(picks: Indices, gains: Indices) -> None:
            saved.append(picks, gains, len(greedy.picks) - len(picks))

        greedy.on_picks = keep
    outcome = greedy.run()
    session.tell("done", 1.0, session.k)
    selection = session.selection(
        method.name,
        outcome,
        params={"seed": seed} if method.uses_graph else None,
        stats={
            "resumed_picks": resumed,
            **report,
            "seconds": report.get("seconds", {}) | greedy.seconds,
            **engine_stats(session),
        },
    )
    warn_of_rounding(problem, method, selection, pool.ignored)
    plan = Plan(method, session.k)
    return certified(
        selection, problem, plan, pool.ignored, upper_bound(problem, plan, pool.ignored, outcome)
    )


def engine_stats(session: Session) -> dict[str, Any]:
    """Return what the engines of all workers took: products in units of n x n, and the most memory of one."""
    stats = session.pool.transport.all("stats")
    products = sum(one["products"] * fact.n**2 for one, fact in zip(stats, session.pool.facts, strict=True))
    device = {"device": "; ".join(sorted({one["device"] for one in stats}))} if "device" in stats[0] else {}
    return {
        **device,
        "backend": stats[0]["backend"],
        "simd": stats[0]["simd"],
        "threads": stats[0]["threads"],
        "products": products / session.pool.n**2,
        "evaluations": max(one["evaluations"] for one in stats),
        "peak_bytes": max(one["peak_bytes"] for one in stats),
    }
