"""Formats of instruction rows: which fields they have, how to tell them, how to read them."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..common.checks import check_choice
from ..common.text import shorten
from .row import RawRow, RowError

Turns = tuple[tuple[str, str], ...]
Parsed = tuple[str, str, str, Turns]  # instruction, input, output, turns
Fields = Mapping[str, str]  # field -> column

_ROLE_OF = {
    **dict.fromkeys(("system", "developer"), "system"),
    **dict.fromkeys(("user", "human", "prompter"), "user"),
    **dict.fromkeys(("assistant", "gpt", "chatgpt", "bot", "model", "bing", "bard"), "assistant"),
}
_OIG_TURN = re.compile(r"(?:^|\n)<(human|bot)>:[ \t]?")


def join_input(instruction: str, given: str) -> str:
    """Return the user's turn of an instruction with the input it is about."""
    return f"{instruction}\n\n{given}" if given.strip() else instruction


def _alpaca(row: RawRow, fields: Fields) -> Parsed:
    instruction = text_of(row, fields["instruction"], filled=True)
    given = "" if row.get(fields["input"]) is None else text_of(row, fields["input"])
    output = text_of(row, fields["output"])
    turns = (("user", join_input(instruction, given)), ("assistant", output))
    return instruction, given, output, turns


def _prompt(row: RawRow, fields: Fields) -> Parsed:
    prompt, completion = fields["prompt"], fields["completion"]
    if isinstance(row.get(prompt), list) and isinstance(row.get(completion), list):  # TRL's chat form
        return _chat(prompt, _turns(row, prompt) + _turns(row, completion))
    asked, answer = text_of(row, prompt, filled=True), text_of(row, completion)
    return asked, "", answer, (("user", asked), ("assistant", answer))


def _messages(row: RawRow, fields: Fields) -> Parsed:
    return _chat(fields["messages"], _turns(row, fields["messages"]))


def _sharegpt(row: RawRow, fields: Fields) -> Parsed:
    turns = _turns(row, fields["conversations"])
    if row.get(fields["system"]):
        turns = (("system", text_of(row, fields["system"])), *turns)
    return _chat(fields["conversations"], turns)


def _ultrachat(row: RawRow, fields: Fields) -> Parsed:
    column = fields["data"]
    texts = _list(row, column)
    for i, text in enumerate(texts):
        if not isinstance(text, str):
            raise RowError(column, f"has {_kind(text)} as turn {i}, wanted text", text)
    return _chat(column, tuple((("user", "assistant")[i % 2], text) for i, text in enumerate(texts)))


def _oig(row: RawRow, fields: Fields) -> Parsed:
    column = fields["text"]
    text = text_of(row, column, filled=True)
    before, *parts = _OIG_TURN.split(text)
    if before.strip() or not parts:
        raise RowError(column, 'does not start with "<human>:" or "<bot>:"', text)
    roles, texts = parts[0::2], parts[1::2]
    return _chat(column, tuple((_ROLE_OF[role], said) for role, said in zip(roles, texts, strict=True)))


@dataclass(frozen=True)
class Format:
    """A format: its fields, those that may be missing, and what reads a row."""

    fields: tuple[str, ...]
    optional: tuple[str, ...]
    read: Callable[[RawRow, Fields], Parsed]
    columns: Mapping[str, str] | None = None  # where they are not called as the fields


FORMATS = {
    "messages": Format(("messages",), (), _messages),
    "sharegpt": Format(("conversations", "system"), ("system",), _sharegpt),
    "alpaca": Format(("instruction", "input", "output"), ("input",), _alpaca),
    "prompt": Format(("prompt", "completion"), (), _prompt),
    "dolly": Format(
        ("instruction", "input", "output"), ("input",), _alpaca, {"input": "context", "output": "response"}
    ),
    "lmsys": Format(("messages",), (), _messages, {"messages": "conversation"}),
    "ultrachat": Format(("data",), (), _ultrachat),
    "oig": Format(("text",), (), _oig),
}
_TELLING: Mapping[
    str, Callable[[Any], bool]
] = {  # these fields may hold anything, so their contents must fit
    "data": lambda value: isinstance(value, list) and bool(value) and isinstance(value[0], str),
    "text": lambda value: isinstance(value, str) and value.startswith("<human>:"),
}
_KNOWN = (
    "instruction and output (Alpaca), conversations (ShareGPT), messages, prompt and completion, or "
    "instruction and response (Dolly)"
)


