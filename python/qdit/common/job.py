"""One checked call of a stage: what decides its result, what an earlier run left, and the run itself."""

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from . import files
from .identity import REPLACE, OtherRunError, as_read, check_same, differences
from .progress import RowProgressLike
from .shape import Shape
from .types import JSON
from .versions import library_versions

Made = TypeVar("Made")


class Job(ABC, Generic[Made]):
    """A call of a stage whose result is a file with a manifest.

    A run returns what an earlier run of the very same job made, refuses to replace what another one made,
    holds what it writes to, does the work, and writes the manifest last. A class says what differs between
    stages, in the methods that begin with an underscore.

    Attributes:
        verb: the stage, for messages.
        format, format_version: of the manifest.
        dated: whether the manifest says when it was made.
        goes_on: whether the work may be done again, or go on, where a result of the same job is there that
            `_load` did not take; elsewhere that is a file that was changed since.
        shape: types of values in the manifest.
        redoes: whether `overwrite` does the work again even where nothing changed.
        path: the result.
        manifest_path: its manifest; the same where the result is one file of JSON.

    """

    verb: ClassVar[str]
    format: ClassVar[str]
    format_version: ClassVar[int] = 1
    dated: ClassVar[bool] = False
    goes_on: ClassVar[bool] = False
    redoes: ClassVar[bool] = False
    shape: ClassVar[Mapping[str, Shape]] = {}
    path: Path
    manifest_path: Path
    _start: float

    @cached_property
    def identity(self) -> JSON:
        """All that decides the result, as JSON values."""
        identity: JSON = as_read(self._identity())
        return identity

    @abstractmethod
    def _identity(self) -> JSON:
        """Return all that decides the result."""

    def _identity_of(self, manifest: JSON) -> JSON:
        """Return the identity of the run that wrote a manifest."""
        return {name: manifest.get(name) for name in self.identity}

    @abstractmethod
    def _load(self, manifest: JSON) -> Made | None:
        """Return the result that a manifest of this job is of; None if its files are not as they were."""

    @abstractmethod
    def _make(self, progress: RowProgressLike, overwrite: bool) -> Made:
        """Do the work, write the result and then the manifest, which is `_record` of its own fields."""

    @abstractmethod
    def _how_on(self) -> str:
        """Return what a repeated call does after Ctrl-C, such as "go on; scores so far are in FOLDER"."""

    def _hold(self) -> AbstractContextManager[Any]:
        """Return the lock to hold while the work is done."""
        return nullcontext()

    def _is_stopped(self) -> bool:
        """Return whether a result without a manifest is what a run left that was stopped at its end."""
        return False

    def _tidy(self) -> None:
        """Delete what a run left that was stopped after its manifest was written."""

    def _libraries(self) -> tuple[str, ...]:
        """Return the packages whose versions matter to the result."""
        return ("numpy",)

    @abstractmethod
    def estimate(self) -> Any:
        """Return what a run would have to do, without doing any of it."""

    def found(self) -> JSON | None:
        """Return the manifest that is there, of whatever run; None without one, or without its result."""
        if not (self.manifest_path.is_file() and self.path.exists()):
            return None
        return files.read_json(self.manifest_path, self.format, remedy="delete it", shape=self.shape)

    def saved(self) -> Made | None:
        """Return what an earlier run of this very job made; None if there is nothing or something else."""
        found = self.found()
        if found is None or differences(self._identity_of(found), self.identity):
            return None
        return self._load(found)

    def check_new(self, *, overwrite: bool = False) -> None:
        """Raise OtherRunError if something is there that may not be replaced, naming what differs."""
        found = self.found()  # also says so if a file is damaged, or not ours
        now = self.identity  # finds a wrong model or template before anything is written
        if overwrite:
            return
        if found is not None:
            check_same(f"{self.path} was made otherwise", self._identity_of(found), now, REPLACE)
            if not self.goes_on:
                raise OtherRunError(f"{self.path} was changed since it was made; {REPLACE}")
        elif self.path.exists() and not self._is_stopped():
            raise OtherRunError(f"{self.path} is there already and was not made by {self.verb}; {REPLACE}")

    def run(self, *, progress: RowProgressLike = None, overwrite: bool = False) -> Made:
        """Do the work that no earlier run of this job has done, and return the result.

        Args:
            progress: None or False for nothing, True for a bar on stderr, or a callable.
            overwrite: replace the result of another job.

        Raises:
            OtherRunError: (a ValueError) if there is such a result, and overwrite is not set.
            RuntimeError: if another run is at work there.

        """
        self._start = time.perf_counter()
        earlier = None if overwrite and self.redoes else self.saved()
        if earlier is not None:
            self._tidy()
            return earlier
        self.check_new(overwrite=overwrite)
        try:
            with self._hold():
                return self._make(progress, overwrite)
        except KeyboardInterrupt as interrupt:
            interrupt.add_note(f"repeat the call to {self._how_on()}")
            raise

    def _record(self, fields: JSON) -> JSON:
        """Return a manifest: `fields` between what all have in common."""
        head: JSON = {"format": self.format, "format_version": self.format_version}
        if self.dated:
            head["created"] = datetime.now(UTC).isoformat(timespec="seconds")
        record = {**head, **fields}
        record.setdefault("seconds", time.perf_counter() - self._start)
        return {**record, "versions": self._versions()}

    def _versions(self) -> dict[str, str]:
        return library_versions(self._libraries())
