"""What is asked, and the settings of an answer."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from ..common import checks
from ..models.prompts import check_template
from ..records import Row

_FIELDS = ("set", "id", "instruction", "category", "difficulty", "reference")


class Asked(Protocol):
    """A question; `qdit.evaluation.sets.Question` is one."""

    @property
    def set(self) -> str:
        """Name of its set."""

    @property
    def id(self) -> str:
        """Unique in its set."""

    @property
    def instruction(self) -> str:
        """What the model is asked."""

    @property
    def category(self) -> str | None:
        """What the set groups it by."""

    @property
    def difficulty(self) -> int | None:
        """As the set rates it."""

    @property
    def reference(self) -> str | None:
        """An answer that comes with the set."""


@dataclass(frozen=True)
class Settings:
    """How answers are made.

    Attributes:
        template: "alpaca", "chat" or a format string.
        max_new_tokens: after which an answer is cut.
        stop: texts before which an answer ends.
        temperature: 0 takes the most likely token every time.
        top_p: draw from the fewest tokens that have this probability together (Holtzman et al., 2020).
        seed: of the draws, with each question's own text.

    """

    template: str
    max_new_tokens: int = 512
    stop: tuple[str, ...] = ()
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the values; ValueError says what is wrong."""
        check_template(self.template)
        if checks.check_int("max_new_tokens", self.max_new_tokens) < 1:
            raise ValueError(f"max_new_tokens: got {self.max_new_tokens}, wanted at least 1")
        if checks.check_float("temperature", self.temperature) < 0:
            raise ValueError(f"temperature: got {self.temperature}, wanted 0 or more")
        if not 0 < checks.check_float("top_p", self.top_p) <= 1:
            raise ValueError(f"top_p: got {self.top_p}, wanted a number above 0, at most 1")
        checks.check_seed(self.seed)
        if not all(isinstance(text, str) and text for text in self.stop):
            raise ValueError(f"stop: got {list(self.stop)!r}, wanted texts that are not empty")

    def describe(self) -> dict[str, Any]:
        """Return the values as JSON; without draws, what they depend on does not matter."""
        values = asdict(self) | {"stop": list(self.stop)}
        return values if self.temperature else values | {"top_p": 1.0, "seed": 0}


def as_row(question: Asked) -> Row:
    """Return a question as a row, for prompts."""
    return Row(0, question.id, question.set, question.instruction, "", "", (("user", question.instruction),))


def fields(question: Asked) -> dict[str, Any]:
    """Return a question's fields, in the order of an answers file."""
    return {name: getattr(question, name) for name in _FIELDS}


def sha256(questions: Sequence[Asked]) -> str:
    """Return the hash of questions in order."""
    digest = hashlib.sha256()
    for question in questions:
        digest.update(json.dumps(fields(question), sort_keys=True).encode() + b"\n")
    return digest.hexdigest()


def draw_key(settings: Settings, question: Asked) -> bytes:
    """Return what a question's draws depend on: the seed, its set, id and text, and nothing else."""
    text = json.dumps([settings.seed, question.set, question.id, question.instruction])
    return hashlib.sha256(text.encode()).digest()
