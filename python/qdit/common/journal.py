"""Values on disk as they come, by key, so that a run that was stopped goes on: nothing is paid for twice."""

import json
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Generic, TypeVar

from .appended import AppendedFile
from .closing import Closing
from .lock import Lock
from .types import JSON

_SYNC_SECONDS = 2.0

Value = TypeVar("Value")


class Journal(Closing, Generic[Value]):
    """An append-only JSONL file of values; use it as a context manager.

    A line is an object of the key, a hash of what was asked, and the fields that the value is read from.
    """

    def __init__(
        self,
        path: Path,
        read: Callable[[JSON], Value],
        *,
        doing: str | None = None,
        older: Iterable[Path] = (),
    ) -> None:
        """Open or create; a line cut off at the end is dropped.

        Args:
            path: of the file.
            read: returns the value of a line's fields; ValueError, KeyError, TypeError or AttributeError for
                a line that has none.
            doing: what a run does that holds the file, for the error; None for a file whose folder is held.
            older: files whose values count too, if they are there; they stay as they are.

        Raises:
            ValueError: names a damaged line.
            RuntimeError: if another run holds the file.

        """
        self.path = path
        self._value = read
        self._values: dict[str, Value] = {}
        self._lock = None if doing is None else Lock(path, doing)
        self._file = AppendedFile(path)
        try:
            for one in filter(Path.exists, older):
                self._read(one)
            self._file.cut(self._read(path))
        except BaseException:
            self.close()
            raise
        self._synced = time.monotonic()

    def close(self) -> None:
        """Make what was written durable, and let go of the file."""
        self._file.close()
        if self._lock is not None:
            self._lock.close()

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def __getitem__(self, key: str) -> Value:
        return self._values[key]

    def get(self, key: str) -> Value | None:
        """Return the value of a key, None without one."""
        return self._values.get(key)

    def write(self, fields: Iterable[tuple[str, JSON]]) -> None:
        """Keep values, each by its key and the fields it is read from, in one piece."""
        found = dict(fields)
        lines = [json.dumps({"key": key, **one}) + "\n" for key, one in found.items()]
        self._file.add("".join(lines).encode())
        self._values |= {key: self._value(one) for key, one in found.items()}
        if time.monotonic() - self._synced >= _SYNC_SECONDS:
            self._file.sync()
            self._synced = time.monotonic()

    def adopt(self, key: str, older: str) -> None:
        """Let the value of a key that an earlier version wrote be that of another key."""
        if older in self._values:
            self._values[key] = self._values[older]

    def forget(self, wrong: Callable[[Value], bool]) -> None:
        """Leave values out, so that they are asked for again; the file keeps them."""
        self._values = {key: value for key, value in self._values.items() if not wrong(value)}

    def _read(self, path: Path) -> int:
        """Read a file; return the size of its whole lines."""
        size = 0
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if not line.endswith(b"\n"):
                    break
                try:
                    fields = json.loads(line)
                    key = fields.pop("key")
                    self._values[key] = self._value(fields)
                except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
                    where = f"{path}, line {number} is damaged ({error})"
                    raise ValueError(f"{where}; delete that line to ask for it again") from error
                size += len(line)
        return size
