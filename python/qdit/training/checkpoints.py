"""Checkpoints of a training run: a marker, written last, tells those that are whole."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from ..common import files
from ..common.identity import check_same
from ..common.types import JSON

MARKER = "qdit.json"
FORMAT = "qdit-training-checkpoint"


def step_of(checkpoint: Path) -> int:
    """Return the step that a checkpoint was written after."""
    return int(checkpoint.name.rpartition("-")[2])


def checkpoints(folder: Path) -> list[Path]:
    """Return all checkpoints in a folder, whole or not, oldest first."""
    found = [path for path in folder.glob("checkpoint-*") if re.fullmatch(r"checkpoint-\d+", path.name)]
    return sorted(found, key=step_of)


def complete(checkpoint: Path, identity: JSON) -> None:
    """Make a checkpoint that was written durable, mark it as whole, and delete those before it.

    identity: all that decides the weights, as JSON values.
    """
    sync(checkpoint)
    record = {"format": FORMAT, "step": step_of(checkpoint), "identity": identity}
    files.write_json(checkpoint / MARKER, record)
    for older in checkpoints(checkpoint.parent):
        if step_of(older) < step_of(checkpoint):
            remove(older)


def sync(folder: Path) -> None:
    """Make a folder's files durable."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
    files.sync_directory(folder)
    files.sync_directory(folder.parent)


def newest(folder: Path, identity: JSON) -> Path | None:
    """Return the last whole checkpoint, None if there is none.

    Raises:
        OtherRunError: if it is one of another run, naming what differs.

    """
    whole = [path for path in checkpoints(folder) if (path / MARKER).is_file()]
    if not whole:
        return None
    found = files.read_json(whole[-1] / MARKER, FORMAT)["identity"]
    remedy = "pass --no-resume to begin anew, or another directory"
    check_same(f"{whole[-1]} was made otherwise", found, identity, remedy)
    return whole[-1]


def remove_broken(folder: Path) -> None:
    """Delete what a killed run left half written; no one may be writing."""
    for path in checkpoints(folder):
        if not (path / MARKER).is_file():
            remove(path)


def remove(checkpoint: Path) -> None:
    """Delete a checkpoint; if that is cut short, it does not count as whole any more."""
    (checkpoint / MARKER).unlink(missing_ok=True)
    shutil.rmtree(checkpoint)
