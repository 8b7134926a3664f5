"""What the chosen rows look like: their columns and names, and which of them trainers may not take."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from ..records.formats import CALLS, Layout, said, turn_keys
from .chats import Chat, is_call, is_readable_call, parse

EXTRAS = ("input", "system", "history", "tools")  # fields that rows need not have


@dataclass
class Count:
    """How many rows something holds for, and the id of the first."""

    rows: int = 0
    such_as: str = ""

    def add(self, chat: Chat) -> None:
        """Count a row."""
        self.rows += 1
        self.such_as = self.such_as or chat.row.id


class Survey:
    """What the chosen rows look like, gathered in one pass.

    Attributes:
        layouts: how they are read, each layout once.
        is_mixed: whether a column holds values of several types, which no table can.
        present, filled: of `EXTRAS`, the fields that some row has, and those that some row has something in.
        tools: what is in that field, where it is: "text" or "list" of tools, "blank", "other".
        keys: which keys of the rows' own turns say who speaks and what is said.
        names: role -> what they call it; "call" is a turn that calls a tool.
        is_parted: whether the text of some turn is in parts, beside calls, or should be a call and is none.
        is_doubled: whether some row has a system prompt in its column and one among its turns.
        has_blank_system: whether the system column is "" in some row.
        roles, message_keys: of all messages.
        disorder: what is wrong with the order of turns -> rows.
        merged: rows with results of several tools in a row.
        unanswered: rows without an answer to learn that is not empty.
        uncompleted: rows of TRL's chat form that have no turn behind the prompt.
        prompted: rows with answers in the prompt, which are not to be learnt.
        no_tools: rows whose tools are no JSON.

    """

    def __init__(self, chats: Iterable[Chat]) -> None:
        self.layouts: list[Layout] = []
        self.is_mixed = self.is_parted = self.is_doubled = self.has_blank_system = False
        self.present: set[str] = set()
        self.filled: set[str] = set()
        self.tools: set[str] = set()
        self.keys: set[tuple[str, str]] = set()
        self.names: dict[str, set[str]] = {}
        self.roles: set[str] = set()
        self.message_keys: dict[str, None] = {}
        self.disorder: dict[str, Count] = {}
        self.merged, self.unanswered, self.uncompleted = Count(), Count(), Count()
        self.prompted, self.no_tools = Count(), Count()
        self._kinds: set[str] = set()
        self._types: dict[tuple[str, ...], type] = {}
        for chat in chats:
            self._add_columns(chat)
            self._add_turns(chat)
            self._add_messages(chat)

    @property
    def kind(self) -> str:
        """The form in which they can be written anew: "prompt", "completion" or "chat"."""
        return next(iter(self._kinds)) if len(self._kinds) == 1 else "chat"

    @property
    def uses_tools(self) -> bool:
        """Whether messages are more than roles and texts in turn: they call tools, or several at once."""
        return "tool_calls" in self.message_keys or self.merged.rows > 0

    def _add_columns(self, chat: Chat) -> None:
        if chat.layout not in self.layouts:
            self.layouts.append(chat.layout)
        self.is_mixed = self.is_mixed or _clashes(self._types, chat.value)
        columns = chat.layout.columns.items()
        self.present |= {name for name, column in columns if name in EXTRAS and column in chat.value}
        self.filled |= {name for name in EXTRAS if chat.column(name)}
        self.has_blank_system |= chat.column("system") == ""
        tools = chat.column("tools")
        if tools is not None:
            kind = "list" if isinstance(tools, list) else "blank" if tools == "" else "text"
            told = chat.tools is not None or not tools
            self.tools.add(kind if told and isinstance(tools, list | str) else "other")
            if isinstance(tools, str) and tools and not parse(tools):
                self.no_tools.add(chat)

    def _add_turns(self, chat: Chat) -> None:
        for turn in chat.turns:
            who, what = turn_keys(turn)
            self.keys.add((who, what))
            name = turn[who]
            self.names.setdefault("call" if is_call(turn) else str(chat.layout.role(name)), set()).add(name)
            self.is_parted |= not isinstance(turn.get(what), str) or any(turn.get(key) for key in CALLS)
            self.is_parted |= is_call(turn) and not is_readable_call(said(turn))

    def _add_messages(self, chat: Chat) -> None:
        self._kinds.add("prompt" if chat.is_instruction else "completion" if chat.prompt else "chat")
        roles = [message["role"] for message in chat.messages]
        self.roles |= set(roles)
        for message in chat.messages:
            self.message_keys |= dict.fromkeys(message)
        self.is_doubled |= [role for role, _ in chat.row.turns[:2]] == ["system", "system"]
        problem = disorder(roles)
        if problem is not None:
            self.disorder.setdefault(problem, Count()).add(chat)
        if any(pair == ("tool", "tool") for pair in pairwise(roles)):
            self.merged.add(chat)
        if len(chat.messages) == chat.prompt:
            self.uncompleted.add(chat)
        answers = [message for message in chat.messages[chat.prompt :] if message["role"] == "assistant"]
        if not any(answer["content"] or "tool_calls" in answer for answer in answers):
            self.unanswered.add(chat)
        if "assistant" in roles[: chat.prompt]:
            self.prompted.add(chat)


def disorder(roles: list[str]) -> str | None:
    """Return what keeps a chat from being user and assistant in turn, None if nothing does.

    One system prompt may come first; results of tools, be they several, stand where the user would speak.
    """
    spoken = roles[1:] if roles[0] == "system" else roles
    if "system" in spoken:
        return "a system turn is not the first"
    asks = [role != "assistant" for i, role in enumerate(spoken) if spoken[i - 1 : i + 1] != ["tool", "tool"]]
    if not asks[0]:
        return "the assistant begins"
    if any(a == b for a, b in pairwise(asks)):
        return "two turns of one side follow each other"
    return "the last turn is no answer" if asks[-1] else None


def _clashes(types: dict[tuple[str, ...], type], row: Any) -> bool:
    """Return whether a value of a row has another type than those before it at the same place."""
    waiting: list[tuple[tuple[str, ...], Any]] = [((), row)]
    while waiting:
        path, value = waiting.pop()
        if value is None:
            continue
        kind = float if type(value) is int else type(value)
        if types.setdefault(path, kind) is not kind:
            return True
        if isinstance(value, dict):
            waiting += [((*path, name), found) for name, found in value.items()]
        elif isinstance(value, list):
            waiting += [((*path, "[]"), found) for found in value]
    return False
