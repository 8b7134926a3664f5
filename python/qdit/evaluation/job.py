"""What evaluations have in common: a result file in a folder; numbers that a model gives answers."""

import math
import time
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np

from ..common import files
from ..common.job import Job
from ..common.lock import LOCK, Lock
from ..common.progress import RowProgressLike
from ..common.types import JSON, Floats
from ..scoring.modelscorer import ModelScorer
from ..scoring.scorer import Scored
from .answers import Answers
from .results import FORMAT, ROWS, Value, tails, write_result, write_rows
from .sets import groups


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

    verb, format = "evaluate", FORMAT
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
        with files.new_files(self.folder, self.path.name) as folder:
            written = {ROWS: write_rows(folder / ROWS, found.rows)}
            for name, content in found.files.items():
                files.write_atomic(folder / name, [content])
                written[name] = files.sha256_file(folder / name)
            report = {**found.report, "files": written}
            report.setdefault("seconds", time.perf_counter() - self._start)
            path, libraries = folder / self.path.name, self._libraries()
            return write_result(path, self.kind, self.identity, found.values, report, libraries)


class ScorerJob(EvaluationJob):
    """Numbers that a model gives answers, NaN where one has none.

    The tails are those of each model's own numbers: the worst tenth of one model's answers may be to other
    questions than that of another's.

    Attributes:
        metric, column: what the numbers are called in results, and in rows.
        larger_is_better: whether the worst are the smallest.
        answers: one for each model, of different names.

    """

    metric: ClassVar[str]
    column: ClassVar[str]
    larger_is_better: ClassVar[bool] = True

    def __init__(self, answers: Sequence[Answers], scorer: ModelScorer, folder: Path) -> None:
        super().__init__(folder)
        self.answers = tuple(answers)
        self._scorer = scorer

    @abstractmethod
    def _report(self, scored: Sequence[tuple[Answers, Scored]]) -> JSON:
        """Return counts and facts of the run, for the result file."""

    def _libraries(self) -> tuple[str, ...]:
        return self._scorer.libraries

    def estimate(self) -> list[JSON]:
        """Return for each model how many answers there are, and how many are left to score."""
        return [{"by": one.model, **self._scorer.estimate(one, self.folder)} for one in self.answers]

    def _measure(self, progress: RowProgressLike) -> Found:
        scored = [(one, self._scorer.run(one, self.folder, progress)) for one in self.answers]
        values = (value for one, found in scored for value in self._values(one, found.values))
        rows = (row for one, found in scored for row in self._rows(one, found.values))
        return Found(values, rows, self._report(scored))

    def _values(self, one: Answers, numbers: Floats) -> Iterator[Value]:
        there = np.flatnonzero(~np.isnan(numbers))
        keys = groups(one.answers[i].question for i in there)
        better = self.larger_is_better
        return tails(numbers[there], self.metric, one.model, keys, larger_is_better=better)

    def _rows(self, one: Answers, numbers: Floats) -> Iterator[JSON]:
        for answer, number in zip(one.answers, numbers.tolist(), strict=True):
            found = None if math.isnan(number) else number
            yield {"model": one.model, **answer.question.named, self.column: found}
