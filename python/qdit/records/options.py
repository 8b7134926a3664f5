"""The options of `qdit.records.import_records`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..common.checks import check_choice
from ..common.options import Options
from .row import ROLES


def _parse_roles(given: object) -> dict[str, list[str]]:
    """Return the names of each role."""
    pairs: list[tuple[Any, Any]] = list(given.items()) if isinstance(given, Mapping) else []
    if isinstance(given, str):
        parts = [pair.partition("=") for pair in given.split(",")]
        pairs = [(role.strip(), name.strip()) for role, _, name in parts]
    found: dict[str, list[str]] = {}
    for role, named in pairs:
        names = list(named) if isinstance(named, list | tuple) else [named]
        if not names or not all(isinstance(name, str) and name for name in names):
            pairs = []
            break
        found.setdefault(check_choice("roles", role, ROLES), []).extend(names)
    if not pairs:
        raise ValueError(f"roles: got {given!r}, wanted pairs such as user=Customer,assistant=Agent")
    taken = [name.lower() for names in found.values() for name in names]
    if twice := [name for name in taken if taken.count(name) > 1]:
        raise ValueError(f"roles: got {twice[0]!r} twice, wanted each name once")
    return found


@dataclass(frozen=True, kw_only=True)
class SourceOptions(Options):
    """How the rows of a source are read.

    Attributes:
        format: alpaca, dolly, sharegpt, messages, prompt, lmsys, ultrachat or oig; None to detect it.
        columns: Columns of fields that are called otherwise, such as {"instruction": "question"}.
        roles: Names of roles in turns, beside those that are common, such as user=Customer,assistant=Agent or
            {"user": ["Customer", "Guest"], "assistant": "Agent"}.
        id_column: Column of row ids, which must be there and unique. None keeps a column id, conversation_id
            or prompt_id whose values are unique, else makes ids "<label>-<row number in the source>".
        revision: Commit, tag or branch of a data set on the Hub.
        split: Split of a data set or folder that has several, such as train+test, or all.
        subset: Configuration of a data set that has several; of a folder, those in its README.md.

    """

    format: str | None = None
    columns: Mapping[str, str] | None = None
    roles: Mapping[str, str | list[str]] | str | None = None
    id_column: str | None = None
    revision: str | None = None
    split: str = "train"
    subset: str | None = None

    def _check(self) -> None:
        _ = self.role_names

    @property
    def role_names(self) -> dict[str, list[str]]:
        """The names of each role that is given some; ValueError if they are spelled otherwise."""
        return {} if self.roles is None else _parse_roles(self.roles)


@dataclass(frozen=True, kw_only=True)
class ImportOptions(SourceOptions):
    """How rows become records.

    Attributes:
        source_name: Label of the source; None takes the file's name.
        skip_bad: Leave rows out that cannot be used, and list them in records.json.
        limit: Read only so many rows of each source.

    """

    source_name: str | None = None
    skip_bad: bool = False
    limit: int | None = None

    def _check(self) -> None:
        if self.limit is not None and self.limit < 1:
            raise ValueError(f"limit: got {self.limit}, wanted at least 1, or None for all rows")
