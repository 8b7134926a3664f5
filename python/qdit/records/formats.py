"""Formats of instruction rows: which fields they have, how to tell them, how to read them."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ..common.checks import check_choice
from ..common.shape import kind_of
from ..common.text import shorten
from .row import RawRow, RowError
from .store import to_json

Turns = tuple[tuple[str, str], ...]
Parsed = tuple[str, str, str, Turns]  # instruction, input, output, turns
Roles = Mapping[str, Sequence[str]]  # role -> what turns call it

ROLE_OF = {  # lower case
    **dict.fromkeys(("system", "developer"), "system"),
    **dict.fromkeys(("user", "human", "prompter"), "user"),
    **dict.fromkeys(("assistant", "gpt", "chatgpt", "bot", "chatbot", "ai", "model"), "assistant"),
    **dict.fromkeys(("bing", "bard", "claude", "function_call", "tool_call"), "assistant"),
    **dict.fromkeys(("tool", "function", "observation", "ipython"), "tool"),
    **dict.fromkeys(("tool_response", "function_response"), "tool"),
}
_WHO = ("from", "role", "speaker", "author")
_WHAT = ("value", "content", "text", "message", "utterance")
CALLS = ("tool_calls", "function_call")  # of OpenAI's messages, beside the content
_TEXT_PARTS = (None, "text", "input_text", "output_text")
_OIG_TURN = re.compile(r"(?:^|\n)<(human|bot)>:[ \t]?")


def join_input(instruction: str, given: str) -> str:
    """Return the user's turn of an instruction with the input it is about."""
    return f"{instruction}\n\n{given}" if given.strip() else instruction


def _alpaca(row: RawRow, layout: "Layout") -> Parsed:
    instruction = text_of(row, layout.columns["instruction"], filled=True)
    given = "" if row.get(layout.columns["input"]) is None else text_of(row, layout.columns["input"])
    output = text_of(row, layout.columns["output"])
    turns = (("user", join_input(instruction, given)), ("assistant", output))
    return instruction, given, output, _system(row, layout) + _history(row, layout) + turns


def _prompt(row: RawRow, layout: "Layout") -> Parsed:
    prompt, completion = layout.columns["prompt"], layout.columns["completion"]
    if isinstance(row.get(prompt), list) and isinstance(row.get(completion), list):  # TRL's chat form
        return _chat(prompt, _turns(row, layout, "prompt", "completion"))
    asked, answer = text_of(row, prompt, filled=True), text_of(row, completion)
    return asked, "", answer, (*_system(row, layout), ("user", asked), ("assistant", answer))


def _messages(row: RawRow, layout: "Layout") -> Parsed:
    return _chat(layout.columns["messages"], _turns(row, layout, "messages"))


def _sharegpt(row: RawRow, layout: "Layout") -> Parsed:
    return _chat(layout.columns["conversations"], _turns(row, layout, "conversations"))


def _system(row: RawRow, layout: "Layout") -> Turns:
    column = layout.columns.get("system")
    return (("system", text_of(row, column)),) if column is not None and row.get(column) else ()


def _history(row: RawRow, layout: "Layout") -> Turns:
    """Return the turns before the instruction, which LLaMA-Factory's layout has as pairs of texts."""
    column = layout.columns.get("history")
    turns: list[tuple[str, str]] = []
    if column is None or not row.get(column):
        return ()
    for i, pair in enumerate(_list(row, column)):
        if not (isinstance(pair, list) and len(pair) == 2 and all(isinstance(text, str) for text in pair)):
            problem = f"has {kind_of(pair)} at {i}, wanted a pair of texts: what was asked, what was answered"
            raise RowError(column, problem, pair)
        turns += (("user", pair[0]), ("assistant", pair[1]))
    return tuple(turns)


def _ultrachat(row: RawRow, layout: "Layout") -> Parsed:
    column = layout.columns["data"]
    texts = _list(row, column)
    for i, text in enumerate(texts):
        if not isinstance(text, str):
            raise RowError(column, f"has {kind_of(text)} as turn {i}, wanted text", text)
    return _chat(column, tuple((("user", "assistant")[i % 2], text) for i, text in enumerate(texts)))


