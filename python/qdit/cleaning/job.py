"""A checked call that finds rows of a pool which should not be there: its folder, and the smaller pool.

The folder holds kept.npy, a JSONL file of evidence, a manifest, and the smaller pool if one was asked for.
The manifest comes last: where it is, all is whole. Without a place of its own the folder lies in the pool.
"""

from __future__ import annotations

import shutil
from abc import abstractmethod
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, ClassVar

from ..common import files
from ..common.closing import Closing
from ..common.job import Job, Made
from ..common.lock import LOCK, Lock
from ..common.progress import Phases, ProgressLike, open_phases
from ..common.shape import ENTRIES, Shape
from ..common.types import JSON, Array, StrPath
from ..records.pool import Pool, PoolLike
from ..records.subset import write_subset
from ..records.tokens import COSTS
from ..records.tokens import MANIFEST as COSTS_MANIFEST

_LARGE = ("embeddings.npy",)  # whose size alone is compared
_RECOUNTED = (COSTS, COSTS_MANIFEST)  # by another tokenizer, say


class CleaningJob(Closing, Job[Made]):
    """A checked call; use it as a context manager.

    Attributes:
        pool: opened.
        evidence: name of the JSONL file.
        out: folder of the smaller pool; None where rows are only named.

    """

    evidence: ClassVar[str]
    dated = True
    shape: ClassVar[Shape] = {"files": ENTRIES, "settings": {}, "step": {}}

    def __init__(self, pool: PoolLike, out: StrPath | None) -> None:
        """Open the pool; ValueError for a place that cannot be that of the smaller pool."""
        self._opened = not isinstance(pool, Pool)
        self.pool = pool if isinstance(pool, Pool) else Pool.open(pool)
        self.out = None if out is None else Path(out)
        self.path = self.pool.directory / self.verb if self.out is None else self.out
        self.manifest_path = self.path / f"{self.verb}.json"
        if self.out is not None and self.out.resolve() == self.pool.directory.resolve():
            raise ValueError(f"out: got {self.out}, the pool itself, which stays as it is; pass a new folder")
        files.check_writable(self.path)

    def close(self) -> None:
        """Close the pool, if it was opened here."""
        if self._opened:
            self.pool.records.close()

    @property
    def partial(self) -> Path:
        """The folder that keeps an unfinished run."""
        beside = self.path if self.out is not None else self.pool.directory / self.verb
        return beside.with_name(f"{beside.name}.partial")

    def run_phases(self, *, progress: ProgressLike = None, overwrite: bool = False) -> Made:
        """Do what `run` says, with progress by phases."""
        with open_phases(progress, len(self.pool), 0) as phases:
            self._phases = phases
            return self.run(overwrite=overwrite)

    @property
    def phases(self) -> Phases:
        """What is told of the work."""
        return self._phases

    def _base(self) -> JSON:
        """Return what decides a result beside the options."""
        hashes = {name: self._hash(name) for name in self._used()}
        return {"records": self.pool.records.sha256, **hashes, "pool": self.out is not None}

    def _hash(self, name: str) -> str:
        path = self.pool.directory / f"{name}.npy"
        if name in self.pool.manifests:
            return str(self.pool.manifests[name]["files"][path.name]["sha256"])
        return files.sha256_file(path)  # put there by hand

    @abstractmethod
    def _used(self) -> list[str]:
        """Return the names of the pool's arrays that are used."""

    def _identity_of(self, manifest: JSON) -> JSON:
        found: JSON = manifest["settings"]
        return found

    def _how_on(self) -> str:
        return "go on; what was compared so far is kept"

    def _hold(self) -> AbstractContextManager[Any]:
        return Lock(self.partial / LOCK, f"cleaning this pool ({self.verb})")

    def _load(self, manifest: JSON) -> Made | None:
        for name, entry in manifest["files"].items():
            path = self.path / name
            if name in _RECOUNTED:
                continue
            if not path.is_file() or path.stat().st_size != entry["bytes"]:
                return None
            if path.name not in _LARGE and files.sha256_file(path) != entry["sha256"]:
                return None
        return self._read(self.path, manifest)

    def _is_stopped(self) -> bool:
        replaced = self.path / f".{self.manifest_path.name}.replaced"
        return replaced.exists() or (self.path.is_dir() and not any(self.path.iterdir()))

    @abstractmethod
    def _read(self, folder: Path, manifest: JSON) -> Made:
        """Return the result that lies in a folder."""

    def _publish(self, arrays: Mapping[str, Array], evidence: Iterable[JSON], step: JSON) -> Made:
        """Write the folder, and return the result.

        arrays: of the result by name; "kept" are the rows that stay. evidence: a line for each group or row.
        step: what is said of this cleaning wherever the pool is shown.
        """
        name = self.manifest_path.name
        if self.path.is_dir():
            files.remove_leftovers(self.path, (name,))
        with files.new_files(self.path, name) as folder:
            named = {f"{name}.npy": array for name, array in arrays.items()}
            entries = {name: files.write_npy(folder / name, array) for name, array in named.items()}
            lines = (files.to_json(line, ensure_ascii=False).encode() + b"\n" for line in evidence)
            files.write_atomic(folder / self.evidence, lines)
            entries[self.evidence] = files.describe(folder / self.evidence)
            if self.out is not None:
                entries |= write_subset(self.pool, arrays["kept"], folder, step)
            record = self._record({"settings": self.identity, "step": step, "files": entries})
            files.write_json(folder / name, record)
        shutil.rmtree(self.partial, ignore_errors=True)
        return self._read(self.path, record)
