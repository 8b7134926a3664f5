"""What every distributed call shares: workers, the pool that they make up, the checked problem, progress."""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._core import available_memory
from ..common.progress import Progress, ProgressLike, Sink, open_sink
from ..common.text import parse_bytes
from ..common.types import JSON, Indices
from ..common.versions import versions
from ..engine import arrays
from ..engine.backend import resolve_precision
from ..engine.device import item_type
from ..engine.rows import Rows, kept_zeros, open_embeddings
from ..selection import record
from ..selection.methods import Method
from ..selection.options import Objective, ObjectiveOptions, resolve_k
from ..selection.picks import Outcome
from ..selection.plan import check_k
from ..selection.problem import Problem, make_problem, open_given, read_given
from ..selection.quality import K_SCALES
from ..selection.selection import Selection
from .messages import EngineOptions
from .options import IN_PROCESS, ShardOptions
from .pool import ShardedPool
from .ray_transport import RayTransport, connect, import_ray
from .sources import Slice, Source, has_rows, open_shard, path_of
from .transport import LocalTransport, MakeTransport

_LEAST_MEMORY = 64 << 20


@dataclass(frozen=True, eq=False)
class Session:
    """Running workers with a checked problem over them.

    Attributes:
        pool: all rows.
        problem: the problem; its rows have the shape of the union and no content.
        k: rows to pick.
        memory: bytes for pairs of each worker.
        sink: where progress goes, or None.
        begin: perf_counter() when the call began.

    """

    pool: ShardedPool
    problem: Problem
    k: int
    memory: int
    sink: Sink | None
    begin: float

    @property
    def closed(self) -> NDArray[np.bool_]:
        """Rows that cannot be picked."""
        closed = np.zeros(self.problem.n, bool)
        closed[self.problem.given] = True
        closed[self.pool.ignored] = True
        return closed

    @property
    def given(self) -> Indices:
        """Rows of the pool that are chosen already and take part."""
        return np.setdiff1d(self.problem.given, self.pool.ignored)

    @property
    def empty(self) -> bool:
        """Whether nothing is chosen before the first pick, and there is no floor."""
        return self.problem.floor is None and len(self.given) == 0 and self.problem.outside is None

    def tell(self, phase: str, share: float, picks: int) -> None:
        """Hand a moment of the run to the sink."""
        if self.sink is None:
            return
        elapsed = time.perf_counter() - self.begin
        self.sink(
            Progress(picks, self.k, 0, self.problem.n, elapsed, picks / elapsed, None, phase, min(share, 1.0))
        )

    def inputs(self) -> JSON:
        """Return hash, shape, dtype and origin of each input."""
        pool = self.pool
        embeddings = {
            "sha256": pool.sha256,
            "shape": [pool.n, pool.d],
            "dtype": pool.dtype,
            "source": [fact.source for fact in pool.facts],
            "shards": [{"sha256": fact.sha256, "rows": fact.n} for fact in pool.facts],
        }
        return record.describe_inputs(self.problem, embeddings)

    def identity(self, method: Method, seed: int) -> JSON:
        """Return all that decides the picks."""
        pool, rounding = self.pool, self.pool.facts[0].arithmetic
        identity = record.identity(self.problem, self.inputs(), method.name, rounding, {"distributed": True})
        if method.uses_graph:
            identity |= {"seed": seed, "k": self.k, "shards": [fact.n for fact in pool.facts]}
        if self.problem.gain_scale in K_SCALES:
            identity["k"] = self.k
        return identity

    def selection(
        self, method: str, outcome: Outcome, *, stats: JSON, params: JSON | None = None
    ) -> Selection:
        """Return the result; stats, params: what to record beside what every run does."""
        problem, pool = self.problem, self.pool
        traffic = pool.transport.traffic
        common = record.params(problem, self.k, method, len(pool.ignored))
        return record.result(
            problem,
            outcome,
            params=common | {"shards": [fact.n for fact in pool.facts], **(params or {})},
            stats={
                "actors": pool.transport.count,
                "actors_lost": pool.transport.lost,
                "messages": traffic.messages,
                "rounds": traffic.rounds,
                "bytes_sent": traffic.sent,
                "bytes_received": traffic.received,
                "bytes_between_actors": traffic.between,
                "seconds_total": time.perf_counter() - self.begin,
                "versions": versions(),
                **stats,
            },
            inputs=self.inputs(),
        )