def _oig(row: RawRow, layout: "Layout") -> Parsed:
    column = layout.columns["text"]
    text = text_of(row, column, filled=True)
    before, *parts = _OIG_TURN.split(text)
    if before.strip() or not parts:
        raise RowError(column, 'does not start with "<human>:" or "<bot>:"', text)
    roles, texts = parts[0::2], parts[1::2]
    return _chat(column, tuple((ROLE_OF[role], said) for role, said in zip(roles, texts, strict=True)))


@dataclass(frozen=True)
class Format:
    """A format: its fields, those that may be missing, and what reads a row.

    A layout has a column for every field, and for those `extra` ones that its rows have.
    """

    fields: tuple[str, ...]
    optional: tuple[str, ...]
    read: Callable[[RawRow, "Layout"], Parsed]
    columns: Mapping[str, str] | None = None  # where they are not called as the fields
    extra: tuple[str, ...] = ()  # "tools", what the assistant may call, is for trainers alone


_ALPACA = ("instruction", "input", "output")
_PAST, _CHAT = ("system", "history"), ("system", "tools")
FORMATS = {
    "messages": Format(("messages",), (), _messages, extra=_CHAT),
    "sharegpt": Format(("conversations", "system"), ("system",), _sharegpt, extra=("tools",)),
    "alpaca": Format(_ALPACA, ("input",), _alpaca, extra=_PAST),
    "prompt": Format(("prompt", "completion"), (), _prompt, extra=_CHAT),
    "dolly": Format(_ALPACA, ("input",), _alpaca, {"input": "context", "output": "response"}, _PAST),
    "lmsys": Format(("messages",), (), _messages, {"messages": "conversation"}, _CHAT),
    "ultrachat": Format(("data",), (), _ultrachat),
    "oig": Format(("text",), (), _oig),
}


def _is_list(value: Any) -> bool:
    return isinstance(value, list) and bool(value)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


_FITS: Mapping[str, Callable[[Any], bool]] = {
    **dict.fromkeys(("messages", "conversations"), _is_list),
    **dict.fromkeys(("instruction", "output"), _is_text),
    **dict.fromkeys(("prompt", "completion"), lambda value: _is_text(value) or _is_list(value)),
    "data": lambda value: _is_list(value) and _is_text(value[0]),
    "text": lambda value: _is_text(value) and value.startswith("<human>:"),
}
_VAGUE = ("data", "text")  # columns of these names may hold anything
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
        roles: names of roles in turns, beside those of `ROLE_OF`.

    """

    format: str
    columns: Mapping[str, str]
    roles: Roles = field(default_factory=dict)

    def read(self, row: Any) -> Parsed:
        """Return instruction, input, output and turns; RowError if the row is not of this format."""
        if not isinstance(row, Mapping):
            raise RowError("", f"is {kind_of(row)}, wanted an object with fields", row)
        return FORMATS[self.format].read(row, self)

    def role(self, name: Any) -> str | None:
        """Return the role of a turn's speaker; None for a name that is not known."""
        return self._role_of.get(name.lower()) if isinstance(name, str) else None

    @cached_property
    def _role_of(self) -> Mapping[str, str]:
        return ROLE_OF | {name.lower(): role for role, names in self.roles.items() for name in names}


def make_layout(format: str, columns: Mapping[str, str] | None, roles: Roles | None = None) -> Layout:
    """Return the layout of a named format, with columns for some or all of its fields, and names of roles."""
    found = FORMATS[check_choice("format", format, tuple(FORMATS))]
    given = dict(columns or {})
    known = (*found.fields, *found.extra)
    for name in given:
        if name not in known:
            wanted = ", ".join(known)
            raise ValueError(f"columns: got field {name!r}, wanted one of {wanted}, those of format {format}")
    own = {name: name for name in found.fields} | dict(found.columns or {})
    free = {name: name for name in found.extra if name not in given.values()}
    return Layout(format, own | free | given, roles or {})


