"""What driver and workers send each other."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._core import Engine
from ..common.types import Indices
from ..engine.backend import open_engine
from ..engine.rows import Rows


class WorkerLostError(RuntimeError):
    """A worker died, or what it held is gone."""


@dataclass(frozen=True, eq=False)
class EngineOptions:
    """How similarities are computed, and what is covered: the same on every worker.

    Attributes:
        metric, floor, zero_rows, backend: as in `qdit.select`.
        threads: of each worker.
        outside: rows outside the pool that are chosen already, or None.
        simd: instruction set of backend "cpu"; None for the best of the machine.

    """

    metric: str = "cosine"
    floor: float | None = None
    zero_rows: str = "error"
    backend: str = "cpu"
    threads: int = 1
    outside: Rows | None = None
    simd: str | None = None

    def open(self, rows: Rows, *, range: float, **changes: Any) -> Engine:
        """Return an engine over rows.

        range: the largest similarity over all shards; only "dot" has a range that differs. changes: options
        that differ from these.
        """
        options = vars(self) | {"range": range if self.metric == "dot" else 0.0} | changes
        return open_engine(rows, **options)


@dataclass(frozen=True, eq=False)
class Facts:
    """What a worker says of its shard.

    Attributes:
        n, d, dtype, source, sha256: of the rows.
        range: the largest similarity of two rows of the shard, or of the outside rows.
        ignored: rows of zeros, by their number in the shard.
        arithmetic: how products are rounded; it must be the same everywhere.
        sums_rows, lists_pairs: what its engine offers.

    """

    n: int
    d: int
    dtype: str
    source: str
    sha256: str
    range: float
    ignored: Indices
    arithmetic: str
    sums_rows: bool
    lists_pairs: bool


@dataclass(frozen=True, eq=False)
class Request:
    """One round: picks to add, then candidates to take apart, then bounds to read.

    Rows come beside it, one array for each worker that holds some: `places` says where they belong among the
    rows of the picks followed by those of the candidates; no places: no rows are sent.
    """

    commit: Indices
    ask: Indices
    read: Indices
    places: Sequence[Indices] = ()


@dataclass(frozen=True, eq=False)
class Answer:
    """What one worker knows; everything is over its rows alone, in fixed point.

    Attributes:
        increases: what each committed pick raised the coverage by.
        offsets, rows, rises: of each candidate asked for, the rows whose maximum it would raise, and by how
            much.
        bounds: upper bounds on the gains of the candidates to read.
        unlisted: rows that it reaches by products; 0: it needs no rows of candidates any more.

    """

    increases: Indices
    offsets: Indices
    rows: NDArray[np.uint32]
    rises: NDArray[np.int32]
    bounds: Indices
    unlisted: int


@dataclass
class Traffic:
    """What was sent.

    Attributes:
        messages: calls of workers.
        rounds: times the driver waited for answers of all workers.
        sent: bytes from the driver to workers.
        received: bytes from workers to the driver.
        between: bytes of rows from one worker to another.

    """

    messages: int = 0
    rounds: int = 0
    sent: int = 0
    received: int = 0
    between: int = 0


def payload(value: Any) -> int:
    """Return the bytes of all arrays in a message; the few numbers around them do not count."""
    if isinstance(value, np.ndarray):
        return int(value.nbytes)
    if isinstance(value, Request | Answer | Facts):
        return sum(payload(item) for item in vars(value).values())
    if isinstance(value, list | tuple):
        return sum(payload(item) for item in value)
    return 0
