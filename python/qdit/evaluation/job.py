"""What evaluations whose result is one file in a folder have in common."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from ..common import files
from ..common.job import Job
from ..common.lock import LOCK, Lock
from ..common.progress import RowProgressLike
from ..common.types import JSON
from .results import FORMAT, ROWS, Value, write_result, write_rows


@dataclass(frozen=True)
class Found:
    """What an evaluation found.

    Attributes:
        values: its numbers.
        rows: what each question, or each answer, got.
        report: counts and facts of the run, for the result file.
        files: contents of files beside the rows, by name.

    """

    values: Iterable[Value]
    rows: Iterable[JSON]
    report: JSON
    files: Mapping[str, bytes] = field(default_factory=dict)


class EvaluationJob(Job[JSON]):
    """A checked evaluation; its numbers go to <kind>.json and what they were made of to rows.jsonl.

    What takes time is kept in the folder as it comes: a repeated run does none of it again, and writes the
    same result.

    Attributes:
        kind: of evaluation.
        doing: what a run does that holds the folder, for the error of another one.
        kept: what is in the folder when a run is interrupted, for the note.
        folder: for the result and for what is kept.

    """

    format = FORMAT
    goes_on = True
    kind: ClassVar[str]
    doing: ClassVar[str]
    kept: ClassVar[str] = "scores"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = self.manifest_path = folder / f"{self.kind}.json"

    @abstractmethod
    def _measure(self, progress: RowProgressLike) -> Found:
        """Do what has not been done yet, and return what was found."""

    def _identity_of(self, manifest: JSON) -> JSON:
        return dict(manifest.get("settings") or {})

    def _load(self, manifest: JSON) -> JSON | None:
        return None  # a run may be asked to try again what failed, so it always looks

    def _how_on(self) -> str:
        return f"go on; {self.kept} so far are in {self.folder}"

    def _hold(self) -> Lock:
        return Lock(self.folder / LOCK, self.doing)

    def _make(self, progress: RowProgressLike, overwrite: bool) -> JSON:
        files.remove_temporaries(self.folder)
        found = self._measure(progress)
        self.path.unlink(missing_ok=True)  # it must never stand beside other rows
        written = {ROWS: write_rows(self.folder / ROWS, found.rows)}
        for name, content in found.files.items():
            files.write_atomic(self.folder / name, [content])
            written[name] = files.sha256_file(self.folder / name)
        report = {**found.report, "files": written}
        report.setdefault("seconds", time.perf_counter() - self._start)
        return write_result(self.path, self.kind, self.identity, found.values, report, self._libraries())
