"""Exact greedy over shards: the picks, gains and ties of one process, to the last bit.

The gain of a candidate is the sum over shards of its gain over the rows of the shard, and every part is an
integer. The driver keeps one upper bound for every candidate, as lazy greedy does (Minoux 1978); a worker
keeps lists of the pairs that can still add something, with one row of its own in each, and from them an
upper bound on its part of every gain, as method "exact" does in one process.

A round is one message to every worker and one back: the picks since the last round, the candidates T with the
best bounds to be taken apart, and more candidates whose bounds are to be read. Then the driver picks within
T as long as that is certain. Rows of T travel only while a worker has rows whose pairs are not listed.

All workers together tell, for every c in T, the rows v that it would raise, and by how much. That is all
there is to know of T: what any further pick of T does to the others of T follows from it. So the driver goes
on within T, exactly, as long as the best of T is certainly the best of all: better than the upper bound of
every candidate outside T (bounds only fall, so those from before the round hold). Ties go to the smaller
number, as everywhere.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from .._core import pick_among
from ..common.types import Floats, Indices
from ..selection.picks import Outcome
from .messages import Answer, Request
from .pool import sum_of
from .session import Session
from .transport import Ref

_LEAST, _MOST = 16, 2048  # candidates to take apart in a round
_PAIRS = 400_000  # of a round: more cost more than another round
_AHEAD = 2  # blocks of each worker on their way
_BLOCK_ROWS = 8192
_NOBODY = -1  # where no candidate is open


class Greedy:
    """One exact greedy run over the shards of a session.

    Attributes:
        picks, gains: so far; gains in fixed point.
        scale: fixed-point units per unit of similarity.
        d_start: coverage before the first pick, in fixed point.
        bounds: (candidates,) upper bounds on the gains when the run ended.
        seconds: what each phase took.
        on_picks: told of new picks, with what each raised the coverage by.

    """

    def __init__(
        self,
        session: Session,
        *,
        lists: bool,
        candidates: Indices | None = None,
        fixed: Indices | None = None,
    ) -> None:
        """Prepare a run that has no picks yet.

        Args:
            session: workers and the problem.
            lists: keep pairs on the workers; otherwise gains are evaluated when they are asked for.
            candidates: rows to pick from, ascending; None for all.
            fixed: picks that are known before: only what they add is to be found.

        """
        self.picks = self.gains = self.bounds = np.empty(0, np.int64)
        self.scale, self.d_start = 1.0, 0
        self.seconds: dict[str, float] = {}
        self.on_picks: Callable[[Indices, Indices], None] = lambda picks, gains: None
        self._session, self._pool = session, session.pool
        self._lists, self._fixed = lists, fixed
        self._whole = candidates is None
        self._numbers = np.arange(session.pool.n) if candidates is None else candidates
        self._bonus = session.problem.bonus[self._numbers]
        self._closed = session.closed[self._numbers]
        self._weight = session.problem.weight(session.k)

    def resume(self, picks: Indices, gains: Indices) -> None:
        """Start with picks that an earlier run made."""
        self.picks, self.gains = picks, gains
        self._closed[np.searchsorted(self._numbers, picks)] = True

    def run(self) -> Outcome:
        """Pick until there are k; workers that die are replaced, and the picks so far are replayed."""
        self._pool.retry(lambda: self._attempt(self._session.k))
        bounds = self.bounds if len(self.bounds) == self._pool.n else None
        return Outcome(self.picks, self.gains, self.scale, self.d_start, bounds)

    def _attempt(self, k: int) -> None:
        pool, transport = self._pool, self._pool.transport
        self.d_start = sum(transport.all("begin", pool.range))
        self.scale = transport.all("scale")[0]
        if len(self._session.given):
            self.d_start += int(pool.commit(self._session.given).sum())
        self._replay()
        if len(self.picks) >= k:
            return
        if self._fixed is not None:
            self._commit_fixed(self._fixed[len(self.picks) : k])
            return
        if self._session.empty and len(self.picks) == 0:
            self._first_pick()
        if len(self.picks) < k:
            if self._lists:
                with self._clock("listing"):
                    self._list_pairs()
                with self._clock("picking"):
                    self._pick_listed(k)
            else:
                self.bounds = self._evaluate(self._numbers)
                self._pick_lazily(k)

    @contextmanager
    def _clock(self, phase: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[phase] = self.seconds.get(phase, 0.0) + time.perf_counter() - start

    def _commit_fixed(self, rows: Indices) -> None:
        total = len(self.picks) + len(rows)
        for batch in self._pool.batches(rows, 512):
            self._take(np.searchsorted(self._numbers, batch))
            self._session.tell("picking", len(self.picks) / total, len(self.picks))

    def _replay(self) -> None:
        if len(self.picks) == 0:
            return
        self._session.tell("replay", 0.0, 0)
        gains = self._pool.commit(self.picks)
        if not np.array_equal(gains, self.gains):
            raise ValueError("checkpoint: the picks in it gain otherwise here; the shards have changed")
        self._session.tell("replay", 1.0, len(self.picks))

    def _take(self, numbers: Indices) -> None:
        """Pick candidates by their number, one after the other."""
        self._found(numbers, self._pool.commit(self._numbers[numbers]))

    def _found(self, numbers: Indices, gains: Indices) -> None:
        """Keep new picks, by their number among the candidates."""
        rows = self._numbers[numbers]
        self._closed[numbers] = True
        self.picks = np.concatenate([self.picks, rows])
        self.gains = np.concatenate([self.gains, gains])
        self.on_picks(rows, gains)

    def _scores(self, gains: Indices) -> Floats:
        return self._weight / self.scale * gains.astype(np.float64) + self._bonus

    # The first pick: nothing bounds anything yet.

    def _first_pick(self) -> None:
        if self._pool.facts[0].sums_rows:
            gains = self._pool.first_gains()[self._numbers]
        else:
            gains = self._evaluate(self._numbers)
        self._take(np.array([self._best(gains, self._closed)[1]]))

    # Without lists: candidates are evaluated when their bound comes to the top.

    def _evaluate(self, rows: Indices) -> Indices:
        """Return the gains of rows of the pool."""
        return self._pool.gains(rows, lambda share: self._session.tell("first pass", share, len(self.picks)))

    def _pick_lazily(self, k: int) -> None:
        fresh = np.ones(len(self._numbers), bool)  # the bound is the gain, just now
        while len(self.picks) < k:
            count = _LEAST
            _, best = self._best(self.bounds, self._closed)
            while best != _NOBODY and not fresh[best]:
                asked = self._top(count, stale=~fresh)
                self.bounds[asked] = self._evaluate(self._numbers[asked])
                fresh[asked] = True
                count = min(2 * count, _MOST)
                _, best = self._best(self.bounds, self._closed)
            if best == _NOBODY:
                return
            self._take(np.array([best]))
            fresh[:] = False
            self._session.tell("picking", len(self.picks) / k, len(self.picks))

    def _top(self, count: int, stale: NDArray[np.bool_] | None = None) -> Indices:
        """Return the open candidates with the best bounds, the smaller number on ties, ascending."""
        free = ~self._closed if stale is None else stale & ~self._closed
        where = np.flatnonzero(free)
        if len(where) > count:
            scores = self._scores(self.bounds)[where]
            last = -np.partition(-scores, count - 1)[count - 1]
            above = where[scores > last]
            where = np.sort(np.concatenate([above, where[scores == last][: count - len(above)]]))
        return where

    # With lists.

    def _list_pairs(self) -> None:
        """Have every worker list the pairs of its rows with all candidates, which travel in blocks."""
        pool, transport = self._pool, self._pool.transport
        self._session.tell("first pass", 0.0, len(self.picks))
        count, memory = len(self._numbers), self._session.memory
        firsts = pool.starts[:-1].tolist() if self._whole else [-1] * transport.count
        waiting = [transport.call(w, "open_lists", count, first, memory) for w, first in enumerate(firsts)]
        total = count * (transport.count - int(self._whole))
        done = 0
        in_flight: list[list[Ref]] = [waiting]
        for owner, first, size, ref in self._candidate_blocks():
            others = [w for w in range(transport.count) if not (self._whole and w == owner)]
            in_flight.append([transport.call(w, "list_block", first, ref) for w in others])
            done += size * len(others)
            if len(in_flight) > _AHEAD * transport.count:
                transport.get(in_flight.pop(0))
                self._session.tell("first pass", done / max(1, total), len(self.picks))
        for calls in in_flight:
            transport.get(calls)
        self.bounds = sum_of(transport.all("start_lists"))

    def _candidate_blocks(self) -> Iterator[tuple[int, int, int, Ref]]:
        """Yield (owner, number of the first candidate, how many, rows) of blocks of candidates."""
        pool, transport = self._pool, self._pool.transport
        if self._whole:
            for worker, start, stop in pool.blocks(_BLOCK_ROWS):
                size = (stop - start) * pool.row_bytes
                ref = transport.call(worker, "block", start, stop, makes=size)
                yield worker, int(pool.starts[worker]) + start, stop - start, ref
            return
        edges = np.searchsorted(self._numbers, pool.starts)
        for worker in range(transport.count):
            for first in range(int(edges[worker]), int(edges[worker + 1]), _BLOCK_ROWS):
                rows = self._numbers[first : min(int(edges[worker + 1]), first + _BLOCK_ROWS)]
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
            self.bounds[reading] = sum_of([answer.bounds for answer in answers])
            self.bounds[asked] = totals(answers, len(asked))
            pending, expected = self._certain(answers, asked, k - len(self.picks))
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
            self._session.tell("picking", len(self.picks) / k, len(self.picks))
        answers = self._round(pending, np.empty(0, np.int64), np.empty(0, np.int64), bool(unlisted))
        self._check(answers, expected)
        self.bounds = sum_of(self._pool.transport.all("bounds"))

    def _round(self, commit: Indices, ask: Indices, read: Indices, rows: bool) -> list[Answer]:
        transport = self._pool.transport
        places: list[Indices] = []
        refs: list[Ref] = []
        if rows:
            places, refs = self._pool.send(self._numbers[np.concatenate([commit, ask])])
        return transport.all("step", Request(commit, ask, read, places), *refs)

    def _certain(self, answers: Sequence[Answer], asked: Indices, most: int) -> tuple[Indices, Indices]:
        """Return the next picks among the candidates `asked`, as far as they are certain, and their gains."""
        others = self._closed.copy()
        others[asked] = True
        score, rival = self._best(self.bounds, others)
        picks, gains = pick_among(
            [(answer.offsets, answer.rows, answer.rises) for answer in answers],
            asked,
            self._bonus[asked],
            weight=self._weight / self.scale,
            most=most,
            rival_score=score,
            rival=rival,
        )
        return asked[picks], gains

    def _best(self, gains: Indices, closed: NDArray[np.bool_]) -> tuple[float, int]:
        """Return the best score of an open candidate, and its number: the smaller one on ties."""
        scores = np.where(closed, -np.inf, self._scores(gains))
        number = int(np.argmax(scores))
        return (-np.inf, _NOBODY) if closed[number] else (float(scores[number]), number)

    @staticmethod
    def _check(answers: list[Answer], expected: Indices) -> None:
        """Raise RuntimeError if picks did not raise the coverage by what the driver expected."""
        got = sum_of([answer.increases for answer in answers])
        if not np.array_equal(got, expected):
            raise RuntimeError("the workers disagree with the driver on what picks add: a bug, or bad memory")


def totals(answers: Sequence[Answer], count: int) -> Indices:
    """Return the exact gains of the candidates that were taken apart."""
    gains = np.zeros(count, np.int64)
    for answer in answers:
        filled = np.flatnonzero(np.diff(answer.offsets))
        if len(filled):
            gains[filled] += np.add.reduceat(answer.rises.astype(np.int64), answer.offsets[filled])
    return gains
