"""All shards as one pool: row numbers, the common scale, rows that travel, gains over all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np

from ..common.types import Array, Indices
from ..engine.device import item_type
from ..selection.record import sha256_of_shards
from .messages import Facts, WorkerLostError
from .transport import Ref, Transport

_TRIES = 8  # workers may be lost less often than that
Result = TypeVar("Result")
_BLOCK_BYTES = 32 << 20  # of rows that travel together
_SAME = {
    "float32": "set QDIT_SIMD to the same instruction set on all nodes",
    "cuda": "use devices of one generation, and set QDIT_CUDA_KERNELS to the same on all nodes",
}


@dataclass(frozen=True, eq=False)
class ShardedPool:
    """The union of all shards: row numbers count through the shards in their order.

    Attributes:
        transport: the workers.
        facts: what each said of its shard.

    """

    transport: Transport
    facts: Sequence[Facts]

    @classmethod
    def open(cls, transport: Transport) -> ShardedPool:
        """Have every worker check its shard; ValueError if they do not go together."""
        facts: list[Facts] = transport.all("facts")
        first = facts[0]
        for number, other in enumerate(facts):
            for what in ("d", "dtype", "arithmetic"):
                got, wanted = getattr(other, what), getattr(first, what)
                if got != wanted:
                    raise ValueError(
                        f"shards: {transport.name(number)} has {what} {got!r}, wanted {wanted!r} as in "
                        f"{transport.name(0)}; "
                        + (
                            _SAME.get(first.arithmetic.split()[0], "use nodes of one kind")
                            if what == "arithmetic"
                            else "convert the shards to one shape and dtype"
                        )
                    )
        return cls(transport, facts)

    def retry(self, work: Callable[[], Result]) -> Result:
        """Return what `work` returns; where it loses workers they are replaced, and it begins again.

        Raises:
            RuntimeError: if that happens again and again.

        """
        for attempt in range(1, _TRIES + 1):
            try:
                return work()
            except WorkerLostError as lost:
                if attempt == _TRIES:
                    raise RuntimeError(
                        f"{lost}; {_TRIES} times workers were lost, so the run gives up: look at their memory"
                    ) from lost
                self.transport.revive()
        raise AssertionError

    @cached_property
    def starts(self) -> Indices:
        """Number of the first row of each shard, and of all rows at the end."""
        return np.concatenate([[0], np.cumsum([fact.n for fact in self.facts])]).astype(np.int64)

    @property
    def n(self) -> int:
        """Number of rows of all shards."""
        return int(self.starts[-1])

    @property
    def d(self) -> int:
        """Number of dimensions."""
        return self.facts[0].d

    @property
    def dtype(self) -> str:
        """Dtype of all rows."""
        return self.facts[0].dtype

    @property
    def row_bytes(self) -> int:
        """Size of a row."""
        return self.d * item_type(self.dtype).itemsize

    @property
    def range(self) -> float:
        """The largest similarity there can be."""
        return max(fact.range for fact in self.facts)

    @cached_property
    def ignored(self) -> Indices:
        """Rows of zeros that take no part."""
        parts = [fact.ignored + start for fact, start in zip(self.facts, self.starts, strict=False)]
        return np.concatenate(parts)

    @property
    def sha256(self) -> str:
        """Hash of the hashes of the shards."""
        return sha256_of_shards(fact.sha256 for fact in self.facts)

    def send(self, rows: Indices) -> tuple[list[Indices], list[Ref]]:
        """Ask the workers that hold rows to send them.

        Returns:
            For each of these workers where its rows belong among `rows`, and the rows.

        """
        owner = np.searchsorted(self.starts, rows, side="right") - 1
        places, refs = [], []
        for worker in np.unique(owner).tolist():
            where = np.flatnonzero(owner == worker)
            numbers = rows[where] - self.starts[worker]
            places.append(where)
            refs.append(self.transport.call(worker, "take", numbers, makes=len(where) * self.row_bytes))
        return places, refs

    def fetch(self, rows: Indices) -> Array:
        """Bring rows to the driver, as they are stored."""
        out = np.empty((len(rows), self.d), item_type(self.dtype))
        done = 0
        for batch in self.batches(rows):
            places, refs = self.send(batch)
            for where, part in zip(places, self.transport.get(refs), strict=True):
                out[done + where] = part
            done += len(batch)
        return out

    def batches(self, rows: Indices, most: int = 4096) -> Iterator[Indices]:
        """Cut row numbers into what travels at a time."""
        size = max(1, min(most, _BLOCK_BYTES // self.row_bytes))
        for start in range(0, len(rows), size):
            yield rows[start : start + size]

    def commit(self, rows: Indices) -> Indices:
        """Add rows to the selection of every worker; return what each raised the coverage by."""
        gains = [np.empty(0, np.int64)]
        for batch in self.batches(rows, 512):
            places, refs = self.send(batch)
            gains.append(sum_of(self.transport.all("commit_rows", places, *refs)))
        return np.concatenate(gains)

    def gains(self, rows: Indices, tick: Callable[[float], None]) -> Indices:
        """Return the gains of rows over all shards; tick: called with the share that is done."""
        transport = self.transport
        gains = np.empty(len(rows), np.int64)
        done = 0
        for batch in self.batches(rows):
            places, refs = self.send(batch)
            transport.traffic.rounds += 1
            parts = [transport.call(w, "gains_of", ref) for ref in refs for w in range(transport.count)]
            found = transport.get(parts)
            for number, where in enumerate(places):
                first = number * transport.count
                gains[done + where] = sum_of(found[first : first + transport.count])
            done += len(batch)
            tick(done / len(rows))
        return gains

    def first_gains(self) -> Indices:
        """Return the gains of all rows over nothing: their products with the sum of all rows.

        The sum goes from shard to shard, so that it has the same bits however rows are cut into shards.
        """
        total, rest = np.zeros(self.d), np.zeros(self.d)
        for worker, first in enumerate(self.starts[:-1].tolist()):
            total, rest = self.transport.get([self.transport.call(worker, "sum_rows", first, total, rest)])[0]
        return np.concatenate(self.transport.all("first_gains", total + rest))

    def blocks(self, rows: int) -> Iterable[tuple[int, int, int]]:
        """Yield (worker, first, last + 1) of blocks of rows, a block of each worker in turn."""
        longest = max(fact.n for fact in self.facts)
        for start in range(0, longest, rows):
            for worker, fact in enumerate(self.facts):
                if start < fact.n:
                    yield worker, start, min(fact.n, start + rows)


def sum_of(parts: Sequence[Indices]) -> Indices:
    """Return the sum over workers: integers, so the order does not matter."""
    total = np.zeros_like(parts[0])
    for part in parts:
        total += part
    return total
