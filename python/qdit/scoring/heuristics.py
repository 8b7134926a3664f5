"""Cheap stand-ins for quality that look at the response alone. They know nothing of its content."""

from __future__ import annotations

from collections.abc import Iterator

from ..common.types import JSON
from ..records import Records
from .scorer import RowScorer

LENGTHS = ("response-words", "response-chars")


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
