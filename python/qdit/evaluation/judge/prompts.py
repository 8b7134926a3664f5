"""What a judge is asked about two answers, and how its verdict is read."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from ...common.checks import check_choice
from ...models.answers import first_line

FIRST, TIE, SECOND = 1.0, 1.5, 2.0  # verdicts, as alpaca_eval writes preferences
_NUMBER = r"(\d+(?:\.\d+)?)(?:\s*/\s*10)?"
_NAME = r"(?:(?:the\s+)?(?:assistant|answer|response|model|ai)\s*)?"
_SCORES = re.compile(
    rf"[*_#\s]*(?:scores?\s*:)?[*_\s]*(?:{_NAME}[1a]\s*[:=]\s*)?{_NUMBER}[\s,;|*_]+(?:and\s+)?"
    rf"(?:{_NAME}[2b]\s*[:=]\s*)?{_NUMBER}[*_\s.]*",
    re.IGNORECASE,
)
_BETTER = re.compile(rf"[*_#\s\[\]\"']*{_NAME}(1|2|tie)[*_\s\[\]\"'.]*", re.IGNORECASE)


@dataclass(frozen=True)
class Prompt:
    """A question about two answers.

    Attributes:
        name: as on the command line.
        messages: the request as a function of instruction, first answer and second answer.
        parse: the verdict in a reply, `FIRST`, `TIE` or `SECOND`; None if it has none.

    """

    name: str
    messages: Callable[[str, str, str], list[dict[str, str]]]
    parse: Callable[[str], float | None]


def _score_messages(instruction: str, first: str, second: str) -> list[dict[str, str]]:
    system = "You are a helpful and precise assistant for checking the quality of the answer."
    asked = (
        f"[Question]\n{instruction}\n\n"
        f"[The Start of Assistant 1's Answer]\n{first}\n\n[The End of Assistant 1's Answer]\n\n"
        f"[The Start of Assistant 2's Answer]\n{second}\n\n[The End of Assistant 2's Answer]\n\n"
        "[System]\n"
        "We would like to request your feedback on the performance of two AI assistants in response to the "
        "user question displayed above.\n"
        "Please rate the helpfulness, relevance, accuracy, level of details of their responses. Each "
        "assistant receives an overall score on a scale of 1 to 10, where a higher score indicates better "
        "overall performance.\n"
        "Please first output a single line containing only two values indicating the scores for Assistant 1 "
        "and 2, respectively. The two scores are separated by a space. In the subsequent line, please "
        "provide a comprehensive explanation of your evaluation, avoiding any potential bias and ensuring "
        "that the order in which the responses were presented does not affect your judgment.\n\n"
    )
    return [{"role": "system", "content": system}, {"role": "user", "content": asked}]


def parse_scores(reply: str) -> float | None:
    """Return the verdict of two scores from 1 to 10 on the first line.

    Accepted are two numbers and plain dressing around them ("8 7", "**8/10, 7/10**", "Assistant 1: 8,
    Assistant 2: 7"); anything else is not guessed at.
    """
    match = _SCORES.fullmatch(first_line(reply))
    if match is None:
        return None
    first, second = float(match[1]), float(match[2])
    if not (1 <= first <= 10 and 1 <= second <= 10):
        return None
    return TIE if first == second else FIRST if first > second else SECOND


def _better_messages(instruction: str, first: str, second: str) -> list[dict[str, str]]:
    system = (
        "You compare the answers of two assistants to the same instruction and say which one a careful human "
        "reader would prefer: one that does what was asked, is correct, and is clear. Neither the order of "
        "the answers nor their length counts by itself."
    )
    asked = (
        f"### Instruction\n{instruction}\n\n### Answer of assistant 1\n{first}\n\n"
        f"### Answer of assistant 2\n{second}\n\n"
        "### Task\nWhich answer is better? Reply with a single line that holds nothing but 1, 2 or tie."
    )
    return [{"role": "system", "content": system}, {"role": "user", "content": asked}]


def parse_better(reply: str) -> float | None:
    """Return the verdict of a first line that says 1, 2 or tie, perhaps "Assistant 1" or "[[2]]"."""
    match = _BETTER.fullmatch(first_line(reply))
    return None if match is None else {"1": FIRST, "2": SECOND, "tie": TIE}[match[1].lower()]


PROMPTS = {
    # Chiang et al., "Vicuna" (2023); Chen et al., AlpaGasus, arXiv 2307.08701, ask in the same words
    "scores": Prompt("scores", _score_messages, parse_scores),
    # the question of AlpacaEval, Li et al. (2023), in our words, with ties
    "better": Prompt("better", _better_messages, parse_better),
}


def get_prompt(name: str) -> Prompt:
    """Return a prompt by its name; ValueError for an unknown one."""
    return PROMPTS[check_choice("prompt", name, tuple(PROMPTS))]