def detect(row: RawRow, columns: Mapping[str, str] | None, roles: Roles | None = None) -> Layout:
    """Return the layout that fits what a row holds, else the one whose columns it has.

    Formats are tried in the order of `FORMATS`.

    Args:
        row: of a source.
        columns: field -> column for those that are called otherwise.
        roles: names of roles in turns.

    Raises:
        ValueError: if no format fits.

    """
    given = dict(columns or {})
    named = []
    for name, format in FORMATS.items():
        if set(given) <= {*format.fields, *format.extra}:
            layout = make_layout(name, given, roles)
            needed = [name for name in format.fields if name not in format.optional]
            if all(layout.columns[field] in row for field in needed):
                if all(_FITS[field](row[layout.columns[field]]) for field in needed):
                    return layout
                named += [layout] if needed[0] not in _VAGUE else []
    if named:
        return named[0]
    raise ValueError(
        f"got fields {_names(row, 12) or 'none'}, wanted {_KNOWN}; name them with columns such as "
        '{"instruction": "question", "output": "answer"} (--columns), or pass format (--format)'
    )


def text_of(row: RawRow, column: str, *, filled: bool = False) -> str:
    """Return the text in a column, which is not blank if `filled`; RowError for anything else."""
    value = row.get(column)
    if value is None and column not in row:
        raise RowError(column, f"is missing (the row has {_names(row, 8) or 'none'})")
    if not isinstance(value, str):
        raise RowError(column, f"is {kind_of(value)}, wanted text", value)
    if filled and not value.strip():
        raise RowError(column, "is empty", value)
    return value


def _names(row: RawRow, most: int) -> str:
    return ", ".join(shorten(repr(name), 60) for name in list(row)[:most])


def _list(row: RawRow, column: str) -> list[Any]:
    if column not in row:
        return [text_of(row, column)]  # raises
    value = row[column]
    if not isinstance(value, list):
        raise RowError(column, f"is {kind_of(value)}, wanted a list of turns", value)
    return value


def _turns(row: RawRow, layout: Layout, *fields: str) -> Turns:
    columns = [layout.columns[name] for name in fields]
    listed = (
        _turn(column, i, turn, layout) for column in columns for i, turn in enumerate(_list(row, column))
    )
    return (*_system(row, layout), *listed)


def turn_keys(turn: Mapping[str, Any]) -> tuple[str, str]:
    """Return the keys of a turn that hold who speaks and what is said: ("from", "value") and the like."""
    who = next((key for key in _WHO if turn.get(key) is not None), "role")
    what = next((key for key in _WHAT if turn.get(key) is not None), None)
    return who, what or ("value" if who == "from" else "content")


def is_turn(value: Mapping[str, Any]) -> bool:
    """Return whether an object says who speaks."""
    name = value.get(turn_keys(value)[0])
    return isinstance(name, str) and name.lower() in ROLE_OF


def _turn(column: str, i: int, turn: Any, layout: Layout) -> tuple[str, str]:
    if not isinstance(turn, Mapping):
        raise RowError(column, f"has {kind_of(turn)} as turn {i}, wanted an object", turn)
    who, _ = turn_keys(turn)
    name = turn.get(who)
    role = layout.role(name)
    if role is None:
        problem = f"has {who} {shorten(repr(name), 40)} in turn {i}, wanted system, user, assistant or tool"
        remedy = RowError.remedy
        if isinstance(name, str) and name:
            given = f'"{("user", "assistant")[i % 2]}={shorten(name, 40)}"'
            remedy = f"say whose name that is, as in roles={given} (--roles {given})"
        raise RowError(column, problem, name, remedy)
    called = [to_json(turn[key]).decode() for key in CALLS if turn.get(key)]
    return role, "\n".join(filter(None, (said(turn, column, i), *called)))


def said(turn: Mapping[str, Any], column: str = "", i: int = 0) -> str:
    """Return the text of a turn, its parts joined where it has several; "" where it only calls a tool."""
    _, what = turn_keys(turn)
    value = turn.get(what)
    if isinstance(value, str):
        return value
    if not value and any(turn.get(key) for key in CALLS):
        return ""
    if not isinstance(value, list):
        raise RowError(column, f"has {kind_of(value)} as {what} of turn {i}, wanted text", value)
    texts = []
    for part in value:
        kind = part.get("type") if isinstance(part, Mapping) else None
        text = part.get("text") if isinstance(part, Mapping) else part
        if kind not in _TEXT_PARTS or not isinstance(text, str):
            got = kind_of(part) if kind is None else f"type {kind!r}"
            raise RowError(column, f"has a part of {got} in {what} of turn {i}, wanted parts of text", part)
        texts.append(text)
    return "".join(texts)


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
