"""Checkpoints: what a run needs to go on after it was killed, and to end with the same picks.

A directory with
    header.json   what is being run: hashes of the inputs and every option that decides a pick
    picks.bin     append-only journal of picks, each with a check word
    bounds.bin    now and then, the upper bounds on all gains: saves work, changes nothing
    result/       the finished `Selection`
    lock          held while a run uses the directory
Each file is of use only once the ones above it are durable, so a kill at any moment leaves a state to go on
from.
"""

from __future__ import annotations

import hashlib
import os
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ..common import files
from ..common.appended import AppendedFile
from ..common.closing import Closing
from ..common.identity import check_same
from ..common.lock import LOCK, Lock
from ..common.types import JSON, Indices, StrPath
from ..engine.shuffle import splitmix64
from .selection import MANIFEST, Selection

FORMAT = "qdit-checkpoint"
FORMAT_VERSION = 1
_RECORD = 3  # int64 words: row index, fixed-point gain, check
_BOUNDS_MAGIC = int.from_bytes(b"QDITBND1", "little")
_SNAPSHOT_SECONDS = 10.0
_SNAPSHOT_SHARE = 50  # at least this many times a snapshot's own cost between two: under 2% of the run
_SYNC_SECONDS = 1.0


@contextmanager
def resumable(directory: StrPath | None) -> Iterator[None]:
    """Tell whoever interrupts what is inside how it goes on; directory: of its checkpoint, None for none."""
    try:
        yield
    except KeyboardInterrupt as interrupt:
        interrupt.add_note(
            "nothing was kept; with a checkpoint directory the run could go on"
            if directory is None
            else f"repeat the call to go on from the checkpoint {os.fspath(directory)}"
        )
        raise


