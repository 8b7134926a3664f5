"""Answers of models, kept on disk as they come: what is paid for once is not asked for again."""

import re
from abc import abstractmethod
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from ..common.journal import Journal, Value
from ..common.types import JSON

STOP, LENGTH = "stop", "length"
_THINKING = re.compile(r"\A\s*<think>.*?</think>", re.DOTALL)


def first_line(answer: str) -> str:
    """Return the first line of an answer, without what the model thought before it; "" if there is none."""
    lines = _THINKING.sub("", answer).strip().splitlines()
    return lines[0].strip() if lines else ""


class Answers(Journal[Value]):
    """A file of answers, by the hash of their request."""

    @abstractmethod
    def add(self, key: str, answer: str, prompt_tokens: int, completion_tokens: int) -> None:
        """Keep an answer of a server."""


class Rated(NamedTuple):
    """A rating, None if the answer could not be read, and the tokens it took."""

    rating: float | None
    prompt_tokens: int
    completion_tokens: int


class RatedAnswers(Answers[Rated]):
    """Answers of a judge; fields of a line: "answer", its text, "prompt_tokens", "completion_tokens"."""

    def __init__(self, path: Path, parse: Callable[[str], float | None], *, retry: bool = False) -> None:
        """See `Journal`.

        Args:
            path: of the file, whose folder is held.
            parse: returns the rating that an answer gives.
            retry: leave out answers without one, so that they are asked for again; the file keeps them.

        """

        def read(fields: JSON) -> Rated:
            used = int(fields["prompt_tokens"]), int(fields["completion_tokens"])
            return Rated(parse(fields["answer"]), *used)

        super().__init__(path, read)
        if retry:
            self.forget(lambda rated: rated.rating is None)

    def add(self, key: str, answer: str, prompt_tokens: int, completion_tokens: int) -> None:
        """Keep an answer."""
        tokens = {"prompt_tokens": prompt_tokens, "completion_tokens": completion_tokens}
        self.write([(key, {"answer": answer, **tokens})])


class Written(NamedTuple):
    """An answer: its text, why it ended ("stop" or "length"), and the tokens that it took."""

    output: str
    finish: str
    prompt_tokens: int
    completion_tokens: int


class WrittenAnswers(Answers[Written]):
    """A held file of answers; fields of a line: "output", "finish", "prompt_tokens", "completion_tokens"."""

    def __init__(self, path: Path, limit: int | None = None) -> None:
        """See `Journal`; limit: tokens at which a server cuts an answer, for `add`."""
        self._limit = limit
        super().__init__(path, lambda fields: Written(**fields), doing="writing these answers")

    def add(self, key: str, answer: str, prompt_tokens: int, completion_tokens: int) -> None:
        """Keep an answer of a server; it was cut if it has as many tokens as it might."""
        cut = self._limit is not None and completion_tokens >= self._limit
        self.extend([(key, Written(answer, LENGTH if cut else STOP, prompt_tokens, completion_tokens))])

    def extend(self, answers: Iterable[tuple[str, Written]]) -> None:
        """Keep several answers, in one piece."""
        self.write((key, answer._asdict()) for key, answer in answers)
