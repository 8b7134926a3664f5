"""Scores that need no model: a column of the rows, and lengths of responses, which ignore their content."""

import math
from collections.abc import Iterator

from ..common.types import JSON
from ..records import Records
from .scorer import RowScorer

LENGTHS = ("response-words", "response-chars")


class Column(RowScorer):
    """A numeric column of the rows as they came; null, empty text and NaN count as no score."""

    name = "column"
    kind = "column"

    def __init__(self, column: str | None) -> None:
        if not column:
            raise ValueError("column: got none, wanted the name of a numeric column, which by='column' needs")
        self._column = column

    def identity(self) -> JSON:
        """Return the column's name."""
        return {"column": self._column}

    def numbers(self, records: Records) -> Iterator[float]:
        """Yield the values of the column; ValueError names a row whose value is no number."""
        return (self._number(i, row) for i, row in enumerate(records.values()))

    def _number(self, i: int, row: JSON) -> float:
        if self._column not in row:
            names = ", ".join(map(repr, list(row)[:8]))
            raise ValueError(f"column: row {i} has no column {self._column!r}, it has {names}")
        value = row[self._column]
        if value is None or (isinstance(value, str) and not value.strip()):
            return math.nan
        try:
            number = float(value)  # text too: all fields of a CSV file are text
        except (TypeError, ValueError):
            number = math.inf
        if isinstance(value, bool) or math.isinf(number):
            raise ValueError(
                f"column: row {i} has {str(value)[:40]!r} in {self._column!r}, wanted a finite number or null"
            )
        return number


class ResponseLength(RowScorer):
    """Length of the response, in words between white space or in characters (Unicode code points)."""

    kind = "heuristic"

    def __init__(self, name: str) -> None:
        self.name = name

    def identity(self) -> JSON:
        """Return nothing: the name says it all."""
        return {}

    def numbers(self, records: Records) -> Iterator[float]:
        """Yield the length of each row's output."""
        words = self.name == "response-words"
        return (len(row.output.split() if words else row.output) for row in records.rows())
