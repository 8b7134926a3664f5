"""lock."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def locked(folder: Path, doing: str = "scoring this pool") -> Iterator[None]:
    """Make the folder, and hold it while the block runs; RuntimeError if another run does."""
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise RuntimeError(f"{folder}: another run is {doing}; wait for it to end") from None
    finally:
        os.close(handle)


def acquire(path: Path) -> int:
    """Lock a directory for this run; return the handle to close. RuntimeError if another run has it."""
    handle = os.open(path / "lock", os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise RuntimeError(
            f"checkpoint {path}: another run is using it; wait for it to end, or pass another directory"
        ) from None
    except OSError:
        os.close(handle)
        raise
    return handle
