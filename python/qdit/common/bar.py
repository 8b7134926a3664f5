"""A line on stderr that says how far a run is, and what such lines are made of."""

import sys
import time
from collections.abc import Callable
from typing import Any, TextIO

_LINE_SECONDS = 5.0
_REDRAW_SECONDS = 0.1
_WIDTH = 24


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

    def __call__(self, progress: Any) -> None:
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


def format_share(phase: str, share: float | None, bar: bool) -> list[str]:
    """Return the name of a phase with the share of it that is done, and its drawing."""
    if share is None:
        return [f"{phase:>10}"]
    filled = int(share * _WIDTH)
    drawn = ["[" + "#" * filled + "-" * (_WIDTH - filled) + "]"] if bar else []
    return [f"{phase:>10}  {share:4.0%}", *drawn]


def format_rate(rate: float, unit: str) -> list[str]:
    """Return how many are done in a second, or how many seconds one takes; nothing while that is unknown."""
    if rate <= 0:
        return []
    if rate < 1:
        return [f"{1 / rate:,.1f} s/{unit}"]
    return [f"{rate:,.0f}/s" if rate >= 10 else f"{rate:.1f}/s"]
