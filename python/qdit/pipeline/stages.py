"""The stages of a run: what each one depends on, whether it is done, and how it is done."""

from __future__ import annotations

import shutil
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

from ..common import files
from ..embedding import prepare as prepare_embed
from ..exporting import export
from ..records import import_records
from ..records.importing import is_imported
from ..records.pool import Pool, attach
from ..reporting import report
from ..scoring import prepare as prepare_score
from ..selection.pool import select_pool, sweep_pool
from ..selection.selection import MANIFEST
from ..selection.tables import SWEEP, format_sweep, save_sweep
from .config import Config
from .state import State, fingerprint, with_checkpoint

_CHECKPOINT = "checkpoint"


class Stage(ABC):
    """One stage of a run.

    Attributes:
        name: its key in the file.
        needs: stages whose results it uses.
        result: the file that is written last, so where it is the result is whole.

    """

    name: str
    needs: tuple[str, ...] = ()
    result: Path

    def __init__(self, config: Config, state: State) -> None:
        """Take this stage's options from the file."""
        self.config, self.state = config, state
        self.options = config.stages[self.name]

    @abstractmethod
    def key(self) -> str:
        """Return the fingerprint of options and inputs; all stages before must be done."""

    def is_done(self) -> bool:
        """Return whether the result is there and is that of these options and inputs."""
        return self.state.is_done(self.name, self.key())

    @abstractmethod
    def do(self, *, overwrite: bool, progress: Any) -> None:
        """Make the result. overwrite: replace one of other options or inputs."""


class Import(Stage):
    """Records of a source."""

    name = "import"

    def __init__(self, config: Config, state: State) -> None:
        """Put records into the pool."""
        super().__init__(config, state)
        self.result = config.pool / "records.json"

    def key(self) -> str:
        """Return the fingerprint of source and options; contents are compared by `is_imported`."""
        return fingerprint(source=self.config.source, **self.options)

    def is_done(self) -> bool:
        """Return whether the pool's records are those of the source as it is now."""
        return is_imported(self.config.source, self.config.pool, **self.options)

    def do(self, *, overwrite: bool, progress: Any) -> None:
        """Import."""
        import_records(
            self.config.source, self.config.pool, overwrite=overwrite, progress=progress, **self.options
        ).close()


class _Array(Stage):
    """An array with a row for each record: one that is worked out, or one that was made elsewhere."""

    needs = ("import",)
    array: str

    def __init__(self, config: Config, state: State) -> None:
        """Put the array into the pool."""
        super().__init__(config, state)
        self.result = config.pool / f"{self.array}.json"

    def key(self) -> str:
        """Return the fingerprint of records, options and a given file."""
        file = self.options.get("file")
        given = None if file is None else files.sha256_file(_existing(self.name, file))
        return fingerprint(records=_sha256(self.config.pool / "records.json"), given=given, **self.options)

    def is_done(self) -> bool:
        """Return whether the pool has the array of these options, made by a run or not."""
        if "file" in self.options:
            return super().is_done()
        with self.job() as job:
            return job.saved() is not None

    def do(self, *, overwrite: bool, progress: Any) -> None:
        """Work the array out, or copy it."""
        if "file" in self.options:
            named = {self.array: self.options["file"]}
            attach(self.config.pool, overwrite=overwrite, **named)
            return
        with self.job() as job:
            job.run(progress=progress, overwrite=overwrite)

    @abstractmethod
    def job(self) -> Any:
        """Return the job that makes the array."""


class Embed(_Array):
    """Embeddings."""

    name, array = "embed", "embeddings"

    def job(self) -> Any:
        """Return the job of `qdit.embed`."""
        return prepare_embed(self.config.pool, **self.options)


class Score(_Array):
    """Quality."""

    name, array = "score", "quality"

    def job(self) -> Any:
        """Return the job of `qdit.score`."""
        return prepare_score(self.config.pool, **self.options)


