"""The protocol of InstructEval: how its prompts are put together and what it counts as right.

Chia et al., "InstructEval: Towards Holistic Evaluation of Instruction-Tuned Large Language Models",
arXiv 2306.04757; the details, as far as the paper leaves them open, are those of its public code.

MMLU, BBH and DROP: a few examples, each ending in "Answer: ...", then the question and "Answer:". The model
goes on greedily for 2, 32 or 8 tokens, and is right if its text, stripped, begins with the answer. Examples
leave from the end until the prompt has at most 2,048 tokens.

HumanEval: a sentence that asks for completion, then the problem; one sample at temperature 0.1, of which the
first paragraph counts.
"""

import random
from collections.abc import Sequence
from typing import Any

from ...common.types import JSON

LETTERS = "ABCD"
SHOTS = {"mmlu": 5, "bbh": 3, "drop": 3}
MAX_PROMPT_TOKENS = 2048

Doc = dict[str, Any]  # subtask, header, shots (a list), question, target: texts


def prompt(doc: JSON) -> str:
    """Return what the model is given."""
    return f"{doc['header']}{''.join(doc['shots'])}{doc['question']}"


def is_match(answer: str, target: str) -> bool:
    """Return whether a model's text counts as right: it begins with the target."""
    return answer.strip().startswith(target)


def mmlu_docs(dev: Sequence[JSON], test: Sequence[JSON]) -> list[Doc]:
    """Return documents of rows {subject, question, choices (4 texts), answer (a letter)}; shots are from dev.

    ValueError for a subject without as many dev rows as there are shots.
    """
    shots: dict[str, list[str]] = {}
    for row in dev:
        kept = shots.setdefault(row["subject"], [])
        if len(kept) < SHOTS["mmlu"]:
            kept.append(_example(_choices(row), row["answer"]))
    docs = []
    for row in test:
        subject = row["subject"]
        _check_shots("mmlu", subject, len(shots.get(subject, [])))
        # two spaces: the original puts one before every word of the subject, and one before the subject
        header = (
            "The following are multiple choice questions (with answers) about  "
            f"{subject.replace('_', ' ')}.\n\n"
        )
        docs.append(_doc(subject, header, shots[subject], _choices(row), row["answer"]))
    return docs


def bbh_docs(rows: Sequence[JSON]) -> list[Doc]:
    """Return documents of rows {task, input, target}; the first rows of each task are its shots."""
    by_task: dict[str, list[JSON]] = {}
    for row in rows:
        by_task.setdefault(row["task"], []).append(row)
    docs = []
    for task, found in by_task.items():
        count = SHOTS["bbh"]
        _check_shots("bbh", task, len(found) - 1)
        shots = [_example(row["input"], row["target"]) for row in found[:count]]
        docs += [_doc(task, "", shots, row["input"], row["target"]) for row in found[count:]]
    return docs


def drop_docs(rows: Sequence[JSON], seed: int = 0) -> list[Doc]:
    """Return documents of rows {passage, question, answers}.

    Only rows whose answers all agree count. The shots are drawn from them, and rows that share a passage with
    a shot are left out.
    """
    agreed = [row for row in rows if len({answer.strip() for answer in row["answers"]}) == 1]
    _check_shots("drop", "all rows", len(agreed) - 1)
    drawn = random.Random(seed).sample(agreed, SHOTS["drop"])
    passages = {row["passage"] for row in drawn}
    shots = [_example(_passage(row), _answer(row)) for row in drawn]
    rest = [row for row in agreed if row["passage"] not in passages]
    return [_doc("drop", "", shots, _passage(row), _answer(row)) for row in rest]


def _doc(subtask: str, header: str, shots: Sequence[str], text: str, target: str) -> Doc:
    return {
        "subtask": subtask,
        "header": header,
        "shots": list(shots),
        "question": f"{text}\nAnswer:",
        "target": target,
    }


def _example(text: str, target: str) -> str:
    return f"{text}\nAnswer: {target}\n\n"


def _choices(row: JSON) -> str:
    options = [f"{letter}. {choice}" for letter, choice in zip(LETTERS, row["choices"], strict=True)]
    return "\n".join([row["question"], *options])


def _passage(row: JSON) -> str:
    return f"{row['passage'].strip()} {row['question'].strip()}"


def _answer(row: JSON) -> str:
    return str(row["answers"][0]).strip()


def _check_shots(benchmark: str, what: str, rows: int) -> None:
    if rows < SHOTS[benchmark]:
        raise ValueError(
            f"{benchmark}: {what}: {max(0, rows)} rows to take examples from, wanted {SHOTS[benchmark]}, and "
            "at least one to ask"
        )


CODE_REQUEST = (
    "Please complete the following Python code without providing any additional tasks such as testing or "
    "explanations\n"
)
CODE_TOKENS = 512


def code_prompt(problem: str) -> str:
    """Return what the model is given for a HumanEval problem."""
    return CODE_REQUEST + problem


def code_temperature(samples: int) -> float:
    """Return the temperature for so many samples of a problem; InstructEval has it for 1, 10 and 100."""
    return 0.1 if samples < 10 else 0.6 if samples < 100 else 0.8


def first_paragraph(text: str) -> str:
    """Return the part of a model's text that counts as completion.

    Lines indented by an odd number of spaces get one more; leading line breaks go; an empty line ends it.
    """
    lines = [" " + line if _indent(line) % 2 else line for line in text.split("\n")]
    return "\n".join(lines).lstrip("\n").split("\n\n")[0]


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))
