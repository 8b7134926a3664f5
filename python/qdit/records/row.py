"""The normal form of an instruction row, and the error of a row that has none."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..common.text import shorten

RawRow = Mapping[str, Any]  # a row as its source has it
ROLES = ("system", "user", "assistant", "tool")


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a pool in the form that every format is brought to.

    Attributes:
        index: row number in the pool, from 0.
        id: the row's own id, or "<source>-<row number in the source>".
        source: label of the source it came from.
        instruction: what is asked; of a chat, its first user turn.
        input: what it is asked about, "" where there is nothing; always "" for chats.
        output: the answer; of a chat, the first assistant turn after `instruction`.
        turns: the whole row as (role, text) with one of `ROLES`; calls of tools are turns of the assistant.

    """

    index: int
    id: str
    source: str
    instruction: str
    input: str
    output: str
    turns: tuple[tuple[str, str], ...]


class RowError(ValueError):
    """A row that cannot be used.

    Attributes:
        field: the field that is at fault, "" if it is the row as a whole.
        problem: what is wrong, to be read after the field's name.
        value: the offending value, or None.
        remedy: what to do about it in an import.

    """

    remedy = "mend it"

    def __init__(self, field: str, problem: str, value: Any = None, remedy: str = remedy) -> None:
        super().__init__(f"field {shorten(repr(field), 60)} {problem}" if field else problem)
        self.field = field
        self.problem = problem
        self.value = value
        self.remedy = remedy


class UnknownFormatError(RowError):
    """A row from which no format can be told."""