class Select(Stage):
    """The selection."""

    name = "select"
    needs = ("import", "embed", "score")

    def __init__(self, config: Config, state: State) -> None:
        """Put the selection into the folder selection."""
        super().__init__(config, state)
        self.folder = config.out / "selection"
        self.result = self.folder / MANIFEST

    def key(self) -> str:
        """Return the fingerprint of options and the pool's arrays."""
        return fingerprint(pool=_pool_hashes(self.config), **self.options)

    def do(self, *, overwrite: bool, progress: Any) -> None:
        """Select, with a checkpoint."""
        checkpoint = self.folder / _CHECKPOINT
        selection = with_checkpoint(
            lambda: select_pool(self.config.pool, checkpoint=checkpoint, progress=progress, **self.options),
            checkpoint,
        )
        selection.save(self.folder)
        shutil.rmtree(checkpoint)


class Sweep(Stage):
    """Selections for several alphas."""

    name = "sweep"
    needs = ("import", "embed", "score")

    def __init__(self, config: Config, state: State) -> None:
        """Put the selections into the folder sweep."""
        super().__init__(config, state)
        self.folder = config.out / "sweep"
        self.result = self.folder / SWEEP

    def key(self) -> str:
        """Return the fingerprint of options and the pool's arrays."""
        return fingerprint(pool=_pool_hashes(self.config), **self.options)

    def do(self, *, overwrite: bool, progress: Any) -> None:
        """Select for every alpha, with a checkpoint each."""
        options = {"alphas": [0.1, 0.3, 0.5, 0.7, 0.9], **self.options}
        checkpoint = self.folder / _CHECKPOINT
        selections = with_checkpoint(
            lambda: sweep_pool(self.config.pool, checkpoint=checkpoint, progress=progress, **options),
            checkpoint,
        )
        save_sweep(selections, self.folder)
        shutil.rmtree(checkpoint)
        print(format_sweep(selections))


class Export(Stage):
    """The chosen rows."""

    name = "export"
    needs = ("select",)

    def __init__(self, config: Config, state: State) -> None:
        """Put rows into the folder export."""
        super().__init__(config, state)
        self.result = config.out / "export" / MANIFEST

    def key(self) -> str:
        """Return the fingerprint of options and the selection."""
        return fingerprint(selection=_picks(self.config), **self.options)

    def do(self, *, overwrite: bool, progress: Any) -> None:
        """Export."""
        export(
            self.config.out / "selection",
            self.config.out / "export",
            pool=self.config.pool,
            overwrite=True,  # it refuses to replace what is no export
            progress=progress,
            **self.options,
        )


class Report(Stage):
    """The page."""

    name = "report"
    needs = ("select", "sweep")

    def __init__(self, config: Config, state: State) -> None:
        """Put the page into the folder report."""
        super().__init__(config, state)
        self.result = config.out / "report" / "report.html"

    def key(self) -> str:
        """Return the fingerprint of options, the selection and the sweep."""
        sweep = self.config.out / "sweep" / SWEEP
        there = "sweep" in self.config.stages and sweep.is_file()
        return fingerprint(
            selection=_picks(self.config), sweep=_sha256(sweep) if there else None, **self.options
        )

    def do(self, *, overwrite: bool, progress: Any) -> None:
        """Write the page."""
        sweep = self.config.out / "sweep" if "sweep" in self.config.stages else None
        report(
            self.config.out / "selection",
            pool=self.config.pool,
            out=self.config.out / "report",
            sweep=sweep,
            progress=progress,
            **self.options,
        )


KINDS: tuple[type[Stage], ...] = (Import, Embed, Score, Select, Sweep, Export, Report)


def _existing(stage: str, file: str) -> Path:
    path = Path(file)
    if not path.is_file():
        raise FileNotFoundError(f"{stage}: file: {path} does not exist")
    return path


def _sha256(path: Path) -> str:
    return files.sha256_file(path)


def _pool_hashes(config: Config) -> dict[str, Any]:
    pool = Pool.open(config.pool)
    hashes = {name: found["files"][f"{name}.npy"]["sha256"] for name, found in pool.manifests.items()}
    return {"records": pool.records.sha256, **hashes}


def _picks(config: Config) -> str:
    return _sha256(config.out / "selection" / "indices.npy")
