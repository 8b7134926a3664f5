"""Exact greedy over shards: the picks, gains and ties of one process, to the last bit.

The gain of a candidate is the sum over shards of its gain over the rows of the shard, and every part is an
integer. The driver keeps one upper bound for every candidate, as lazy greedy does (Minoux 1978); a worker
keeps lists of the pairs that can still add something, with one row of its own in each, and from them an
upper bound on its part of every gain, as method "exact" does in one process.

A round is one message to every worker and one back: the picks since the last round, the candidates T with the
best bounds to be taken apart, and more candidates whose bounds are to be read. Then the driver picks within
T as long as that is certain (see `rounds`). Rows of T travel only while a worker has rows whose pairs are
not listed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .messages import Answer, Ints, Request
from .pool import ShardedPool, sum_of
from .rounds import NOBODY, Rival, best_of, certified_picks, totals

Tell = Callable[[str, float, int], None]  # phase, share of it, picks
_LEAST, _MOST = 16, 2048  # candidates to take apart in a round
_PAIRS = 400_000  # of a round: more cost more than another round
_AHEAD = 2  # blocks of each worker on their way


@dataclass
class Greedy:
    """One exact greedy run over a sharded pool.

    Attributes:
        pool: the rows.
        weight: what a gain in units of similarity is multiplied by in a score.
        bonus: (n,) what is added to it.
        closed: (n,) rows that cannot be picked.
        given: rows of the pool that are chosen already.
        empty: whether nothing is chosen yet and there is no floor.
        lists: keep pairs on the workers; otherwise gains are evaluated when they are asked for.
        memory: bytes for pairs of each worker.
        candidates: rows to pick from, ascending; None for all.
        picks, gains: so far; see resume().
        on_picks: told of new picks, with what each raised the coverage by.
        tell: told how far the run is.

    """

    pool: ShardedPool
    weight: float
    bonus: NDArray[np.float64]
    closed: NDArray[np.bool_]
    given: Ints
    empty: bool
    lists: bool
    memory: int
    candidates: Ints | None = None
    picks: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    gains: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    on_picks: Callable[[Ints, Ints], None] = lambda picks, gains: None
    tell: Tell = lambda phase, share, picks: None
    fixed: Ints | None = None  # picks that are known before: only what they add is to be found
    block_rows: int = 8192

    def __post_init__(self) -> None:
        self._numbers = np.arange(self.pool.n) if self.candidates is None else self.candidates
        self._bonus = self.bonus[self._numbers]
        self._closed = self.closed[self._numbers].copy()
        self._bounds = np.empty(0, np.int64)
        self._start = 0
        self._scale = 1.0
        self.seconds: dict[str, float] = {}

    def resume(self, picks: Ints, gains: Ints) -> None:
        """Start with picks that an earlier run made."""
        self.picks, self.gains = picks, gains
        self._closed[np.searchsorted(self._numbers, picks)] = True

    def run(self, k: int) -> None:
        """Pick until there are k; workers that die are replaced, and the picks so far are replayed."""
        self.pool.retry(lambda: self._attempt(k))

    @property
    def scale(self) -> float:
        """Fixed-point units per unit of similarity."""
        return self._scale

    @property
    def d_start(self) -> int:
        """Coverage before the first pick, in fixed point."""
        return self._start

    @property
    def bounds(self) -> Ints:
        """(candidates,) upper bounds on the gains when the run ended."""
        return self._bounds

    def _attempt(self, k: int) -> None:
        pool, transport = self.pool, self.pool.transport
        self._start = sum(transport.all("begin", pool.range))
        self._scale = transport.all("scale")[0]
        if len(self.given):
            self._start += int(pool.commit(np.setdiff1d(self.given, pool.ignored)).sum())
        self._replay()
        if len(self.picks) >= k:
            return
        if self.fixed is not None:
            self._commit_fixed(self.fixed[len(self.picks) : k])
            return
        if self.empty and len(self.picks) == 0:
            self._first_pick()
        if len(self.picks) < k:
            if self.lists:
                with self._clock("listing"):
                    self._list_pairs()
                with self._clock("picking"):
                    self._pick_listed(k)
            else:
                self._bounds = self._evaluate(self._numbers)
                self._pick_lazily(k)

    @contextmanager
    def _clock(self, phase: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[phase] = self.seconds.get(phase, 0.0) + time.perf_counter() - start

    def _commit_fixed(self, rows: Ints) -> None:
        total = len(self.picks) + len(rows)
        for batch in self.pool.batches(rows, 512):
            self._found(np.searchsorted(self._numbers, batch), self.pool.commit(batch))
            self.tell("picking", len(self.picks) / total, len(self.picks))

    def _replay(self) -> None:
        if len(self.picks) == 0:
            return
        self.tell("replay", 0.0, 0)
        gains = self.pool.commit(self.picks)
        if not np.array_equal(gains, self.gains):
            raise ValueError("checkpoint: the picks in it gain otherwise here; the shards have changed")
        self.tell("replay", 1.0, len(self.picks))

    def _found(self, numbers: Ints, gains: Ints) -> None:
        """Keep new picks, by their number among the candidates."""
        rows = self._numbers[numbers]
        self._closed[numbers] = True
        self.picks = np.concatenate([self.picks, rows])
        self.gains = np.concatenate([self.gains, gains])
        self.on_picks(rows, gains)

    def _scores(self, gains: Ints) -> NDArray[np.float64]:
        return self.weight / self._scale * gains.astype(np.float64) + self._bonus

    # The first pick: nothing bounds anything yet.

    def _first_pick(self) -> None:
        if self.pool.facts[0].sums_rows:
            gains = self._first_gains()[self._numbers]
        else:
            gains = self._evaluate(self._numbers)
        best = best_of(self._scores(gains), self._closed)
        pick = self._numbers[[best.number]]
        self._found(np.array([best.number]), self.pool.commit(pick))

    def _first_gains(self) -> Ints:
        """Return the products of all rows with the sum of all rows, which goes from shard to shard."""
        transport = self.pool.transport
        total, rest = np.zeros(self.pool.d), np.zeros(self.pool.d)
        for worker in range(transport.count):
            call = transport.call(worker, "sum_rows", int(self.pool.starts[worker]), total, rest)
            total, rest = transport.get([call])[0]
        return np.concatenate(transport.all("first_gains", total + rest))

    # Without lists: candidates are evaluated when their bound comes to the top.

    def _evaluate(self, rows: Ints) -> Ints:
        """Return the gains of rows of the pool."""
        gains = [np.empty(0, np.int64)]
        for batch in self.pool.batches(rows):
            places, refs = self.pool.send(batch)
            order = np.concatenate(places)
            transport = self.pool.transport
            transport.traffic.rounds += 1
            parts = [transport.call(w, "gains_of", ref) for ref in refs for w in range(transport.count)]
            found = transport.get(parts)
            by_part = [
                sum_of(found[at : at + transport.count]) for at in range(0, len(found), transport.count)
            ]
            result = np.empty(len(batch), np.int64)
            result[order] = np.concatenate(by_part)
            gains.append(result)
            self.tell("first pass", sum(map(len, gains)) / len(rows), len(self.picks))
        return np.concatenate(gains)

    def _pick_lazily(self, k: int) -> None:
        fresh = np.ones(len(self._numbers), bool)  # the bound is the gain, just now
        while len(self.picks) < k:
            count = _LEAST
            while True:
                best = best_of(self._scores(self._bounds), self._closed)
                if best == NOBODY or fresh[best.number]:
                    break
                asked = self._top(count, stale=~fresh)
                self._bounds[asked] = self._evaluate(self._numbers[asked])
                fresh[asked] = True
                count = min(2 * count, _MOST)
            if best == NOBODY:
                return
            numbers = np.array([best.number])
            self._found(numbers, self.pool.commit(self._numbers[numbers]))
            fresh[:] = False
            self.tell("picking", len(self.picks) / k, len(self.picks))

    def _top(self, count: int, stale: NDArray[np.bool_] | None = None) -> Ints:
        """Return the open candidates with the best bounds, the smaller number on ties, ascending."""
        free = ~self._closed if stale is None else stale & ~self._closed
        where = np.flatnonzero(free)
        if len(where) > count:
            scores = self._scores(self._bounds)[where]
            last = -np.partition(-scores, count - 1)[count - 1]
            above = where[scores > last]
            where = np.sort(np.concatenate([above, where[scores == last][: count - len(above)]]))
        return where

    # With lists.

    def _list_pairs(self) -> None:
        """Have every worker list the pairs of its rows with all candidates, which travel in blocks."""
        pool, transport = self.pool, self.pool.transport
        whole = self.candidates is None
        self.tell("first pass", 0.0, len(self.picks))
        for_all = len(self._numbers)
        waiting = [
            transport.call(w, "open_lists", for_all, int(pool.starts[w]) if whole else -1, self.memory)
            for w in range(transport.count)
        ]
        total = for_all * (transport.count - int(whole))
        done = 0
        in_flight: list[list[Any]] = [waiting]
        for block in self._candidate_blocks():
            owner, first, count, ref = block
            others = [w for w in range(transport.count) if not (whole and w == owner)]
            in_flight.append([transport.call(w, "list_block", first, ref) for w in others])
            done += count * len(others)
            if len(in_flight) > _AHEAD * transport.count:
                transport.get(in_flight.pop(0))
                self.tell("first pass", done / max(1, total), len(self.picks))
        for calls in in_flight:
            transport.get(calls)
        self._bounds = sum_of(transport.all("start_lists"))

    def _candidate_blocks(self) -> Any:
        """Yield (owner, number of the first candidate, how many, rows) of blocks of candidates."""
        pool, transport = self.pool, self.pool.transport
        if self.candidates is None:
            for worker, start, stop in pool.blocks(self.block_rows):
                size = (stop - start) * pool.row_bytes
                first = int(pool.starts[worker]) + start
                yield (
                    worker,
                    first,
                    stop - start,
                    transport.call(worker, "block", start, stop, makes=size),
                )
            return
        edges = np.searchsorted(self.candidates, pool.starts)
        for worker in range(transport.count):
            for first in range(int(edges[worker]), int(edges[worker + 1]), self.block_rows):
                rows = self.candidates[first : min(int(edges[worker + 1]), first + self.block_rows)]
                local = rows - pool.starts[worker]
                ref = transport.call(worker, "take", local, makes=len(rows) * pool.row_bytes)
                yield worker, first, len(rows), ref

    def _pick_listed(self, k: int) -> None:
        ask, read = _LEAST, 4 * _LEAST
        unlisted = 1
        pending = np.empty(0, np.int64)  # picks that the workers do not know of yet
        expected = np.empty(0, np.int64)
        while len(self.picks) < k:
            asked = self._top(min(ask, 4 * (k - len(self.picks)) + _LEAST))
            if len(asked) == 0:
                return
            reading = np.setdiff1d(self._top(read), asked)
            answers = self._round(pending, asked, reading, bool(unlisted))
            self._check(answers, expected)
            unlisted = max(answer.unlisted for answer in answers)
            self._bounds[reading] = sum_of([answer.bounds for answer in answers])
            self._bounds[asked] = totals(answers, len(asked))
            pending, expected = certified_picks(
                answers,
                asked,
                self._bonus[asked],
                self.weight / self._scale,
                k - len(self.picks),
                self._rival(asked),
            )
            pairs = sum(len(answer.rises) for answer in answers)
            if len(pending):
                self._found(pending, expected)
                read = max(4 * _LEAST, read // 2)
            else:
                read = min(4 * read, len(self._numbers))
            if pairs > _PAIRS and len(pending):
                ask = max(_LEAST, ask // 2)
            elif len(pending) == 0 or (8 * len(pending) >= ask and 2 * pairs < _PAIRS):
                ask = min(2 * ask, _MOST)
            self.tell("picking", len(self.picks) / k, len(self.picks))
        answers = self._round(pending, np.empty(0, np.int64), np.empty(0, np.int64), bool(unlisted))
        self._check(answers, expected)
        self._bounds = sum_of(self.pool.transport.all("bounds"))

    def _round(self, commit: Ints, ask: Ints, read: Ints, rows: bool) -> list[Answer]:
        transport = self.pool.transport
        places: list[Ints] = []
        refs: list[Any] = []
        if rows:
            places, refs = self.pool.send(self._numbers[np.concatenate([commit, ask])])
        return transport.all("step", Request(commit, ask, read, places), *refs)

    def _rival(self, asked: Ints) -> Rival:
        outside = self._closed.copy()
        outside[asked] = True
        return best_of(self._scores(self._bounds), outside)

    @staticmethod
    def _check(answers: list[Answer], expected: Ints) -> None:
        """Raise RuntimeError if picks did not raise the coverage by what the driver expected."""
        got = sum_of([answer.increases for answer in answers])
        if not np.array_equal(got, expected):
            raise RuntimeError("the workers disagree with the driver on what picks add: a bug, or bad memory")
