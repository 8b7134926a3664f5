"""The directory of a training run: checkpoints, of which whole ones are marked, and a manifest at the end."""

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

from ..common import files
from ..common.identity import check_same
from ..common.types import JSON, StrPath

FINAL, MANIFEST, CHECKPOINTS = "final", "train.json", "checkpoints"
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
    files.sync_path(folder)
    files.sync_path(folder.parent)


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


class Output:
    """The folder final, train.json, and checkpoints while a run is unfinished.

    Attributes:
        directory: of all this.
        final: the folder of the model.
        manifest: train.json.
        checkpoints: the folder of checkpoints.
        unfinished: the folder where the trainer puts the model at the end.

    """

    def __init__(self, directory: StrPath) -> None:
        self.directory = Path(directory)
        self.final, self.manifest = self.directory / FINAL, self.directory / MANIFEST
        self.checkpoints = self.directory / CHECKPOINTS
        self.unfinished = self.checkpoints / "last"

    def clear(self, keep: Path | None) -> None:
        """Delete what is neither a result nor the checkpoint to go on from."""
        self.checkpoints.mkdir(parents=True, exist_ok=True)
        files.remove_temporaries(self.directory)
        shutil.rmtree(self.unfinished, ignore_errors=True)
        remove_broken(self.checkpoints)
        if keep is None:
            for path in checkpoints(self.checkpoints):
                remove(path)

    def publish(self, record: JSON, merge: Callable[[Path, Path], None] | None = None) -> JSON:
        """Put the unfinished model into its place, write the manifest, delete the checkpoints.

        Args:
            record: of the manifest, without the files.
            merge: a function (from folder, to folder) that does so otherwise.

        """
        (self.unfinished / "training_args.bin").unlink(missing_ok=True)
        with files.new_folder(self.final) as made:
            if merge is None:
                self.unfinished.rename(made)
            else:
                merge(self.unfinished, made)
            mode = (made / "tokenizer_config.json").stat().st_mode  # weights are written as private files
            for path in made.iterdir():
                path.chmod(mode)
            sync(made)
            self.manifest.unlink(missing_ok=True)  # it must never describe another model
        entries = sorted(path for path in self.final.rglob("*") if path.is_file())
        names = [path.relative_to(self.directory).as_posix() for path in entries]
        whole = record | {"files": {name: files.describe(self.directory / name) for name in names}}
        files.write_json(self.manifest, whole)
        shutil.rmtree(self.checkpoints)
        return whole
