"""Progress of a run: what callbacks receive, of picks or of rows, and a bar on stderr."""

import math
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass
from typing import Any

from .bar import Bar, format_rate, format_share
from .closing import Closing
from .text import format_seconds

_WINDOW_SECONDS = 4.0
_SECONDS = 0.1  # between two moments that a `RowTracker` tells
_FEW = 10  # picks that a pace is told from
_OF_PICKS = ("replay", "picking", "done")  # phases that count picks


@dataclass(frozen=True)
class Progress:
    """A moment of a run.

    Attributes:
        picks: rows picked so far, of `k`.
        k: rows to pick.
        evaluations: marginal gains computed so far.
        n: rows in the pool.
        elapsed: seconds since the start.
        rate: picks per second over the last seconds; 0.0 while unknown.
        eta: estimated seconds to the end, or None while unknown.
        phase: "first pass" (every row is evaluated once), "replay" (picks of a checkpoint are added again),
            "picking" or "done"; other names of other work, such as "pairs" of a graph.
        share: of the present phase that is done, 0 to 1.
        done, total: what is done of the present phase where it is not picks that count, and of how many; 0
            where only the share is known.
        unit: what these are, such as "rows".
        at_most: picks get faster as the run goes on, so it takes no longer than eta.

    """

    picks: int
    k: int
    evaluations: int
    n: int
    elapsed: float
    rate: float
    eta: float | None
    phase: str
    share: float
    done: int = 0
    total: int = 0
    unit: str = "rows"
    at_most: bool = False


@dataclass(frozen=True)
class RowProgress:
    """A moment of work on rows.

    Attributes:
        phase: what is being done, such as "import"; "done" at the end.
        rows: rows done.
        total: rows in all, or None while unknown.
        share: of the work that is done, 0 to 1, or None while unknown.
        elapsed: seconds since the start.
        rate: rows per second on average; 0.0 while unknown.
        eta: estimated seconds to the end, or None while unknown.

    """

    phase: str
    rows: int
    total: int | None
    share: float | None
    elapsed: float
    rate: float
    eta: float | None


Sink = Callable[[Progress], Any]  # whoever wants to know
RowSink = Callable[[RowProgress], Any]
ProgressLike = bool | Sink | None  # True for a bar on stderr, False or None for nothing
RowProgressLike = bool | RowSink | None
AnyProgressLike = bool | Callable[[Any], Any] | None  # of work on rows and on picks


@dataclass
class Tracker:
    """Turns counts into `Progress` and hands it to a sink; the clock starts when it is made.

    Attributes:
        sink: what is told, None for nothing.
        k: rows to pick.
        n: rows in the pool.
        replay: the first picks that are only added again.
        first_pass: the method evaluates every row before it can pick fast, so that is a phase of its own.
        accelerating: picks get faster as the run goes on.
        clock: returns seconds.

    """

    sink: Sink | None
    k: int
    n: int
    _: KW_ONLY
    replay: int = 0
    first_pass: bool = False
    accelerating: bool = False
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self._start = self.clock()
        self._recent: deque[tuple[float, int]] = deque([(self._start, 0)])
        self._picks = self._evaluations = 0
        self._base = 0  # evaluations when the pick count last changed
        self._last_phase = ""

    def update(self, picks: int, evaluations: int) -> None:
        """Tell the sink that `picks` rows are picked after `evaluations` evaluations."""
        if self.sink is None:
            return
        now = self.clock()
        self._evaluations = evaluations
        if picks != self._picks:
            self._picks, self._base = picks, evaluations
        phase, share = self._phase(picks, evaluations)
        if phase not in (self._last_phase, "done"):  # the pace of one phase says nothing about the next
            self._recent = deque([self._recent[-1]])
            self._last_phase = phase
        self._recent.append((now, picks))
        while len(self._recent) > 2 and self._is_old(*self._recent[1]):
            self._recent.popleft()
        then, before = self._recent[0]
        rate = (picks - before) / (now - then) if now > then else 0.0
        eta = self._eta(picks, rate) if rate > 0 and phase in ("picking", "done") else None
        done, total = (min(evaluations - self._base, self.n), self.n) if phase == "first pass" else (0, 0)
        moment = (picks, self.k, evaluations, self.n, now - self._start, rate, eta, phase, min(1.0, share))
        self.sink(Progress(*moment, done, total, at_most=self.accelerating))

    def end(self, picks: int) -> None:
        """Tell the sink that the run is over with fewer picks than were expected."""
        self.k = picks
        self.update(picks, self._evaluations)

    def _is_old(self, then: float, picks: int) -> bool:
        return self.clock() - then >= _WINDOW_SECONDS and self._picks - picks >= _FEW

    def _eta(self, picks: int, rate: float) -> float | None:
        if not self.accelerating:
            return (self.k - picks) / rate
        # picks get cheaper at least as 1 / t: the rate grows with the number of picks made; not so the first
        return picks / rate * math.log(self.k / picks) if picks >= min(_FEW, self.k) else None

    def _phase(self, picks: int, evaluations: int) -> tuple[str, float]:
        if picks >= self.k:
            return "done", 1.0
        if picks < self.replay:
            return "replay", picks / self.replay
        # the first pick is cheap (a closed form), so the pass that counts comes before or after it
        if self.first_pass and picks <= max(1, self.replay):
            return "first pass", (evaluations - self._base) / self.n
        return "picking", picks / self.k