class Checkpoint(Closing):
    """An open checkpoint directory; use it as a context manager.

    Attributes:
        indices, gains: the picks of the journal, int64; gains in the engine's fixed point.
        bounds: (n,) int64 bounds to hand to the engine, or None.

    """

    def __init__(
        self,
        directory: StrPath,
        identity: Mapping[str, Any],
        n: int,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Create the directory, or resume from it.

        identity: JSON values, all that decides the picks. ValueError says what differs from the earlier run;
        RuntimeError if another run holds the directory.
        """
        self.path = Path(directory)
        self._clock = clock
        self._n = n
        self._journal: AppendedFile | None = None
        self.path.mkdir(parents=True, exist_ok=True)
        remedy = "wait for it to end, or pass another directory"
        self._lock: Lock | None = None
        self._unwritable: OSError | None = None
        try:
            self._lock = Lock(self.path / LOCK, "using it", name=f"checkpoint {self.path}", remedy=remedy)
        except OSError as error:
            if not self._is_finished():
                raise
            self._unwritable = error  # a result can be read from where nothing can be written
        try:
            files.remove_leftovers(self.path, ("header.json", "bounds.bin"))
            self._identity = dict(identity)
            self._key = self._match(self._identity)
            self.indices, self.gains = self._read_journal()
            self.bounds = self._read_bounds()
        except BaseException:
            self.close()
            raise
        self._count = len(self.indices)
        self._synced = clock()
        self._next_snapshot = clock() + _SNAPSHOT_SECONDS

    def close(self) -> None:
        """Make the journal durable and let go of the directory. Safe to call twice."""
        if self._journal is not None:
            self._journal.close()
        if self._lock is not None:
            self._lock.close()

    def append(self, indices: Indices, gains: Indices, position: int) -> None:
        """Journal picks, the first of which is pick number `position` of the run.

        Picks that are in the journal already are checked against it: ValueError if they differ.
        """
        known = min(len(indices), max(0, self._count - position))
        self._check_replayed(indices[:known], gains[:known], position)
        if known == len(indices):
            return
        records = encode_picks(indices[known:], gains[known:], self._count, self._key)
        self.indices = np.concatenate([self.indices, indices[known:]])
        self.gains = np.concatenate([self.gains, gains[known:]])
        self._count = len(self.indices)
        journal = self._open_journal()
        journal.add(records.tobytes())
        if self._clock() - self._synced >= _SYNC_SECONDS:
            journal.sync()
            self._synced = self._clock()

    def snapshot(self, bounds: Indices, *, force: bool = False) -> bool:
        """Save the bounds if it is time to; they must hold for all picks appended so far."""
        start = self._clock()
        if start < self._next_snapshot and not force:
            return False
        if self._journal is not None:
            self._journal.sync()  # bounds are of use only with at least these picks
        check = zlib.crc32(bounds.data)
        head = np.array([_BOUNDS_MAGIC, self._key, self._count, self._n, check], np.int64)
        files.write_atomic(self.path / "bounds.bin", [head.tobytes(), bounds.data.cast("B")])
        now = self._clock()
        self._next_snapshot = now + max(_SNAPSHOT_SECONDS, _SNAPSHOT_SHARE * (now - start))
        return True

    def nested(self, name: str) -> Checkpoint:
        """Open the checkpoint of a part of this run, in a folder of its own."""
        return Checkpoint(self.path / name, {**self._identity, "part": name}, self._n, clock=self._clock)

    def result(self, k: int) -> Selection | None:
        """Return the finished selection, if that is what the earlier run was asked for."""
        if self._is_finished():
            selection = Selection.load(self.path / "result")
            if selection.params.get("k") == k:
                return selection
        if self._unwritable is not None:
            raise self._unwritable
        return None

    def finish(self, selection: Selection) -> None:
        """Store the result, so that the next run with this checkpoint returns at once."""
        selection.save(self.path / "result")

    def _match(self, identity: JSON) -> int:
        header = self.path / "header.json"
        if not header.exists() or self._is_unused():
            if (self.path / "picks.bin").exists():
                raise ValueError(
                    f"checkpoint {self.path}: picks.bin without header.json; delete the directory"
                )
            record = {"format": FORMAT, "format_version": FORMAT_VERSION, "identity": identity}
            files.write_json(header, record)
        else:
            record = files.read_json(header, FORMAT, FORMAT_VERSION, "pass another directory")
            then = record.get("identity")
            if not isinstance(then, dict):
                raise ValueError(f"checkpoint {self.path}: header.json is damaged; delete the directory")
            remedy = "repeat the earlier call to resume it, or pass another directory"
            check_same(f"checkpoint {self.path}", then, identity, remedy)
        return _key(identity)

    def _is_finished(self) -> bool:
        return (self.path / "result" / MANIFEST).is_file()

    def _is_unused(self) -> bool:
        """Return whether nothing was kept yet, as after a run whose rows were refused."""
        return {entry.name for entry in self.path.iterdir()} <= {"header.json", "lock"}

    def _read_journal(self) -> tuple[Indices, Indices]:
        path = self.path / "picks.bin"
        if not path.exists():
            return np.empty(0, np.int64), np.empty(0, np.int64)
        indices, gains = decode_picks(path.read_bytes(), self._key)
        size = len(indices) * _RECORD * 8
        if path.stat().st_size != size:  # the tail was torn off by a kill
            os.truncate(path, size)
        return indices, gains

    def _read_bounds(self) -> Indices | None:
        path = self.path / "bounds.bin"
        if not path.exists():
            return None
        words = np.fromfile(path, np.int64)
        head, bounds = words[:5], words[5:].copy()
        if len(bounds) != self._n or [*head[:2].tolist(), int(head[3])] != [
            _BOUNDS_MAGIC,
            self._key,
            self._n,
        ]:
            return None
        count, check = int(head[2]), int(head[4])
        # bounds from before the first pick do not hold after it: without a floor it can lower a maximum
        usable = count <= len(self.indices) and (count > 0 or len(self.indices) == 0)
        return bounds if usable and zlib.crc32(bounds.data) == check else None

    def _open_journal(self) -> AppendedFile:
        if self._journal is None:
            self._journal = AppendedFile(self.path / "picks.bin")
            files.sync_path(self.path)
        return self._journal

    def _check_replayed(self, indices: Indices, gains: Indices, position: int) -> None:
        then = slice(position, position + len(indices))
        differs = (indices != self.indices[then]) | (gains != self.gains[then])
        if differs.any():
            i = int(np.argmax(differs))
            t = position + i
            raise ValueError(
                f"checkpoint {self.path}: pick {t} is row {indices[i]} with gain {gains[i]} now and was row "
                f"{self.indices[t]} with gain {self.gains[t]} in the journal; pass another directory"
            )


def encode_picks(indices: Indices, gains: Indices, position: int, key: int) -> Indices:
    """Return journal records (m, 3): index, gain, check word of both, the position and the run's key."""
    records = np.empty((len(indices), _RECORD), np.int64)
    records[:, 0] = indices
    records[:, 1] = gains
    records[:, 2] = _check_words(records, position, key)
    return records


def decode_picks(content: bytes, key: int) -> tuple[Indices, Indices]:
    """Return indices and gains of the longest whole and true beginning of a journal."""
    count = len(content) // (_RECORD * 8)
    records = np.frombuffer(content, np.int64, count * _RECORD).reshape(count, _RECORD)
    true = records[:, 2] == _check_words(records, 0, key)
    whole = count if true.all() else int(np.argmin(true))
    return records[:whole, 0].copy(), records[:whole, 1].copy()


def _check_words(records: Indices, position: int, key: int) -> Indices:
    where = np.arange(position, position + len(records), dtype=np.uint64) + np.uint64(key)
    word = splitmix64(where)
    for column in (0, 1):
        word = splitmix64(word ^ records[:, column].view(np.uint64))
    return word.view(np.int64)


def _key(identity: JSON) -> int:
    text = repr(sorted(identity.items()))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:7], "little")
