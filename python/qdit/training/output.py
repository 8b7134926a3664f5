"""The directory that a training run writes: one run at a time, and a manifest that comes last."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from ..common import files
from ..common.types import JSON, StrPath
from .checkpoints import checkpoints, remove, remove_broken, sync

FINAL, MANIFEST, CHECKPOINTS = "final", "train.json", "checkpoints"


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
        self.manifest.unlink(missing_ok=True)  # it must never describe another model
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
        entries = sorted(path for path in self.final.rglob("*") if path.is_file())
        names = [path.relative_to(self.directory).as_posix() for path in entries]
        whole = record | {"files": {name: files.describe(self.directory / name) for name in names}}
        files.write_json(self.manifest, whole)
        shutil.rmtree(self.checkpoints)
        return whole
