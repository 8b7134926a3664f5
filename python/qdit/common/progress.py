"""Progress of a run: what callbacks receive, of picks or of rows, and a bar on stderr."""

import math
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass
from typing import Any, TextIO

from .closing import Closing
from .text import format_seconds

_WINDOW_SECONDS = 4.0
_SECONDS = 0.1  # between two moments that a `RowTracker` tells
_LINE_SECONDS = 5.0
_REDRAW_SECONDS = 0.1
_WIDTH = 24


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
            "picking" or "done".
        share: of the present phase that is done, 0 to 1.

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
        while len(self._recent) > 2 and now - self._recent[1][0] >= _WINDOW_SECONDS:
            self._recent.popleft()
        then, before = self._recent[0]
        rate = (picks - before) / (now - then) if now > then else 0.0
        eta = self._eta(picks, rate) if rate > 0 and phase in ("picking", "done") else None
        self.sink(
            Progress(picks, self.k, evaluations, self.n, now - self._start, rate, eta, phase, min(1.0, share))
        )

    def end(self, picks: int) -> None:
        """Tell the sink that the run is over with fewer picks than were expected."""
        self.k = picks
        self.update(picks, self._evaluations)

    def _eta(self, picks: int, rate: float) -> float:
        if self.accelerating and picks > 0:
            # lazy picks get cheaper about as 1 / t: the rate grows with the number of picks made
            return picks / rate * math.log(self.k / picks)
        return (self.k - picks) / rate

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
        self._phase = ""
        self.picks = 0
        self.seconds: dict[str, float] = {}

    def enter(self, phase: str) -> None:
        """End the phase before and begin this one."""
        now = time.monotonic()
        if self._phase:
            name = f"seconds_{self._phase}"
            self.seconds[name] = self.seconds.get(name, 0.0) + now - self._began
        self._phase, self._began = phase, now
        self.tick(float(phase == "done"))

    def tick(self, share: float) -> None:
        """Tell what share of the phase is done."""
        if self._sink is None:
            return
        elapsed = time.monotonic() - self._start
        self._sink(
            Progress(self.picks, self._k, 0, self._n, elapsed, 0.0, None, self._phase, min(1.0, share))
        )


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


class Bar:
    """A progress bar: one redrawn line on a terminal, a line every few seconds elsewhere."""

    def __init__(
        self,
        format: Callable[[Any, bool], str],
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """format: returns the line of a moment, with or without the drawn bar."""
        self._format = format
        self._stream = sys.stderr if stream is None else stream  # None in a process without one
        try:
            self._tty = bool(getattr(self._stream, "isatty", bool)())
        except ValueError:  # it is closed
            self._stream, self._tty = None, False
        self._clock = clock
        self._last = clock() if not self._tty else float("-inf")
        self._drawn = 0

    def __call__(self, progress: Progress | RowProgress) -> None:
        """Draw `progress` if it is time to."""
        now = self._clock()
        wait = _REDRAW_SECONDS if self._tty else _LINE_SECONDS
        if progress.phase != "done" and now - self._last < wait:
            return
        self._last = now
        text = self._format(progress, self._tty)
        if self._tty:
            self._write("\r" + text.ljust(self._drawn))
            self._drawn = len(text)
        else:
            self._write(text + "\n")

    def close(self) -> None:
        """End the line, so that what is printed next starts on its own."""
        if self._drawn:
            self._write("\n")
            self._drawn = 0

    def _write(self, text: str) -> None:
        if self._stream is None:
            return
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):  # nobody reads it any more: no reason to end the run
            self._stream = None


def format_progress(progress: Progress, bar: bool = True) -> str:
    """Return one line of text for picks."""
    parts = [f"{progress.phase:>10}  {progress.share:4.0%}"]
    if bar:
        parts.append(_drawing(progress.share))
    parts.append(f"{progress.picks:,}/{progress.k:,} picks")
    if progress.phase == "picking" and progress.rate > 0:
        parts.append(f"{progress.rate:,.0f}/s" if progress.rate >= 10 else f"{progress.rate:.1f}/s")
    parts.append(format_seconds(progress.elapsed))
    if progress.phase == "picking" and progress.eta is not None:
        parts.append(f"{format_seconds(progress.eta)} left")
    return "  ".join(parts)


def format_rows(progress: RowProgress, bar: bool = True) -> str:
    """Return one line of text for rows."""
    parts = [f"{progress.phase:>10}"]
    if progress.share is not None:
        parts[0] += f"  {progress.share:4.0%}"
        if bar:
            parts.append(_drawing(progress.share))
    total = "" if progress.total is None else f"/{progress.total:,}"
    parts += [f"{progress.rows:,}{total} rows", f"{progress.rate:,.0f}/s", format_seconds(progress.elapsed)]
    if progress.eta is not None and progress.phase != "done":
        parts.append(f"{format_seconds(progress.eta)} left")
    return "  ".join(parts)


def _drawing(share: float) -> str:
    filled = int(share * _WIDTH)
    return "[" + "#" * filled + "-" * (_WIDTH - filled) + "]"


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
