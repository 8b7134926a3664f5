"""The directory that a training run writes: one run at a time, and a manifest that comes last."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from ..common import files
from ..common.identity import REPLACE, check_same, differences
from ..common.lock import Lock
from .checkpoints import checkpoints, remove, remove_broken, sync

FINAL, MANIFEST, CHECKPOINTS = "final", "train.json", "checkpoints"
FORMAT = "qdit-training"
FORMAT_VERSION = 1


class Output:
    """The folder final, train.json, and checkpoints while a run is unfinished.

    Attributes:
        directory: of all this.

    """

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        self.directory = Path(directory)

    @property
    def final(self) -> Path:
        """The folder of the model."""
        return self.directory / FINAL

    @property
    def checkpoints(self) -> Path:
        """The folder of checkpoints."""
        return self.directory / CHECKPOINTS

    def read(self) -> dict[str, Any]:
        """Return what train.json says."""
        return files.read_json(self.directory / MANIFEST, FORMAT)

    def saved(self, identity: dict[str, Any]) -> dict[str, Any] | None:
        """Return the manifest of a run of this identity whose files are as they were, or None."""
        if not (self.directory / MANIFEST).is_file():
            return None
        found = self.read()
        if differences(found["identity"], identity):
            return None
        for name, entry in found["files"].items():
            file = self.directory / name
            if not file.is_file() or files.sha256_file(file) != entry["sha256"]:
                return None
        return found

    def check_new(self, identity: dict[str, Any], *, overwrite: bool) -> None:
        """Raise ValueError if there is a model that may not be replaced, naming what differs."""
        if not (self.directory / MANIFEST).is_file():
            return
        found = self.read()  # never replace what is not ours
        if overwrite:
            return
        check_same(f"{self.directory} was made otherwise", found["identity"], identity, REPLACE)
        raise ValueError(f"{self.directory} was changed since it was made; {REPLACE}")

    def held(self) -> Lock:
        """Hold the directory; RuntimeError if another run does."""
        self.directory.mkdir(parents=True, exist_ok=True)
        return Lock(self.directory, "training there", name=f"out: {self.directory}")

    def clear(self, keep: Path | None) -> None:
        """Delete what is neither a result nor the checkpoint to go on from."""
        self.checkpoints.mkdir(parents=True, exist_ok=True)
        (self.directory / MANIFEST).unlink(missing_ok=True)  # it must never describe another model
        files.remove_temporaries(self.directory)
        shutil.rmtree(self.unfinished, ignore_errors=True)
        remove_broken(self.checkpoints)
        if keep is None:
            for path in checkpoints(self.checkpoints):
                remove(path)

    @property
    def unfinished(self) -> Path:
        """Where the trainer puts the model at the end."""
        return self.checkpoints / "last"

    def publish(self, record: dict[str, Any], merge: Any = None) -> dict[str, Any]:
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
        entries = sorted(path for path in self.final.rglob("*") if path.is_file())
        names = [path.relative_to(self.directory).as_posix() for path in entries]
        whole = record | {"files": {name: files.describe(self.directory / name) for name in names}}
        files.write_json(self.directory / MANIFEST, whole)
        shutil.rmtree(self.checkpoints)
        return whole
