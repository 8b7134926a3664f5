"""A file that is only added to: what is added is there whole, or not at all."""

import os
from pathlib import Path

from . import files
from .closing import Closing


class AppendedFile(Closing):
    """An open file; use it as a context manager, or close it. Its errors name it.

    Attributes:
        path: of the file.

    """

    def __init__(self, path: Path) -> None:
        """Open or create."""
        self.path = path
        self._handle: int | None = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)

    def close(self) -> None:
        """Make it durable and close it. Safe to call twice."""
        if self._handle is not None:
            handle, self._handle = self._handle, None
            try:
                with files.writing(self.path):
                    os.fsync(handle)
            finally:
                os.close(handle)

    def add(self, content: bytes | memoryview) -> None:
        """Write to the end; if that fails, the file is as it was."""
        size = os.fstat(self._open).st_size
        rest = memoryview(content)
        try:
            with files.writing(self.path):
                while rest:
                    rest = rest[os.write(self._open, rest) :]
        except BaseException:
            self.cut(size)
            raise

    def cut(self, size: int) -> None:
        """Leave the first `size` bytes."""
        os.ftruncate(self._open, size)

    def sync(self) -> None:
        """Make it durable."""
        with files.writing(self.path):
            os.fsync(self._open)

    @property
    def _open(self) -> int:
        assert self._handle is not None
        return self._handle