@dataclass(frozen=True)
class Layout:
    """How the rows of one source are read.

    Attributes:
        format: a name in `FORMATS`.
        columns: the column of every field of the format.

    """

    format: str
    columns: Mapping[str, str]

    def read(self, row: Any) -> Parsed:
        """Return instruction, input, output and turns; RowError if the row is not of this format."""
        if not isinstance(row, Mapping):
            raise RowError("", f"is {_kind(row)}, wanted an object with fields", row)
        return FORMATS[self.format].read(row, self.columns)


def make_layout(format: str, columns: Mapping[str, str] | None) -> Layout:
    """Return the layout of a named format, with the columns given for some or all of its fields."""
    found = FORMATS[check_choice("format", format, tuple(FORMATS))]
    given = dict(columns or {})
    for field in given:
        if field not in found.fields:
            wanted = ", ".join(found.fields)
            raise ValueError(
                f"columns: got field {field!r}, wanted one of {wanted}, those of format {format}"
            )
    return Layout(format, {field: field for field in found.fields} | dict(found.columns or {}) | given)


def detect(row: RawRow, columns: Mapping[str, str] | None) -> Layout:
    """Return the layout that fits a row; formats are tried in the order of `FORMATS`.

    columns: field -> column for those that are called otherwise.

    Raises:
        ValueError: if no format fits.

    """
    given = dict(columns or {})
    for name, format in FORMATS.items():
        if set(given) <= set(format.fields):
            layout = make_layout(name, given)
            needed = (item for item in layout.columns.items() if item[0] not in format.optional)
            if all(column in row and _TELLING.get(field, _any)(row[column]) for field, column in needed):
                return layout
    found = ", ".join(map(repr, list(row)[:12])) or "no fields"
    raise ValueError(
        f"got fields {found}, wanted {_KNOWN}; name them with columns such as "
        '{"instruction": "question", "output": "answer"}, or pass format'
    )


def _any(value: Any) -> bool:
    return True


def text_of(row: RawRow, column: str, *, filled: bool = False) -> str:
    """Return the text in a column, which is not blank if `filled`; RowError for anything else."""
    value = row.get(column)
    if value is None and column not in row:
        names = ", ".join(map(repr, list(row)[:8]))
        raise RowError(column, f"is missing (the row has {names or 'none'})")
    if not isinstance(value, str):
        raise RowError(column, f"is {_kind(value)}, wanted text", value)
    if filled and not value.strip():
        raise RowError(column, "is empty", value)
    return value


def _list(row: RawRow, column: str) -> list[Any]:
    if column not in row:
        return [text_of(row, column)]  # raises
    value = row[column]
    if not isinstance(value, list):
        raise RowError(column, f"is {_kind(value)}, wanted a list of turns", value)
    return value


def _turns(row: RawRow, column: str) -> Turns:
    return tuple(_turn(column, i, turn) for i, turn in enumerate(_list(row, column)))


def _turn(column: str, i: int, turn: Any) -> tuple[str, str]:
    if not isinstance(turn, Mapping):
        raise RowError(column, f"has {_kind(turn)} as turn {i}, wanted an object", turn)
    who, what = ("from", "value") if "from" in turn else ("role", "content")
    name, text = turn.get(who), turn.get(what)
    role = _ROLE_OF.get(name.lower()) if isinstance(name, str) else None
    if role is None:
        raise RowError(
            column, f"has {who} {shorten(repr(name), 40)} in turn {i}, wanted system, user or assistant", name
        )
    if not isinstance(text, str):
        raise RowError(column, f"has {_kind(text)} as {what} of turn {i}, wanted text", text)
    return role, text


def _chat(column: str, turns: Turns) -> Parsed:
    roles = [role for role, _ in turns]
    if "user" not in roles:
        raise RowError(column, "has no turn of the user")
    first = roles.index("user")
    if not turns[first][1].strip():
        raise RowError(column, f"has an empty first user turn (turn {first})")
    if "assistant" not in roles[first:]:
        raise RowError(column, "has no turn of the assistant after the user's")
    answer = roles.index("assistant", first)
    return turns[first][1], "", turns[answer][1], turns


def _kind(value: Any) -> str:
    names = {type(None): "null", dict: "an object", list: "a list", str: "text", bool: "a truth value"}
    return names.get(type(value), "a number" if isinstance(value, int | float) else type(value).__name__)
