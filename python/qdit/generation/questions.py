"""What is asked."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, fields

from ..common.types import JSON
from ..records import Row


@dataclass(frozen=True)
class Question:
    """One question of an evaluation set.

    Attributes:
        set: name of its set.
        id: unique in its set.
        instruction: what the model is asked; an input follows after an empty line.
        category: what the set groups it by (WizardLM: skill, Vicuna: category, Self-Instruct: the application
            that motivated it, AlpacaEval: data set), or None.
        difficulty: as the set rates it (WizardLM: 1 to 10), or None.
        reference: an answer that comes with the set, or None.

    """

    set: str
    id: str
    instruction: str
    category: str | None = None
    difficulty: int | None = None
    reference: str | None = None

    @property
    def named(self) -> JSON:
        """What names the question in a row of results."""
        return {"set": self.set, "id": self.id, "category": self.category}


def as_json(question: Question) -> JSON:
    """Return a question's fields, in the order of an answers file."""
    return {field.name: getattr(question, field.name) for field in fields(Question)}


def as_row(question: Question) -> Row:
    """Return a question as a row, for prompts."""
    return Row(0, question.id, question.set, question.instruction, "", "", (("user", question.instruction),))


def hash_questions(questions: Iterable[Question]) -> str:
    """Return the sha256 of questions in order, whatever file they came from."""
    digest = hashlib.sha256()
    for question in questions:
        digest.update(json.dumps(as_json(question), sort_keys=True).encode() + b"\n")
    return digest.hexdigest()


def draw_key(seed: int, question: Question) -> bytes:
    """Return what a question's draws depend on: the seed, its set, id and text, and nothing else."""
    text = json.dumps([seed, question.set, question.id, question.instruction])
    return hashlib.sha256(text.encode()).digest()
