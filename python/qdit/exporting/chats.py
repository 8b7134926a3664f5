"""The chosen rows as chats: messages as OpenAI has them, with calls of tools apart from what is said."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..common.types import JSON
from ..records import Records, Row
from ..records.formats import CALLS, Layout, said, turn_keys
from ..records.store import to_json
from ..selection.selection import Selection

INSTRUCTIONS = ("alpaca", "dolly", "prompt")  # formats whose rows are one instruction and its answer
TURNS = {  # format -> fields that hold lists of turns
    "messages": ("messages",),
    "lmsys": ("messages",),
    "sharegpt": ("conversations",),
    "prompt": ("prompt", "completion"),  # TRL's chat form; else texts
}
_CALL_ROLES = ("function_call", "tool_call")  # of ShareGPT turns whose text is a call


@dataclass(frozen=True)
class Chat:
    """A chosen row.

    Attributes:
        row: its normal form.
        layout: how that is read.
        value: its own columns.
        turns: its own turns, of both columns of TRL's chat form; none where it has texts instead.
        messages: {"role", "content"}, and "tool_calls", "name" and "tool_call_id" where it has them.
        prompt: how many of them are the prompt of TRL's chat form, of which nothing is to be learnt.
        tools: what the assistant may call, a JSON list; None for nothing.

    """

    row: Row
    layout: Layout
    value: Mapping[str, Any]
    turns: list[JSON]
    messages: list[JSON]
    prompt: int
    tools: str | None

    @property
    def is_instruction(self) -> bool:
        """Whether this is an instruction and its answer, and nothing else."""
        return self.layout.format in INSTRUCTIONS and not self.turns and len(self.row.turns) == 2

    def column(self, field: str) -> Any:
        """Return what the row has in the column of a field; None if there is none."""
        return self.value.get(self.layout.columns.get(field, ""))


def read_chats(records: Records, selection: Selection) -> Iterator[Chat]:
    """Yield the chosen rows in pick order."""
    codes, _ = records.sources()
    for i in selection.indices.tolist():
        row, value = records.read(i)
        yield _read(row, records.parts[codes[i]].layout, value)


def _read(row: Row, layout: Layout, value: JSON) -> Chat:
    lists = [value[layout.columns[field]] for field in TURNS.get(layout.format, ())]
    lists = [turns for turns in lists if isinstance(turns, list)]
    turns = [turn for found in lists for turn in found]
    start = len(row.turns) - len(turns)  # behind what other columns hold: system, history, instruction
    messages: list[JSON] = [{"role": role, "content": text} for role, text in row.turns[:start]]
    messages += [
        _message(role, text, turn) for (role, text), turn in zip(row.turns[start:], turns, strict=True)
    ]
    prompt = start + len(lists[0]) if len(lists) == 2 else 0
    if [message["role"] for message in messages[:2]] == ["system", "system"]:  # of a column and of a turn
        texts = dict.fromkeys(message["content"] for message in messages[:2])
        messages[:2] = [{"role": "system", "content": "\n\n".join(texts)}]
        prompt -= prompt > 0
    return Chat(
        row, layout, value, turns, messages, prompt, _tools(value.get(layout.columns.get("tools", "")))
    )


def to_text(value: Any) -> str:
    """Return JSON as text."""
    return to_json(value).decode()


def is_call(turn: JSON) -> bool:
    """Return whether a ShareGPT turn is the call of a tool."""
    who, _ = turn_keys(turn)
    return turn[who].lower() in _CALL_ROLES


def is_readable_call(text: str) -> bool:
    """Return whether the text of such a turn is a call, or several, with name and arguments."""
    calls = parse(text)
    listed = calls[0] if calls and isinstance(calls[0], list) else calls
    return bool(listed) and all(
        isinstance(call, dict) and {"name", "arguments"} <= call.keys() for call in listed
    )


def _tools(given: Any) -> str | None:
    tools = parse(given) if isinstance(given, str) else [given]
    listed = tools[0] if tools and isinstance(tools[0], list) else tools
    return to_text(listed) if any(listed) else None


def _message(role: str, text: str, turn: JSON) -> JSON:
    message: JSON = {"role": role, "content": text}
    found = [turn[key] for key in CALLS if turn.get(key)]
    if not found and is_call(turn):
        found = parse(text)
    calls = [_call(call) for given in found for call in (given if isinstance(given, list) else [given])]
    if role == "assistant" and calls and all(call["function"].get("name") for call in calls):
        message |= {"content": "" if is_call(turn) else said(turn), "tool_calls": calls}
    return message | {key: turn[key] for key in ("name", "tool_call_id") if isinstance(turn.get(key), str)}


def parse(text: str) -> list[Any]:
    """Return the value of a JSON text in a list; nothing in it where it is none."""
    try:
        return [json.loads(text)]
    except (ValueError, RecursionError):
        return []


def _call(given: Any) -> JSON:
    function = given.get("function", given) if isinstance(given, Mapping) else {}
    function = function if isinstance(function, Mapping) else {}
    arguments = function.get("arguments", {})
    if isinstance(arguments, str):
        arguments = (parse(arguments) or [arguments])[0]
    found = {"type": "function", "function": {"name": function.get("name"), "arguments": arguments}}
    return {"id": given["id"], **found} if isinstance(given, Mapping) and given.get("id") else found
