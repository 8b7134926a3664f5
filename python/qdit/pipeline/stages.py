"""The stages of a run, each with what it depends on, what is checked, and how it is done."""

import shutil
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..cleaning.against import describe_sets, find_sets
from ..cleaning.contaminated import DecontaminateJob
from ..cleaning.deduping import DedupJob
from ..cleaning.job import CleaningJob
from ..cleaning.options import DecontaminateOptions, PoolDedupOptions
from ..cleaning.told import told_contamination, told_duplicates
from ..common import files
from ..common.identity import OtherRunError
from ..common.progress import AnyProgressLike
from ..common.types import JSON
from ..embedding.api import prepare as prepare_embed
from ..embedding.job import EmbedJob, encoder_class, notes
from ..embedding.options import EmbedOptions
from ..evaluation.coverage.represented import files_of, represented
from ..exporting import export
from ..exporting.choice import SELECTION_FOLDER as SELECTION
from ..exporting.choice import read_export
from ..exporting.forms import remarks
from ..records import import_records, open_records
from ..records.importing import describe_records, is_imported
from ..records.pool import Pool, attach
from ..records.records import MANIFEST as RECORDS
from ..records.tokens import load_tokenizer
from ..reporting import report
from ..scoring.api import prepare as prepare_score
from ..scoring.job import ScoreJob, make_scorers
from ..scoring.options import ScoreOptions
from ..selection.options import resolve_k
from ..selection.plan import check_k
from ..selection.pool import PoolSelectOptions, select_pool, sweep_pool
from ..selection.tables import SWEEP, format_sweep, save_sweep
from .config import CLEANING, Config
from .stage import Stage
from .state import State, with_checkpoint

_ALPHAS = (0.1, 0.3, 0.5, 0.7, 0.9)


class _InPool(Stage):
    """A stage whose result is in the pool."""

    def _folder(self) -> Path:
        return self.config.pool


class Import(_InPool):
    """Records of a source."""

    name, last = "import", RECORDS

    def _inputs(self) -> JSON:
        return {"source": self.config.source}  # by its name; `is_imported` compares contents

    def is_done(self) -> bool:
        """Return whether the pool's records are those of the source as it is now."""
        return is_imported(self.config.source, self.folder, **self.options)

    def do(self, *, overwrite: bool, progress: AnyProgressLike) -> None:
        """Import, and say what was read and what was not."""
        given = {**self.options, "overwrite": overwrite, "progress": progress}
        with import_records(self.config.source, self.folder, **given) as records:
            print(describe_records(records))


class _Array(_InPool):
    """An array with a row for each record: one that is worked out, or one that was made elsewhere."""

    needs = ("import",)
    array: str

    def check(self) -> None:
        """Look for the file, or the model."""
        super().check()
        if "file" not in self.options:
            self._check_model()
        elif not Path(self.options["file"]).is_file():
            raise FileNotFoundError(f"{self.name}: file: {self.options['file']} does not exist")

    def check_rows(self) -> None:
        """See whether the pool has an array of other options that may not be replaced."""
        if "file" not in self.options:
            with self._job() as job:
                if job.saved() is None:
                    job.check_new(overwrite=self.state.owns(self.name))

    def _inputs(self) -> JSON:
        file = self.options.get("file")
        given = None if file is None else files.sha256_file(Path(file))
        return {"records": files.sha256_file(self.folder / RECORDS), "given": given}

    def is_done(self) -> bool:
        """Return whether the pool has the array of these options, made by a run or not."""
        if "file" in self.options:
            return super().is_done()
        with self._job() as job:
            return job.saved() is not None

    def do(self, *, overwrite: bool, progress: AnyProgressLike) -> None:
        """Work the array out, or copy it."""
        if "file" in self.options:
            named = {self.array: self.options["file"]}
            attach(self.folder, overwrite=overwrite, **named)
            return
        with self._job() as job:
            job.run(progress=progress, overwrite=overwrite)

    @abstractmethod
    def _check_model(self) -> None:
        """Raise if what makes the array is not there."""

    @abstractmethod
    def _job(self) -> EmbedJob | ScoreJob:
        """Return the job that makes the array."""


