"""One run at a time: a file or a directory that a run holds while it is at work."""

import fcntl
import os
from pathlib import Path

from .closing import Closing

LOCK = "lock"  # name of the file that holds the directory around it


class Lock(Closing):
    """A held file or directory; use it as a context manager, or close it. A killed run lets go of it."""

    def __init__(
        self, path: Path, doing: str, *, name: str | None = None, remedy: str = "wait for it to end"
    ) -> None:
        """Take it, or raise RuntimeError if another run has it.

        Args:
            path: a directory that is there, which is held itself; or a file, which is made with its folder.
            doing: what the other run is doing, for the error.
            name: of what is held, for the error; None for the path, without the name LOCK.
            remedy: what to do then, for the error.

        """
        self._handle: int | None = None
        if path.is_dir():
            handle = os.open(path, os.O_RDONLY)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(handle)
            if not isinstance(error, BlockingIOError):
                raise
            held = name or (path.parent if path.name == LOCK else path)
            raise RuntimeError(f"{held}: another run is {doing}; {remedy}") from None
        self._handle = handle

    def close(self) -> None:
        """Let go of it. Safe to call twice."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
