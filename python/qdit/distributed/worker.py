"""A worker: one shard, its engine, and what the driver may ask of it."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._core import Engine, Shard, graph_select
from ..common import files
from ..common.progress import Phases
from ..common.types import Array, Floats, Indices
from ..engine.backend import arithmetic
from ..engine.blocks import fixed_coverage
from ..engine.rows import Rows
from ..selection.graph import steps
from ..selection.graph.plan import GraphOptions, plan_graph
from ..selection.options import ObjectiveOptions
from ..selection.problem import make_problem
from .messages import Answer, EngineOptions, Facts, Request
from .sources import Source, open_shard

_NONE = np.empty(0, np.int64)


class Worker:
    """Holds one shard. All gains and increases are over its rows alone, as integers."""

    def __init__(self, source: Source, name: str, options: EngineOptions) -> None:
        """Open the shard; name: what errors call it."""
        self._name = name
        self._options = options
        self._rows = open_shard(source)
        self._engine: Engine | None = None
        self._shard: Shard | None = None
        self._gains = _NONE
        self._collected: dict[str, list[Array]] = {"part": [], "given": []}
        self._floored = False  # a floor under "dot" needs the range of all shards

    def facts(self) -> Facts:
        """Check all rows, and hash them."""
        engine = self._open(0.0)
        shard = self._shard
        assert shard is not None
        rows = self._rows
        return Facts(
            rows.n,
            rows.d,
            rows.dtype,
            rows.source,
            files.sha256_array(rows.array, rows.dtype),
            engine.range,
            engine.ignored,
            arithmetic(self._options.backend, self._rows.dtype, simd=self._options.simd),
            shard.sums_rows,
            shard.lists_pairs,
        )

    def begin(self, range: float) -> int:
        """Empty the selection, cover with the outside rows; return the coverage.

        range: the largest similarity over all shards.
        """
        engine = self._engine
        floor_missing = self._options.metric == "dot" and self._options.floor is not None
        if engine is None or engine.range != range or (floor_missing and not self._floored):
            engine = self._engine = self._shard = None  # its memory is free before another needs it
            engine = self._open(range)
        engine.reset()
        self._gains = _NONE
        self._collected = {"part": [], "given": []}
        return engine.coverage()

    def scale(self) -> float:
        """Return the fixed-point units per unit of similarity."""
        return self._ready[0].scale

    def take(self, which: Indices) -> Array:
        """Return some rows of the shard as they are stored."""
        return np.ascontiguousarray(self._rows.array[which])

    def block(self, start: int, stop: int) -> Array:
        """Return consecutive rows of the shard as they are stored."""
        return np.ascontiguousarray(self._rows.array[start:stop])

    def sum_rows(self, first: int, total: Floats, open: Floats) -> tuple[Floats, Floats]:
        """Carry the sum of all rows on over this shard, the first row of which has number `first`."""
        return self._ready[1].sum_rows(first, total, open)

    def first_gains(self, total: Floats) -> Indices:
        """Return the first gains of the rows of this shard."""
        return self._ready[1].first_gains(total)

    def gains_of(self, rows: Array) -> Indices:
        """Return the gains of candidates."""
        return self._ready[1].gains(rows)

    def commit_rows(self, places: Sequence[Indices], *parts: Array) -> Indices:
        """Add rows to the selection; return what each raised the coverage by."""
        return self._ready[1].commit_rows(self._assemble(places, parts))

    def open_lists(self, candidates: int, first: int, memory: int) -> None:
        """Begin to list pairs; first: number of the first row among the candidates, or -1."""
        self._gains = np.zeros(candidates, np.int64)
        self._ready[1].open(self._gains, first, memory)

    def list_block(self, first: int, rows: Array) -> int:
        """List the pairs of the next candidates, and return how many that were."""
        self._ready[1].list(rows, first)
        return len(rows)

    def start_lists(self) -> Indices:
        """End listing; return the gains of all candidates."""
        self._ready[1].start()
        return self._gains.copy()

    def step(self, request: Request, *parts: Array) -> Answer:
        """Answer one round."""
        shard = self._ready[1]
        rows = self._assemble(request.places, parts) if request.places else None
        count = len(request.commit)
        increases, offsets = _NONE, np.zeros(1, np.int64)
        found, rises = np.empty(0, np.uint32), np.empty(0, np.int32)
        if count:
            increases = shard.commit(request.commit, None if rows is None else rows[:count])
        if len(request.ask):
            offsets, found, rises = shard.pairs(request.ask, None if rows is None else rows[count:])
        return Answer(increases, offsets, found, rises, self._gains[request.read], shard.unlisted)

    def bounds(self) -> Indices:
        """Return upper bounds on the gains of all candidates."""
        return self._gains.copy()

    def collect(self, kind: str, places: Sequence[Indices], *parts: Array) -> None:
        """Keep rows of other shards for choose(); kind: "part" or "given"."""
        self._collected[kind].append(self._assemble(places, parts))

    def choose(self, k: int, weight: float, bonus: Floats, memory: int) -> Indices:
        """Return the picks of exact greedy on the part that was collected, by their number in it.

        weight: of a gain in units of similarity, over the rows of the part.
        """
        dtype, given = self._rows.dtype, self._collected["given"]
        rows = Rows(np.concatenate(self._collected["part"]), dtype)
        outside = Rows(np.concatenate(given), dtype) if given else self._options.outside
        self._collected = {"part": [], "given": []}
        engine = self._options.open(rows, range=self._ready[0].range, zero_rows="ignore", outside=outside)
        engine.reset()
        method = "lazy" if self._options.backend == "reference" else "exact"
        picks, _ = engine.select(method, k, weight=weight / engine.scale, bonus=bonus, memory=memory)
        return picks

    def sparse(
        self,
        k: int,
        weight: float,
        bonus: Floats,
        closed: NDArray[np.bool_],
        seed: int,
        memory: int,
    ) -> tuple[Indices, Floats]:
        """Return up to k picks by the graph of this shard, above the maxima of now, and their scores.

        weight: of a gain in fixed point.
        """
        engine, rows = self._ready[0], self._rows
        floors = fixed_coverage(engine)
        plan = plan_graph(rows.n, GraphOptions(seed=seed, memory_budget=max(memory, 1)))
        options = ObjectiveOptions(
            alpha=0.0, metric=self._options.metric, zero_rows=self._options.zero_rows, backend="cpu"
        )
        problem = make_problem(rows, options)
        phases = Phases(None, rows.n)
        built = steps.build(problem, plan, self._options.threads, phases, floors)
        picks, gains = graph_select(
            built.offsets,
            built.pairs,
            floors,
            k,
            weight=weight,
            bonus=bonus,
            open=~closed,
            threads=self._options.threads,
        )
        return picks, weight * gains + bonus[picks]

    def stats(self) -> dict[str, Any]:
        """Return the engine's counters."""
        return self._ready[0].stats()

    @staticmethod
    def pid() -> int:
        """Return the number of this process."""
        return os.getpid()

    @property
    def _ready(self) -> tuple[Engine, Shard]:
        if self._engine is None or self._shard is None:
            raise RuntimeError(f"{self._name}: begin() comes first")
        return self._engine, self._shard

    def _open(self, range: float) -> Engine:
        options, rows = self._options, self._rows
        self._floored = range > 0 or options.metric == "cosine"
        try:
            engine = options.open(rows, range=range, floor=options.floor if self._floored else None)
        except ValueError as error:
            raise ValueError(f"{self._name}: {error}") from None
        self._engine, self._shard = engine, Shard(engine, dtype=rows.dtype)
        return engine

    def _assemble(self, places: Sequence[Indices], parts: Sequence[Array]) -> Array:
        if len(parts) == 1 and (np.diff(places[0]) == 1).all():
            return parts[0]
        out = np.empty((sum(map(len, parts)), self._rows.d), self._rows.array.dtype)
        for where, part in zip(places, parts, strict=True):
            out[where] = part
        return out