class Embed(_Array):
    """Embeddings."""

    name, array, last = "embed", "embeddings", "embeddings.json"

    def do(self, *, overwrite: bool, progress: AnyProgressLike) -> None:
        """As of every array; and say what is to be known about some of the rows."""
        super().do(overwrite=overwrite, progress=progress)
        for line in notes(files.read_json(self.result, EmbedJob.format)):
            print(f"{'':<16}{line}")

    def _check_model(self) -> None:
        asked = EmbedOptions(**self.options)
        encoder_class(asked).check(asked)

    def _job(self) -> EmbedJob:
        return prepare_embed(self.folder, **self.options)


class Score(_Array):
    """Quality."""

    name, array, last = "score", "quality", "quality.json"

    def _check_model(self) -> None:
        given = {"by": "reward", **self.options}
        for scorer in make_scorers(given.pop("by"), ScoreOptions(**given)):
            scorer.identity()

    def _job(self) -> ScoreJob:
        return prepare_score(self.folder, **self.options)


class _Cleaning(Stage):
    """A stage that names rows that should not be there, and makes a pool without them."""

    needs: tuple[str, ...] = ("import", "embed", "score")

    def __init__(self, config: Config, state: State) -> None:
        self.pool = config.pool_of(self.name)
        self.drops = config.drops(self.name)
        super().__init__(config, state)
        self.asked = {name: value for name, value in self.options.items() if name != "drop"}

    def _folder(self) -> Path:
        return self.config.out / self.name if self.drops else self.pool / self.name

    def _inputs(self) -> JSON:
        pool = Pool.open(self.pool)
        hashes = {name: found["files"][f"{name}.npy"]["sha256"] for name, found in pool.manifests.items()}
        return {"pool": {"records": pool.records.sha256, **hashes}}

    def do(self, *, overwrite: bool, progress: AnyProgressLike) -> None:
        """Find the rows, and say how many there are."""
        with self._job() as job:
            print(self._told(job.run_phases(progress=progress, overwrite=overwrite)))

    @abstractmethod
    def _job(self) -> CleaningJob[Any]:
        """Return the job that finds the rows."""

    @abstractmethod
    def _told(self, found: Any) -> str:
        """Return in words what was found."""


class Dedup(_Cleaning):
    """Duplicates."""

    name, last = "dedup", "dedup.json"

    def _job(self) -> CleaningJob[Any]:
        return DedupJob(self.pool, PoolDedupOptions(**self.asked), self.folder if self.drops else None)

    def _told(self, found: Any) -> str:
        return told_duplicates(found, self.folder)


class Decontaminate(_Cleaning):
    """Rows that evaluation sets have too."""

    name, last = "decontaminate", "decontaminate.json"
    needs = (*_Cleaning.needs, "dedup")

    def check(self) -> None:
        """Look for the evaluation sets."""
        super().check()
        describe_sets(find_sets(DecontaminateOptions(**self.asked)))

    def _inputs(self) -> JSON:
        return {**super()._inputs(), "sets": describe_sets(find_sets(DecontaminateOptions(**self.asked)))}

    def _job(self) -> CleaningJob[Any]:
        return DecontaminateJob(
            self.pool, DecontaminateOptions(**self.asked), self.folder if self.drops else None
        )

    def _told(self, found: Any) -> str:
        return told_contamination(found, self.folder)


