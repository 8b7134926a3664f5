"""NAME.npy as it is made, block by block, in .NAME.npy.partial/ beside it.

There is also ids.jsonl, an id a line; progress.json also says how many of its bytes are done, what is being
converted, and the bad rows so far. At the end the ids move beside NAME.npy as NAME.ids.jsonl, and NAME.json
is the manifest.
"""

import io
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..common import files
from ..common.identity import as_read
from ..common.partial import FORMAT_VERSION, ROWS, PartialRows
from ..common.types import JSON, Array

_IDS = "ids.jsonl"


def ids_path(out: Path) -> Path:
    """Return where the ids of a file of vectors are kept."""
    return out.with_suffix(".ids.jsonl")


def manifest_path(out: Path) -> Path:
    """Return where a file of vectors is described."""
    return out.with_suffix(".json")


class PartialFile(PartialRows):
    """An open unfinished file; use it as a context manager.

    Attributes:
        done: rows that are durable.
        bad: what was noted of them.

    """

    format = "qdit-vectors-progress"

    def __init__(
        self, out: Path, identity: JSON | None, shape: tuple[int, int], dtype: str, *, ids: bool
    ) -> None:
        """Begin, or go on where an earlier run of the same identity stopped; None always begins.

        Raises:
            RuntimeError: if another run is at work on the same file.
            OSError: if the disk is too full.

        """
        super().__init__(out.with_name(f".{out.name}.partial"), shape[0], dtype)
        self._out = out
        self._identity = as_read(identity)
        self._ids: io.BufferedRandom | None = None
        self._ids_bytes, self.bad = 0, list[JSON]()
        self._with_ids = ids
        try:
            if not self._go_on(shape[1]):
                self._begin(shape[1])
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the files. Safe to call twice."""
        if self._ids is not None:
            self._ids.close()
        super().close()

    def append(self, rows: Array, ids: Sequence[Any] | None, bad: list[JSON]) -> None:
        """Store the next rows with their ids and what is wrong with them; durable on return."""
        self._write(rows)
        if self._ids is not None:
            assert ids is not None
            lines = "".join(files.to_json(id, default=str) + "\n" for id in ids)
            with files.writing(self._folder / _IDS):
                self._ids.seek(self._ids_bytes)
                self._ids_bytes += self._ids.write(lines.encode())
                files.sync(self._ids)
        self.bad += bad
        own = {"ids_bytes": self._ids_bytes, "bad": self.bad, "identity": self._identity}
        self._mark(self.done + len(rows), **own)

    def discard(self) -> None:
        """Delete what was made."""
        self.close()
        shutil.rmtree(self._folder)

    def finish(self, record: JSON) -> None:
        """Put the finished files and their manifest in place; "files" is added to the record."""
        moves = {ROWS: self._out}
        if self._with_ids:
            moves[_IDS] = ids_path(self._out)
        else:
            ids_path(self._out).unlink(missing_ok=True)
        if self._ids is not None:
            self._ids.close()
        self._publish(manifest_path(self._out), moves, record)

    def _go_on(self, dimension: int) -> bool:
        """Take up an earlier run; return whether there is one to take up."""
        found = None if self._identity is None else self._earlier()
        if found is None or found.get("identity") != self._identity:
            return False
        self._ids_bytes, self.bad = int(found["ids_bytes"]), list(found["bad"])
        ids = self._folder / _IDS
        if found.get("format_version") != FORMAT_VERSION or (
            ids.exists() and ids.stat().st_size < self._ids_bytes
        ):
            return False
        try:
            self._resume(self._out, int(found["done"]), dimension)
        except ValueError:
            return False
        if self._file is not None and ids.exists():
            self._ids = ids.open("r+b")
        return True

    def _begin(self, dimension: int) -> None:
        self._forget()
        (self._folder / _IDS).unlink(missing_ok=True)
        self._ids_bytes, self.bad = 0, []
        self._create(dimension)
        self._ids = (self._folder / _IDS).open("w+b") if self._with_ids else None
