"""Answers on disk as they come, so that a run that was stopped goes on."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from ..common import journal

STOP, LENGTH = "stop", "length"


class Written(NamedTuple):
    """An answer: its text, why it ended ("stop" or "length"), and the tokens that it took."""

    output: str
    finish: str
    prompt_tokens: int
    completion_tokens: int


class Journal(journal.Journal[Written]):
    """A held file of answers; fields of a line: "output", "finish", "prompt_tokens", "completion_tokens"."""

    def __init__(self, path: Path, limit: int | None = None) -> None:
        """See the base; limit: tokens at which a server cuts an answer, for `add`."""
        self._limit = limit
        super().__init__(path, lambda fields: Written(**fields), doing="writing these answers")

    def add(self, key: str, answer: str, prompt_tokens: int, completion_tokens: int) -> None:
        """Keep an answer of a server; it was cut if it has as many tokens as it might."""
        cut = self._limit is not None and completion_tokens >= self._limit
        self.extend([(key, Written(answer, LENGTH if cut else STOP, prompt_tokens, completion_tokens))])

    def extend(self, answers: Iterable[tuple[str, Written]]) -> None:
        """Keep several answers, in one piece."""
        self.write((key, answer._asdict()) for key, answer in answers)