class Phases:
    """Tells a sink which phase runs and what share of it is done; sums up the seconds of each."""

    def __init__(self, sink: Sink | None, n: int, k: int = 0) -> None:
        self._sink = sink
        self._n = n
        self._k = k
        self._start = time.monotonic()
        self._began = self._start
        self._phase, self._total, self._unit = "", 0, ""
        self.picks = 0
        self.seconds: dict[str, float] = {}

    def enter(self, phase: str, total: int = 0, unit: str = "rows") -> None:
        """End the phase before and begin this one.

        total, unit: how many of what it is done with, 0 where nothing is counted.
        """
        now = time.monotonic()
        if self._phase:
            name = f"seconds_{self._phase}"
            self.seconds[name] = self.seconds.get(name, 0.0) + now - self._began
        self._phase, self._began, self._total, self._unit = phase, now, total, unit
        self.tick(float(phase == "done"))

    def tick(self, share: float) -> None:
        """Tell what share of the phase is done."""
        if self._sink is None:
            return
        elapsed, share = time.monotonic() - self._start, min(1.0, share)
        moment = (self.picks, self._k, 0, self._n, elapsed, 0.0, None, self._phase, share)
        self._sink(Progress(*moment, round(share * self._total), self._total, self._unit))


class RowTracker(Closing):
    """Turns counts into `RowProgress` a few times a second; also closes the bar it may have opened."""

    def __init__(
        self,
        progress: RowProgressLike,
        phase: str,
        total: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start the clock.

        progress: None or False for nothing, True for a bar on stderr, or a callable that takes a
        `RowProgress`.
        """
        self._sink, self._bar = _open(progress, format_rows, RowProgress)
        self._phase = phase
        self._total = total
        self._clock = clock
        self._start = self._last = clock()

    def update(self, rows: int, share: float | None = None) -> None:
        """Tell of `rows` rows done; `share` of the work where the number of rows to come is unknown."""
        now = self._clock()
        if self._sink is not None and now - self._last >= _SECONDS:
            self._last = now
            self._tell(self._phase, rows, now, rows / self._total if self._total and share is None else share)

    def after(self, before: int) -> Callable[[int], None]:
        """Return what is to be told how many rows are done beyond the first `before`."""
        return lambda rows: self.update(before + rows)

    def done(self, rows: int) -> None:
        """Tell of the end."""
        if self._sink is not None:
            self._tell("done", rows, self._clock(), 1.0)
        self.close()

    def close(self) -> None:
        """End the line of the bar."""
        if self._bar is not None:
            self._bar.close()

    def _tell(self, phase: str, rows: int, now: float, share: float | None) -> None:
        assert self._sink is not None
        elapsed = now - self._start
        eta = elapsed * (1 - share) / share if share else None
        rate = rows / elapsed if elapsed > 0 else 0.0
        total = rows if phase == "done" else self._total
        self._sink(RowProgress(phase, rows, total, share, elapsed, rate, eta))


def format_progress(progress: Progress, bar: bool = True) -> str:
    """Return one line of text for picks."""
    parts = format_share(progress.phase, progress.share, bar)
    if progress.total:
        parts.append(f"{progress.done:,}/{progress.total:,} {progress.unit}")
    elif progress.phase in _OF_PICKS and progress.k:
        parts.append(f"{progress.picks:,}/{progress.k:,} picks")
    if progress.phase == "picking":
        parts += format_rate(progress.rate, "pick")
    parts.append(format_seconds(progress.elapsed))
    if progress.phase == "picking" and progress.eta is not None:
        parts.append(f"{'at most ' if progress.at_most else ''}{format_seconds(progress.eta)} left")
    return "  ".join(parts)


def format_rows(progress: RowProgress, bar: bool = True) -> str:
    """Return one line of text for rows."""
    parts = format_share(progress.phase, progress.share, bar)
    total = "" if progress.total is None else f"/{progress.total:,}"
    parts += [f"{progress.rows:,}{total} rows", *format_rate(progress.rate, "row")]
    parts.append(format_seconds(progress.elapsed))
    if progress.eta is not None and progress.phase != "done":
        parts.append(f"{format_seconds(progress.eta)} left")
    return "  ".join(parts)


@contextmanager
def open_sink(progress: ProgressLike) -> Iterator[Sink | None]:
    """Yield the sink that `progress` asks for, if any; a bar that it may open is closed at the end.

    progress: None or False for nothing, True for a bar on stderr, or a callable that takes a `Progress`.
    """
    sink, bar = _open(progress, format_progress, Progress)
    try:
        yield sink
    finally:
        if bar is not None:
            bar.close()


def _open(
    progress: Any, format: Callable[[Any, bool], str], kind: type
) -> tuple[Callable[[Any], Any] | None, Bar | None]:
    if progress is None or progress is False:
        return None, None
    if progress is True:
        bar = Bar(format)
        return bar, bar
    if callable(progress):
        return progress, None
    raise TypeError(
        f"progress: got {progress!r}, wanted True, False, None or a callable that takes a {kind.__name__}"
    )


@contextmanager
def open_phases(progress: ProgressLike, n: int, k: int) -> Iterator[Phases]:
    """Yield phases, about n rows and k picks that are made already, for what `progress` asks for."""
    with open_sink(progress) as sink:
        phases = Phases(sink, n, k)
        phases.picks = k
        yield phases
        phases.enter("done")
