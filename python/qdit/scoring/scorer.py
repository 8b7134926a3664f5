"""What turns rows into scores: the interface of all scorers, and their folder."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from ..common.optional import Package
from ..common.progress import RowProgressLike, RowTracker
from ..common.types import JSON, Floats
from ..records import Records, Row

FOLDER = "scoring"  # in the pool: what is kept of unfinished and finished scorers


class RowSource(Protocol):
    """What a model scores: rows in normal form, of a pool (`Records`) or made of answers."""

    @property
    def sha256(self) -> str:
        """What identifies the rows."""

    def __len__(self) -> int:
        """Return how many there are."""

    def rows(self, start: int = 0, stop: int | None = None) -> Iterator[Row]:
        """Yield rows in order."""


@dataclass(frozen=True, eq=False)
class Scored:
    """Scores of all rows.

    Attributes:
        values: (n,) float64; NaN where a row has none.
        report: JSON values for the manifest: counts, tokens, errors.
        why, remedy: why rows have no number, and what helps, for errors.

    """

    values: Floats
    report: JSON = field(default_factory=dict)
    why: str = ""
    remedy: str = ""


class Scorer(ABC):
    """Gives each row a number.

    Attributes:
        name: as in `by`.
        kind: "reward model", "LLM judge", "column" or "heuristic".
        libraries: names of the packages whose versions matter to the scores.
        packages: optional packages that are imported when it runs.

    """

    name: str
    kind: str
    libraries: tuple[str, ...] = ("numpy",)
    packages: tuple[Package, ...] = ()

    @abstractmethod
    def identity(self) -> JSON:
        """Return JSON values: all that decides the scores beside the records."""

    @abstractmethod
    def run(self, records: Records, folder: Path, progress: RowProgressLike) -> Scored:
        """Score every row; keep in `folder` what an interrupted run needs to go on."""

    def estimate(self, records: Records, folder: Path) -> JSON:
        """Return "rows" and "left", those that are not scored yet; a judge adds tokens and cost."""
        return {"rows": len(records), "left": len(records)}

    def unfinished(self, report: JSON) -> bool:
        """Return whether another run may score more rows than the one with this report."""
        return False


class RowScorer(Scorer):
    """Gives each row a number that follows from the row alone, so cheap that nothing is kept of it."""

    @abstractmethod
    def numbers(self, records: Records) -> Iterator[float]:
        """Yield the number of each row in order; NaN for none."""

    def run(self, records: Records, folder: Path, progress: RowProgressLike) -> Scored:
        """Look at every row."""
        values = np.empty(len(records))
        with RowTracker(progress, f"score: {self.name}", len(records)) as tracker:
            for i, number in enumerate(self.numbers(records)):
                values[i] = number
                tracker.update(i + 1)
            tracker.done(len(records))
        return Scored(values)
