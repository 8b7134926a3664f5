"""Progress of work that goes through rows: what callbacks receive, and a bar on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TextIO

from ..common.text import format_seconds

_SECONDS = 0.1
_LINE_SECONDS = 5.0
_WIDTH = 24


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


class RowTracker:
    """Turns counts into `RowProgress` a few times a second; also closes the bar it may have opened."""

    def __init__(
        self, progress: Any, phase: str, total: int | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Start the clock.

        progress: None or False for nothing, True for a bar on stderr, or a callable that takes a
        `RowProgress`.
        """
        if not (progress is None or isinstance(progress, bool) or callable(progress)):
            raise TypeError(f"progress: got {progress!r}, wanted True, False, None or a callable")
        self._bar = RowBar() if progress is True else None
        self._sink: Callable[[RowProgress], Any] | None = self._bar or (progress or None)
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


class RowBar:
    """A bar for `RowProgress`: one redrawn line on a terminal, a line every few seconds elsewhere."""

    def __init__(self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._tty = self._stream.isatty()
        self._clock = clock
        self._last = clock()
        self._drawn = 0

    def __call__(self, progress: RowProgress) -> None:
        """Draw `progress` if it is time to."""
        now = self._clock()
        if progress.phase != "done" and now - self._last < (0.0 if self._tty else _LINE_SECONDS):
            return
        self._last = now
        text = format_rows(progress, bar=self._tty)
        self._stream.write("\r" + text.ljust(self._drawn) if self._tty else text + "\n")
        self._drawn = len(text) if self._tty else 0
        self._stream.flush()

    def close(self) -> None:
        """End the line, so that what is printed next starts on its own."""
        if self._drawn:
            self._stream.write("\n")
            self._stream.flush()
            self._drawn = 0


def format_rows(progress: RowProgress, *, bar: bool = True) -> str:
    """Return one line of text for `progress`."""
    parts = [f"{progress.phase:>10}"]
    if progress.share is not None:
        parts[0] += f"  {progress.share:4.0%}"
        if bar:
            filled = int(progress.share * _WIDTH)
            parts.append("[" + "#" * filled + "-" * (_WIDTH - filled) + "]")
    total = "" if progress.total is None else f"/{progress.total:,}"
    parts += [f"{progress.rows:,}{total} rows", f"{progress.rate:,.0f}/s", format_seconds(progress.elapsed)]
    if progress.eta is not None and progress.phase != "done":
        parts.append(f"{format_seconds(progress.eta)} left")
    return "  ".join(parts)
