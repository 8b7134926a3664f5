"""What a judge is asked, and how its answer is read."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from ..models.answers import first_line, read_object
from ..models.asking import Messages
from ..records import Row

_RATING = re.compile(
    r"[*_#`\[\]\"'\s]*(?:(?:the\s+)?(?:overall\s+)?(?:score|rating|value|complexity|quality|accuracy)\b[*_\s]*(?:is|:|=)?)?"
    r"[*_\s]*(-?\d+(?:\.\d+)?)(?:\s*/\s*(\d+)(?:\.0)?)?[*_`\[\]\"'\s.]*",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Rubric:
    """A question put to a judge about each row.

    Attributes:
        name: as in `by`.
        low, high: the scale.
        messages: the request as a function of the row.

    """

    name: str
    low: float
    high: float
    messages: Callable[[Row], Messages]

    def parse(self, answer: str) -> float | None:
        """Return the rating on the first line of the answer; None if there is no number on the scale.

        Accepted are a bare number, plain dressing around it ("Score: 4.5", "**4**", "4/5", "Score:" and the
        number below) and an object of JSON with one field of such a name; anything else, such as a sentence
        or two numbers, is not guessed at.
        """
        lines = read_object(answer) or [first_line(answer)]
        found = [match for line in lines if (match := _RATING.fullmatch(line))]
        if len(found) != 1 or (found[0][2] is not None and float(found[0][2]) != self.high):
            return None
        rating = float(found[0][1])
        return rating if self.low <= rating <= self.high else None


def alpagasus(dimension: str = "accuracy") -> Rubric:
    """Return the rating from 0 to 5 of AlpaGasus (Chen et al., arXiv 2307.08701, Figure 3)."""
    question = (
        f"Please rate according to the {dimension} of the response to the instruction and the input. Each "
        "assistant receives a score on a scale of 0 to 5, where a higher score indicates higher level of the "
        f"{dimension}. Please first output a single line containing the value indicating the scores. In the "
        "subsequent line, please provide a comprehensive explanation of your evaluation, avoiding any "
        "potential bias."
    )

    def messages(row: Row) -> Messages:
        shown = (
            "We would like to request your feedback on the performance of AI assistant in response to the "
            "instruction and the given input displayed following.\n\n"
            f"Instruction: {row.instruction}\nInput: {row.input}\nResponse: {row.output}"
        )
        return [{"role": "system", "content": shown}, {"role": "user", "content": question}]

    return Rubric("alpagasus", 0, 5, messages)


_SCALE = "Answer with a single line that holds nothing but the number."


def _complexity(row: Row) -> Messages:
    task = (
        "How complex is the instruction below, on a scale from 1 to 6? Count the knowledge, the steps of "
        "reasoning and the constraints that a good response needs: 1 is a single trivial step, 6 needs an "
        f"expert and many steps that depend on each other. Do not carry the instruction out. {_SCALE}"
    )
    return [{"role": "system", "content": task}, {"role": "user", "content": _instruction(row)}]


def _quality(row: Row) -> Messages:
    task = (
        "How good is the response to the instruction below, on a scale from 1 to 6? Look at whether it is "
        "helpful, relevant, accurate, deep and detailed enough: 1 is wrong or useless, 6 is as good as an "
        f"expert's careful work. {_SCALE}"
    )
    shown = f"{_instruction(row)}\n\n### Response\n{row.output}"
    return [{"role": "system", "content": task}, {"role": "user", "content": shown}]


def _instruction(row: Row) -> str:
    given = f"\n\n### Input\n{row.input}" if row.input.strip() else ""
    return f"### Instruction\n{row.instruction}{given}"


def deita(aspect: str) -> Rubric:
    """Return a rating from 1 to 6 of "complexity" or "quality", after DEITA (Liu et al., arXiv 2312.15685).

    The scale and the two aspects are DEITA's; the wording is for any chat model that judges one row at a
    time, not for DEITA's own fine-tuned scorers.
    """
    return Rubric(f"deita-{aspect}", 1, 6, {"complexity": _complexity, "quality": _quality}[aspect])
