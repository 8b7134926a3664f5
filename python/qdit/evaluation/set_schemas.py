"""The published evaluation sets: the fields of their rows, and how a question is made of them."""

from collections.abc import Callable, Mapping
from typing import Any

from ..records.formats import join_input, make_layout, text_of
from ..records.row import RowError
from .fields import Object, identifier, integer, optional, texts

Fields = dict[str, Any]  # of a Question; None for the default
Reader = Callable[[Object], Fields]


def _unless_blank(row: Object, field: str) -> str | None:
    """Return a text, None where it is missing, null or blank."""
    value = optional(row, field, text_of)
    return value if value and value.strip() else None


def _self_instruct(row: Object) -> Fields:
    instances = row.get("instances")
    if not isinstance(instances, list) or len(instances) != 1 or not isinstance(instances[0], Mapping):
        raise RowError("instances", "is no list of one object with input and output", instances)
    return {
        "id": identifier(row, "id"),
        "instruction": join_input(text_of(row, "instruction"), text_of(instances[0], "input")),
        "category": _unless_blank(row, "motivation_app"),
        "reference": _unless_blank(instances[0], "output"),
    }


def _wizardlm(row: Object) -> Fields:
    return {
        "id": identifier(row, "idx"),
        "instruction": text_of(row, "Instruction"),
        "category": text_of(row, "Skill"),
        "difficulty": integer(row, "Difficulty"),
    }


def _vicuna(row: Object) -> Fields:
    return {
        "id": identifier(row, "question_id"),
        "instruction": text_of(row, "text"),
        "category": text_of(row, "category"),
    }


def _koala(row: Object) -> Fields:
    return {"id": identifier(row, "id"), "instruction": text_of(row, "prompt")}


def _lima(row: Object) -> Fields:
    turns = texts(row, "conversations")
    return {
        "instruction": turns[0],
        "category": _unless_blank(row, "source"),
        "reference": turns[1] if len(turns) > 1 else None,
    }


def _alpaca_eval(row: Object) -> Fields:
    reference = "reference_text_davinci_003" if "output" not in row else "output"
    return {
        "instruction": text_of(row, "instruction"),
        "category": text_of(row, "dataset"),
        "reference": _unless_blank(row, reference),
    }


_SHAREGPT = make_layout("sharegpt", None)


def _sharegpt(row: Object) -> Fields:
    instruction, _, output, _ = _SHAREGPT.read(row)
    return {
        "id": identifier(row, "id") if "id" in row else None,
        "instruction": instruction,
        "reference": output if output.strip() else None,
    }


def _jsonl(row: Object) -> Fields:
    return {
        "set": _unless_blank(row, "set"),
        "id": optional(row, "id", identifier),
        "instruction": join_input(text_of(row, "instruction"), _unless_blank(row, "input") or ""),
        "category": _unless_blank(row, "category"),
        "difficulty": optional(row, "difficulty", integer),
        "reference": _unless_blank(row, "reference"),
    }


READERS: Mapping[str, tuple[Reader, int | None]] = {  # with the published number of questions
    "self-instruct": (_self_instruct, 252),
    "wizardlm": (_wizardlm, 218),
    "vicuna": (_vicuna, 80),
    "koala": (_koala, 180),
    "lima": (_lima, 300),
    "alpaca-eval": (_alpaca_eval, 805),
    "sharegpt": (_sharegpt, None),
    "jsonl": (_jsonl, None),
}
