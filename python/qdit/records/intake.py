"""What every row passes on its way into a pool: checks, ids, and the list of those left out."""

import re
from array import array
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ..common.text import shorten
from ..common.types import JSON, Indices, Ints
from .formats import FORMATS, Layout, detect, make_layout
from .options import SourceOptions
from .row import RawRow, RowError, UnknownFormatError

ID_COLUMNS = ("id", "conversation_id", "prompt_id")
_SURROGATE = re.compile("[\ud800-\udfff]")
_EXAMPLES = 10
_EXCERPT = 80


class BadRows:
    """Counts rows that are left out, or raises at the first one."""

    def __init__(self, skip: bool) -> None:
        self.skip = skip
        self.count = 0
        self._problems: Counter[str] = Counter()
        self._examples: list[JSON] = []

    def add(self, where: str, row: int, line: int | None, error: RowError) -> None:
        """Note a bad row; ValueError that names file, row and field unless bad rows are skipped."""
        if not self.skip:
            place = f"{where}, row {row}" + ("" if line is None else f" (line {line})")
            told = isinstance(error, UnknownFormatError)
            hint = "" if told else f"; {error.remedy}, or leave such rows out with skip_bad=True (--skip-bad)"
            raise ValueError(f"{place}: {error}{hint}") from error
        self.count += 1
        problem = str(error)
        self._problems[problem if problem in self._problems or len(self._problems) < 100 else "other"] += 1
        if len(self._examples) < _EXAMPLES:
            found = {"where": where, "row": row, "line": line, "field": error.field, "problem": error.problem}
            self._examples.append(found | {"excerpt": _excerpt(error.value)})

    def most_common(self) -> str:
        """Return what is wrong with most of the rows that were left out, "" if there are none."""
        return self._problems.most_common(1)[0][0] if self._problems else ""

    def report(self) -> JSON:
        """Return how many rows were left out, why, and the first of them."""
        return {"count": self.count, "problems": dict(self._problems), "examples": self._examples}


def _excerpt(value: Any) -> str | None:
    if value is None:
        return None
    text = value[: 4 * _EXCERPT].decode(errors="replace") if isinstance(value, bytes) else str(value)
    return shorten(text, _EXCERPT)


class Ids:
    """Decides whether the ids of a source's rows are kept.

    Attributes:
        column: they are in, None where ids are made.
        problem: why ids are made though there is such a column, "" otherwise.

    """

    def __init__(self, column: str | None) -> None:
        self.column = column
        self.problem = ""
        self._asked = column is not None
        self._decided = self._asked
        self._lacking = False
        self._hashes = array("q")

    def add(self, value: RawRow) -> None:
        """Look at the next row; RowError if it lacks the id that was asked for."""
        if not self._decided:
            self.column = next((name for name in ID_COLUMNS if name in value), None)
            self._decided = True
        if self.column is None or self._lacking:
            return
        found = value.get(self.column)
        if _is_id(found):
            self._hashes.append(hash(str(found)))
        elif self._asked:
            raise RowError(self.column, "has no id, wanted text or an integer", found)
        else:
            self._lacking = True

    def made(self, name: str, numbers: Indices, before: Ints) -> Ints:
        """Return the hashes of ids made of the rows' numbers; ValueError if one is among those before."""
        hashes = np.fromiter((hash(f"{name}-{row}") for row in numbers.tolist()), np.int64, len(numbers))
        same = np.isin(hashes, before)
        if same.any():
            row = numbers[int(np.argmax(same))]
            raise ValueError(
                f"source: row {row} of {name} would get the id '{name}-{row}', which a row of an earlier "
                "source has; give this source another label"
            )
        return hashes

    def settle(self, name: str, before: Ints, read: Callable[[int], tuple[int, Any]]) -> Ints:
        """Return the hashes of the ids if they are kept: present, unlike each other and those `before`.

        read: returns the number in the source of a kept row, and its values. ValueError if an id column was
        asked for and two rows have the same id.
        """
        hashes = np.frombuffer(self._hashes, np.int64)
        if self.column is None:
            return hashes[:0]
        if self._lacking:
            row, value = read(len(hashes))
            got = shorten(repr(value.get(self.column)), _EXCERPT)
            self.problem = f"row {row} has {got} as {self.column!r}, wanted text or an integer"
        else:
            _, first, counts = np.unique(hashes, return_index=True, return_counts=True)
            again = first[np.isin(hashes[first], before) | (counts > 1)]
            if not len(again):
                return hashes
            row, value = read(int(again.min()))
            self.problem = f"row {row} has {value[self.column]!r} as {self.column!r}"
            same = np.flatnonzero(hashes == hashes[again.min()])
            if len(same) > 1:
                row, value = read(int(same[1]))
                self.problem += f", row {row} has {value[self.column]!r}"
            else:
                self.problem += ", as a row of an earlier source has"
        if self._asked:
            raise ValueError(
                f"id_column: {self.column!r} of {name} is not unique: {self.problem}; name another column, "
                "or leave id_column out to have ids made"
            )
        self.column = None
        return hashes[:0]


def _is_id(value: Any) -> bool:
    """Return whether a value is an integer, or a text that files of all kinds can hold."""
    if isinstance(value, str):
        return value != "" and (value.isascii() or _SURROGATE.search(value) is None)
    return isinstance(value, int) and not isinstance(value, bool)


class Intake:
    """Finds the layout of a source from its first good row and checks every row against it."""

    def __init__(self, asked: SourceOptions) -> None:
        self._columns, self._roles = dict(asked.columns or {}), asked.role_names
        self.layout: Layout | None = None
        if asked.format is not None:
            self.layout = make_layout(asked.format, self._columns, self._roles)
        self._unseen: set[str] | None = None
        self.ids = Ids(asked.id_column)

    def fits(self, value: Any) -> bool:
        """Return whether a value can be read as a row."""
        try:
            (self.layout or detect(value, self._columns, self._roles)).read(value)
        except ValueError:
            return False
        return True

    def check(self, value: Any) -> None:
        """Raise RowError if a row cannot be used."""
        if not isinstance(value, Mapping):
            raise RowError("", "is not an object with fields", value)
        layout = self.layout
        if layout is None:
            try:
                layout = detect(value, self._columns, self._roles)
            except ValueError as error:
                raise UnknownFormatError("", f"is of no known format: {error}") from None
        _check_encodable(layout.read(value)[3])
        self.layout = layout  # by a row that can be read
        self.ids.add(value)
        if self._unseen is None:
            found = FORMATS[layout.format]
            self._unseen = {*found.extra, *(self._columns.keys() & set(found.optional))}
        self._unseen = {field for field in self._unseen if layout.columns.get(field) not in value}

    def finish(self, name: str) -> Layout:
        """Return the layout; ValueError if a named column was in no row."""
        assert self.layout is not None, "no row was kept"
        unseen = self._unseen or set()
        for field, column in self._columns.items():
            if field in unseen:
                raise ValueError(f"columns: {column!r} is in no row of {name}; check its spelling")
        columns = {field: column for field, column in self.layout.columns.items() if field not in unseen}
        return replace(self.layout, columns=columns)


def _check_encodable(turns: tuple[tuple[str, str], ...]) -> None:
    """Refuse halves of surrogate pairs, which JSON can spell but no tokenizer takes."""
    for _, text in turns:
        if not text.isascii():
            try:
                text.encode()
            except UnicodeEncodeError as error:
                problem = f"has half a surrogate pair at character {error.start + 1}"
                raise RowError("", problem, ascii(text)) from None
