"""Answers of a model to questions, as JSON Lines: read, checked, and paired with those of another model."""

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from ..common.types import JSON, StrPath
from ..generation.questions import Question
from ..records.formats import text_of
from ..records.row import Row
from .fields import Object, integer, optional, read_rows

REFERENCE = "reference"  # instead of a file: the answers that come with the questions


@dataclass(frozen=True)
class Answer:
    """One answer.

    Attributes:
        question: what was asked.
        output: what the model said.
        finish: "stop", or "length" if it was cut off; None where that is not known.

    """

    question: Question
    output: str
    finish: str | None = None

    def row(self, index: int) -> Row:
        """Return question and answer as a row, which a reward model can score."""
        asked, said = self.question.instruction, self.output
        turns = (("user", asked), ("assistant", said))
        return Row(index, self.question.id, self.question.set, asked, "", said, turns)


@dataclass(frozen=True)
class Answers:
    """The answers of one model.

    Attributes:
        model: its name in results.
        answers: in the order of the file; no question twice.
        path: of the file they come from.

    """

    model: str
    answers: tuple[Answer, ...]
    path: str

    def __len__(self) -> int:
        return len(self.answers)

    def rows(self, start: int = 0, stop: int | None = None) -> Iterator[Row]:
        """Yield answers start to stop as rows."""
        for index in range(*slice(start, stop).indices(len(self))):
            yield self.answers[index].row(index)

    @property
    def sha256(self) -> str:
        """The hash of what was asked and said."""
        digest = hashlib.sha256()
        for answer in self.answers:
            digest.update(json.dumps([asdict(answer.question), answer.output]).encode() + b"\n")
        return digest.hexdigest()

    def describe(self) -> JSON:
        """Return name, number and hash, for a result."""
        return {"name": self.model, "rows": len(self), "sha256": self.sha256}


def read_answers(path: StrPath, name: str | None = None) -> Answers:
    """Return the answers of a file.

    Each row is an object with set, id, instruction, model and output, perhaps category, difficulty, reference
    and finish, as ``qdit generate`` writes it; or with instruction, output and generator, perhaps dataset, as
    alpaca_eval keeps outputs (the id is then the row's number).

    Args:
        path: JSON Lines or a JSON array, plain or compressed.
        name: of the model in results; None for what the rows say.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: that names file, row and field.

    """
    path = Path(path)
    rows = read_rows("answers", path, _answer)
    seen: dict[tuple[str, str], int] = {}
    for row, (answer, _) in rows.items():
        first = seen.setdefault((answer.question.set, answer.question.id), row)
        if first != row:
            raise ValueError(
                f"{path}, row {row}: question {answer.question.id!r} of set {answer.question.set!r} is "
                f"answered in row {first} already; keep one of them"
            )
    models = list(dict.fromkeys(model for _, model in rows.values()))
    if name is None and len(models) > 1:
        raise ValueError(
            f"{path} holds answers of {len(models)} models, {' and '.join(map(repr, models[:2]))}; "
            "wanted a file for each"
        )
    return Answers(name or models[0], tuple(answer for answer, _ in rows.values()), os.fspath(path))


def open_answers(given: str) -> Answers:
    """Return the answers that a command line names as FILE or NAME=FILE."""
    name, equals, path = given.partition("=")
    if given and (not equals or Path(given).exists()):
        return read_answers(given)
    if not name or not path:
        raise ValueError(f"answers: got {given!r}, wanted FILE or NAME=FILE")
    return read_answers(path, name)


def open_all(given: Sequence[str]) -> list[Answers]:
    """Return what `open_answers` does for each; ValueError for none, or two of one name."""
    if not given:
        raise ValueError("answers: got no file, wanted at least one")
    found = [open_answers(one) for one in given]
    for number, one in enumerate(found):
        other = next((earlier for earlier in found[:number] if earlier.model == one.model), None)
        if other is not None:
            raise ValueError(
                f"answers: {other.path} and {one.path} are both of model {one.model!r}; "
                "tell them apart with NAME=FILE"
            )
    return found


def references(answers: Answers) -> Answers:
    """Return the reference answers of the same questions, as if a model had given them."""
    without = [one.question.id for one in answers.answers if one.question.reference is None]
    if without:
        raise ValueError(
            f"{answers.path}: {len(without)} of {len(answers)} questions have no reference, the "
            f"first is {without[0]!r}; name a file of answers instead"
        )
    found = (replace(one, output=one.question.reference or "", finish=None) for one in answers.answers)
    return Answers(REFERENCE, tuple(found), answers.path)


def pair(first: Answers, second: Answers) -> list[tuple[Answer, Answer]]:
    """Return both answers to every question of `first`, in its order.

    Questions are the same if set and id are.

    Raises:
        ValueError: if `second` lacks a question, or was asked something else under its id.

    """
    others = {(one.question.set, one.question.id): one for one in second.answers}
    pairs = []
    missing: list[Question] = []
    for one in first.answers:
        other = others.get((one.question.set, one.question.id))
        if other is None:
            missing.append(one.question)
        elif other.question.instruction != one.question.instruction:
            raise ValueError(
                f"{first.model} and {second.model} were asked different things as question "
                f"{one.question.id!r} of set {one.question.set!r}; answer the same file of questions"
            )
        else:
            pairs.append((one, other))
    if missing:
        raise ValueError(
            f"{second.model} has no answer to {len(missing)} of {len(first)} questions of {first.model}, the "
            f"first is {missing[0].id!r} of set {missing[0].set!r}; answer the same file of questions"
        )
    return pairs


def _answer(row: int, value: Object) -> tuple[Answer, str]:
    if "generator" in value and "model" not in value:  # what alpaca_eval writes
        said = {name: value.get(name) for name in ("instruction", "output")}
        own = {"set": "alpaca-eval", "id": str(row), "model": value["generator"]}
        value = {**own, "category": value.get("dataset"), **said}
    question = Question(
        set=text_of(value, "set"),
        id=text_of(value, "id"),
        instruction=text_of(value, "instruction"),
        category=optional(value, "category", text_of),
        difficulty=optional(value, "difficulty", integer),
        reference=optional(value, "reference", text_of),
    )
    answer = Answer(question, text_of(value, "output"), optional(value, "finish", text_of))
    return answer, text_of(value, "model")
