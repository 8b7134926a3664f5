"""Cheap stand-ins for quality that look at the response alone. They know nothing of its content."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..common.progress import RowTracker
from ..records import Records
from .scorer import Scored, Scorer

LENGTHS = ("response-words", "response-chars")


class ResponseLength(Scorer):
    """Length of the response, in words between white space or in characters (Unicode code points)."""

    kind = "heuristic"

    def __init__(self, name: str) -> None:
        self.name = name

    def identity(self) -> dict[str, Any]:
        """Return nothing: the name says it all."""
        return {}

    def run(self, records: Records, folder: Path, progress: Any) -> Scored:
        """Measure every row's output."""
        values = np.empty(len(records))
        words = self.name == "response-words"
        with RowTracker(progress, f"score: {self.name}", len(records)) as tracker:
            for row in records.rows():
                values[row.index] = len(row.output.split()) if words else len(row.output)
                tracker.update(row.index + 1)
            tracker.done(len(records))
        return Scored(values)
