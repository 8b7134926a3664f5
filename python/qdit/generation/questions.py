"""What is asked."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Protocol

from ..common.types import JSON
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


def as_row(question: Asked) -> Row:
    """Return a question as a row, for prompts."""
    return Row(0, question.id, question.set, question.instruction, "", "", (("user", question.instruction),))


def fields(question: Asked) -> JSON:
    """Return a question's fields, in the order of an answers file."""
    return {name: getattr(question, name) for name in _FIELDS}


def hash_questions(questions: Iterable[Asked]) -> str:
    """Return the sha256 of questions in order, whatever file they came from."""
    digest = hashlib.sha256()
    for question in questions:
        digest.update(json.dumps(fields(question), sort_keys=True).encode() + b"\n")
    return digest.hexdigest()


def draw_key(seed: int, question: Asked) -> bytes:
    """Return what a question's draws depend on: the seed, its set, id and text, and nothing else."""
    text = json.dumps([seed, question.set, question.id, question.instruction])
    return hashlib.sha256(text.encode()).digest()
