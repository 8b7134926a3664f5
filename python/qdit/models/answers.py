"""Answers of models, kept on disk as they come: what is paid for once is not asked for again."""

import json
import math
import re
from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from ..common.journal import Journal, Value
from ..common.text import shorten
from ..common.types import JSON
from .client import Answer

STOP, LENGTH = "stop", "length"
_SHOWN = 80  # characters of an answer in an error
_TAG = "(?:think|thinking|thought|reasoning)[>\\]]"
_OPEN, _CLOSE = rf"[<\[]{_TAG}", rf"[<\[]/{_TAG}"
_REASONING = re.compile(  # to its end, or all of the answer; what opens it may stand in the prompt
    rf"\A\s*{_OPEN}.*?(?:{_CLOSE}|\Z)|\A(?:(?!{_OPEN}).)*?{_CLOSE}", re.DOTALL | re.IGNORECASE
)
_LABEL = re.compile(r"[#*_`]\D*|.*:[*_\s]*")  # of what the next line says


def without_reasoning(answer: str) -> str:
    """Return an answer without what the model thought before it; "" where it got no further than that."""
    rest = _REASONING.sub("", answer)
    return answer if rest == answer else rest.lstrip("\r\n")


def _said(answer: str) -> str:
    rest = without_reasoning(answer)
    return rest if rest.strip() else answer


def first_line(answer: str) -> str:
    """Return the first line of an answer, with the next one if it is a label; "" without one."""
    lines = [line.strip() for line in without_reasoning(answer).splitlines() if line.strip()]
    return " ".join(lines[: 2 if lines and _LABEL.fullmatch(lines[0]) else 1])


def read_object(answer: str) -> list[str]:
    """Return the fields of an answer that is an object of JSON, each as "name: value"; [] if it is none."""
    text = without_reasoning(answer).strip().removeprefix("```json").strip("`\n ")
    try:
        fields = json.loads(text) if text.startswith("{") else {}
    except (ValueError, RecursionError):
        return []
    return [f"{name.replace('_', ' ')}: {value}" for name, value in fields.items()]


class Useless(NamedTuple):
    """An answer that was paid for and is of no use: why, after "answers", and what it says."""

    why: str
    text: str


def explain(text: str, finish: str | None, limit: int | None, otherwise: str) -> Useless:
    """Return why an answer is of no use; otherwise: what is wrong with one that is whole."""
    if finish == LENGTH:
        return Useless("cut off" if limit is None else f"cut off at {limit} tokens", text)
    if finish == "content_filter":
        return Useless("stopped by the endpoint's content filter", text)
    if not without_reasoning(text).strip():
        return Useless("of reasoning alone" if text.strip() else "without text", text)
    return Useless(otherwise, text)


def describe_useless(found: Sequence[Useless]) -> str:
    """Return how many answers are of no use, why, and what one of the most frequent kind says."""
    counts = Counter(one.why for one in found).most_common()
    text = " and ".join(f"{count:,} {why}" for why, count in counts).replace(" ", " answers ", 1)
    shown = next((" ".join(one.text.split()) for one in found if one.why == counts[0][0]), "")
    return f"{text}, such as {shorten(shown, _SHOWN)!r}" if shown else text


class Answers(Journal[Value]):
    """A file of answers, by the hash of their request; `useless` of each says why it is of no use.

    The hash is that of the request but for its limit of tokens, which each line names: a whole answer is one
    to the same request with a larger limit too, and one of no use is asked for again when the limit changes.
    """

    @abstractmethod
    def add(self, key: str, answer: Answer) -> None:
        """Keep an answer of a server."""


def _ending(finish: str | None, tokens: int, limit: int | None) -> str:
    """Return why an answer ended; where the server did not say, by the tokens that it has."""
    return finish or (LENGTH if limit is not None and tokens >= limit else STOP)


class Rated(NamedTuple):
    """A rating, None if the answer could not be read, and why; the tokens it took, and might have had."""

    rating: float | None
    prompt_tokens: int
    completion_tokens: int
    limit: int | None = None
    useless: Useless | None = None


class RatedAnswers(Answers[Rated]):
    """Answers of a judge.

    Fields of a line: "answer", its text, "finish", why it ended, "limit", of its tokens, "prompt_tokens" and
    "completion_tokens". Earlier versions wrote neither "finish" nor "limit", which is in their hashes.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        parse: Callable[[str], float | None],
        *,
        unreadable: str = "without a rating",
        limit: int | None = None,
        retry: bool = False,
    ) -> None:
        """See `Journal`.

        Args:
            paths: of the file, whose folder is held, and of those of earlier versions, which are read only.
            parse: returns the rating that an answer gives.
            unreadable: what an answer is called that gives none though it is whole.
            limit: tokens of an answer at most, from now on.
            retry: leave out answers without a rating, so that they are asked for again; the file keeps them.

        """
        self._limit = limit

        def read(fields: JSON) -> Rated:
            text, asked, made = (fields[name] for name in ("answer", "prompt_tokens", "completion_tokens"))
            most = fields.get("limit", limit)
            rating = parse(text)
            if rating is not None:
                return Rated(rating, int(asked), int(made), most)
            finish = _ending(fields.get("finish"), made, most)
            return Rated(None, int(asked), int(made), most, explain(text, finish, most, unreadable))

        super().__init__(paths[0], read, older=paths[1:])
        self.forget(lambda one: one.rating is None and (retry or one.limit != limit))

    def add(self, key: str, answer: Answer) -> None:
        """Keep an answer."""
        fields = {**answer._asdict(), "limit": self._limit}
        self.write([(key, {"answer": fields.pop("text"), **fields})])


class Written(NamedTuple):
    """An answer: its text, why it ended, the tokens that it took, and those that it might have had.

    It ended with "stop" or "length", or with what a server says instead.
    """

    output: str
    finish: str
    prompt_tokens: int
    completion_tokens: int
    limit: int | None = None

    @property
    def useless(self) -> Useless | None:
        """Why this is no answer; None if it is one."""
        if without_reasoning(self.output).strip():
            return None
        return explain(self.output, self.finish, self.limit, "")


class WrittenAnswers(Answers[Written]):
    """A held file of answers; the fields of a line are those of `Written`."""

    def __init__(self, path: Path, limit: int | None = None) -> None:
        """See `Journal`; limit: tokens at which a server cuts an answer from now on."""
        self._limit = limit
        most = math.inf if limit is None else limit
        defaults: JSON = {"limit": limit}
        super().__init__(path, lambda fields: Written(**defaults | fields), doing="writing these answers")
        self.forget(lambda one: one.limit != limit and (one.finish != STOP or one.completion_tokens > most))

    def add(self, key: str, answer: Answer) -> None:
        """Keep an answer of a server."""
        finish = _ending(answer.finish, answer.completion_tokens, self._limit)
        self.extend([(key, Written(answer.text, finish, *answer[2:], self._limit))])

    def extend(self, answers: Iterable[tuple[str, Written]]) -> None:
        """Keep several answers, in one piece, without the reasoning before each unless there is no more."""
        self.write((key, answer._replace(output=_said(answer.output))._asdict()) for key, answer in answers)