@contextmanager
def open_session(
    shards: Sequence[Source],
    options: ShardOptions,
    progress: ProgressLike = None,
    transport: MakeTransport | None = None,
) -> Iterator[Session]:
    """Start workers and check everything; arguments and errors as in `qdit.distributed.select`."""
    begin = time.perf_counter()
    sources = _sources(shards)
    if any(kept_zeros(path_of(source)) for source in sources):
        options = replace(options, zero_rows="ignore")
    engines = EngineOptions(
        metric=options.metric,
        floor=options.floor,
        zero_rows=options.zero_rows,
        backend=options.backend,
        threads=options.threads or 1,
        outside=_outside(options.given, sources[0]),
    )
    start = transport or (LocalTransport if options.address == IN_PROCESS else RayTransport)
    with ExitStack() as stack:
        sink = stack.enter_context(open_sink(progress))
        if start is RayTransport and connect(options.address):
            stack.callback(import_ray().shutdown)
        pool = ShardedPool.open(stack.enter_context(start(sources, engines)))
        problem = _problem(pool, options, len(shards))
        k = resolve_k(options.k, problem.n)
        ignored = np.setdiff1d(pool.ignored, problem.given)
        check_k(k, problem.n, len(problem.given), len(ignored))
        limit = parse_bytes("memory_budget", options.memory_budget)
        yield Session(pool, problem, k, _memory(limit, len(sources)), sink, begin)


def _sources(shards: Sequence[Source]) -> list[str | Slice | Rows]:
    if isinstance(shards, str | os.PathLike | np.ndarray) or not isinstance(shards, Sequence):
        raise TypeError(
            f"shards: got {type(shards).__name__}, wanted a list of paths or arrays, one for each actor"
        )
    if len(shards) == 0:
        raise ValueError("shards: got an empty list, wanted at least one shard")
    found = [
        str(Path(shard).absolute()) if isinstance(shard, str | os.PathLike) else shard for shard in shards
    ]
    for number, shard in enumerate(found):
        if isinstance(shard, str) and not Path(shard).exists():
            raise FileNotFoundError(f"shards: shard {number}: no such file or folder: {shard}")
    found = [shard for shard in found if has_rows(shard)]
    if not found:
        raise ValueError(f"shards: none of {len(shards)} has a row; pass one that has")
    return [shard if isinstance(shard, str | Slice) else open_embeddings(shard) for shard in found]


def _outside(given: Any, source: Source) -> Rows | None:
    """Return what is given as rows; source: the first shard, the others are opened by their workers only."""
    given = read_given(given)
    if not isinstance(given, Rows):
        return None
    first = open_shard(source)
    outside = open_given(given, Rows(first.array[:1], first.dtype))[1]
    return None if outside is None else Rows(np.asarray(outside.array), outside.dtype)


def _problem(pool: ShardedPool, options: ShardOptions, shards: int) -> Problem:
    """Return the problem, with rows of the union's shape that take no memory; shards: that were given."""
    nothing = np.broadcast_to(np.zeros((), item_type(pool.dtype)), (pool.n, pool.d))
    rows = Rows(nothing, pool.dtype, f"{len(pool.facts)} shards")
    objective = options.only(Objective, quality=_quality(options.quality, shards))
    # the driver multiplies nothing, and may have no device
    problem = make_problem(rows, ObjectiveOptions(**vars(objective), backend="cpu"))
    precision = resolve_precision("auto", pool.dtype) if options.backend == "cuda" else None
    return replace(problem, backend=options.backend, precision=precision)


def _quality(quality: Any, shards: int) -> Any:
    """Return one source of scores; a list with one for each shard is put together."""
    several = isinstance(quality, list | tuple) and any(
        isinstance(part, str | os.PathLike) or len(np.shape(part)) > 0 for part in quality
    )
    if not several:
        return quality
    if len(quality) != shards:
        raise ValueError(f"quality: got {len(quality)} parts, wanted one for each of the {shards} shards")
    parts = [arrays.column("quality", part) for part in quality]
    shape = next((part.shape for part in parts if part.ndim != 1), None)
    if shape is not None:
        raise ValueError(f"quality: got shape {shape} for a shard, wanted one score for each of its rows")
    return np.concatenate(parts)


def _memory(limit: int | None, workers: int) -> int:
    """Return the bytes for pairs of each worker; without a limit a share of half of this machine's memory."""
    if limit is not None:
        return limit
    available = available_memory()
    return max(_LEAST_MEMORY, (2 << 30) if available is None else available // 2 // workers)
