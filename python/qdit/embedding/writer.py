"""The rows of embeddings.npy as they are made, in POOL/embeddings.partial/ until all are there.

progress.json also says what is embedded with what, and the state to go on with.
"""

import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from ..common import files, partial
from ..common.identity import check_same
from ..common.lock import LOCK, Lock
from ..common.types import JSON, Array

ROWS, MANIFEST, PARTIAL = "embeddings.npy", "embeddings.json", "embeddings.partial"
REMEDY = "repeat the earlier call, or pass overwrite=True (--overwrite) to embed all rows again"


class Writer(partial.PartialRows):
    """An open unfinished embeddings.npy; use it as a context manager.

    Attributes:
        done: rows that are durable.
        window: first row of the last window; the rows before it are done, and those of it in its own order.
        state: JSON values that were given with the last of them, {} at the start.

    """

    format = "qdit-embeddings-progress"

    def __init__(self, pool: Path, identity: JSON, n: int, dtype: str, *, overwrite: bool = False) -> None:
        """Begin, or go on where an earlier run stopped.

        identity: JSON values, all that decides the rows. dtype: "float16" or "float32".

        Raises:
            OtherRunError: says what differs from the earlier run; not with `overwrite`, which drops it.
            RuntimeError: if another run holds the directory.

        """
        super().__init__(pool / PARTIAL, n, dtype)
        self._pool = pool
        self._identity = identity
        self.window = 0
        self.state: JSON = {}
        try:
            files.remove_leftovers(pool, (MANIFEST,))
            try:
                self._go_on()
            except ValueError:
                if not overwrite:
                    raise
                self._forget()
        except BaseException:
            self.close()
            raise

    def add(self, rows: Array, numbers: Sequence[int], window: int, state: JSON) -> None:
        """Store rows (m, d) and, with them, the state to go on with; both are durable on return.

        numbers: which rows they are. window: first row of theirs.
        """
        if self._file is None:
            self._create(rows.shape[1])
        if rows.shape[1] != self._dimension:
            raise RuntimeError(
                f"row {numbers[0]}: got a vector of {rows.shape[1]} dimensions, those before have "
                f"{self._dimension}; check the model"
            )
        order = np.argsort(numbers)
        self._write(rows[order], np.asarray(numbers)[order])
        where = {"n": self._n, "dimension": self._dimension, "offset": self._offset, "window": window}
        self._mark(self.done + len(rows), **where, identity=self._identity, state=state)
        self.window, self.state = window, state

    def finish(self, record: JSON) -> None:
        """Put the finished file and its manifest in place; "files" is added to the record."""
        self._publish(self._pool / MANIFEST, {partial.ROWS: self._pool / ROWS}, record)

    def _go_on(self) -> None:
        found = self._earlier()
        if found is None:
            return
        then = found.get("identity")
        if isinstance(then, dict) and "window" not in found:  # of a version without windows: other rounding
            then = {"window_rows": self._identity.get("window_rows"), **then}
        check_same(f"{self._folder} was made otherwise", then, self._identity, REMEDY)
        self._resume(self._pool / ROWS, int(found["done"]), int(found["dimension"]), int(found["offset"]))
        self.window, self.state = int(found.get("window", self.done)), found["state"]


def partial_rows(pool: Path) -> int:
    """Return how many rows an unfinished run has done, 0 if there is none."""
    marker = pool / PARTIAL / partial.PROGRESS
    return int(files.read_json(marker, Writer.format)["done"]) if marker.exists() else 0


def remove_finished(pool: Path) -> None:
    """Delete what is left of a run that was killed at its very end; one that has rows, or runs, stays."""
    path = pool / PARTIAL
    if not path.exists() or (path / partial.ROWS).exists():
        return
    with suppress(RuntimeError), Lock(path / LOCK, "using it"):  # a run has just begun
        shutil.rmtree(path)