class _OfPool(Stage):
    """A stage that selects from the pool, with a checkpoint beside its result."""

    needs = ("import", "embed", "score", *CLEANING)

    def __init__(self, config: Config, state: State) -> None:
        self.pool = config.pool_of(self.name)
        super().__init__(config, state)

    @property
    @abstractmethod
    def alphas(self) -> Sequence[float]:
        """All that are asked for."""

    def check(self) -> None:
        """Look for files, for a tokenizer, and for scores where they are needed."""
        super().check()
        if self.options.get("tokenizer") is not None:
            load_tokenizer(self.options["tokenizer"])
        if self.result.exists() and not self.state.get(self.name):
            raise OtherRunError(f"{self.folder} was made by another run; move it away, or pass another out")
        names = ("quality", "given", "weights", "costs", "groups", "exclude", "exclude_ids")
        paths = {name: self.options.get(name) for name in names}
        named = [(name, Path(value)) for name, value in paths.items() if isinstance(value, str)]
        named += [("represent", path) for path in files_of(self.options.get("represent"))]
        for name, path in named:
            if not path.is_file():
                raise FileNotFoundError(f"{self.name}: {name}: {path} does not exist")
        scored = "score" in self.config.stages or (self.config.pool / "quality.npy").exists()
        if max(self.alphas) > 0 and not scored and self.options.get("quality") is None:
            raise ValueError(
                f"{self.name}: alpha {max(self.alphas):g} needs scores and score is false; leave score in, "
                "or pass alpha 0 for diversity only"
            )

    def check_rows(self) -> None:
        """Compare k with the rows."""
        k = self.options.get("k")
        if k is not None:
            with open_records(self.config.pool) as records:
                check_k(resolve_k(k, len(records)), len(records), 0)

    def _inputs(self) -> JSON:
        pool = Pool.open(self.pool)
        hashes = {name: found["files"][f"{name}.npy"]["sha256"] for name, found in pool.manifests.items()}
        target = [
            files.sha256_file(path) for path in files_of(self.options.get("represent")) if path.is_file()
        ]
        return {"pool": {"records": pool.records.sha256, **hashes}} | ({"target": target} if target else {})

    def do(self, *, overwrite: bool, progress: AnyProgressLike) -> None:
        """Select, and drop the checkpoint at the end."""
        checkpoint = self.folder / "checkpoint"
        given = {**self.options, "checkpoint": checkpoint, "progress": progress}
        if "represent" in given:
            given["represent"] = represented(self.pool, given["represent"], progress)
        with_checkpoint(lambda: self._select(given), checkpoint)
        shutil.rmtree(checkpoint)

    @abstractmethod
    def _select(self, given: JSON) -> None:
        """Select and save."""


class Select(_OfPool):
    """The selection."""

    name = "select"

    @property
    def alphas(self) -> Sequence[float]:
        """The one that is asked for."""
        return (self.options.get("alpha", PoolSelectOptions.alpha),)

    def _folder(self) -> Path:
        return self.config.out / SELECTION

    def _select(self, given: JSON) -> None:
        select_pool(self.pool, **given).save(self.folder)


class Sweep(_OfPool):
    """Selections for several alphas."""

    name, last = "sweep", SWEEP

    @property
    def alphas(self) -> Sequence[float]:
        """All that are asked for."""
        given: Sequence[float] = self.options.get("alphas", _ALPHAS)
        return given

    def _select(self, given: JSON) -> None:
        selections = sweep_pool(self.pool, **{**given, "alphas": self.alphas})
        save_sweep(selections, self.folder)
        print(format_sweep(selections))


class _OfSelection(Stage):
    """A stage that shows the selection."""

    needs: tuple[str, ...] = ("select",)

    def __init__(self, config: Config, state: State) -> None:
        super().__init__(config, state)
        self.selection = config.out / SELECTION
        self.pool = config.pool_of(self.name)

    def _inputs(self) -> JSON:
        found: JSON = {"selection": files.sha256_file(self.selection / "indices.npy")}
        if self.pool != self.config.pool:  # the same numbers may be of other rows
            found["records"] = files.sha256_file(self.pool / RECORDS)
        return found


class Export(_OfSelection):
    """The chosen rows."""

    name = "export"

    def check(self) -> None:
        """See whether something is there that is no export."""
        super().check()
        if self.result.exists():
            read_export(self.folder)

    def do(self, *, overwrite: bool, progress: AnyProgressLike) -> None:
        """Export, and say what trainers do not take; an export replaces exports only, so it always may."""
        given = {**self.options, "pool": self.pool}
        export(self.selection, self.folder, overwrite=True, progress=progress, **given)
        for trainer, text in remarks(read_export(self.folder)["trainers"]).items():
            print(f"{'':<16}{trainer} {text}")


class Report(_OfSelection):
    """The page."""

    name, last = "report", "report.html"
    needs = ("select", "sweep")

    def __init__(self, config: Config, state: State) -> None:
        super().__init__(config, state)
        self.sweep = config.out / "sweep" if "sweep" in config.stages else None

    def _inputs(self) -> JSON:
        table = None if self.sweep is None else self.sweep / SWEEP
        found = files.sha256_file(table) if table is not None and table.is_file() else None
        return {**super()._inputs(), "sweep": found}

    def do(self, *, overwrite: bool, progress: AnyProgressLike) -> None:
        """Write the page."""
        given = {
            **self.options,
            "pool": self.pool,
            "out": self.folder,
            "sweep": self.sweep,
        }
        report(self.selection, progress=progress, **given)


KINDS: tuple[type[Stage], ...] = (Import, Embed, Score, Dedup, Decontaminate, Select, Sweep, Export, Report)
