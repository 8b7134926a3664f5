"""Names in lists, and as parts of the names of files."""

from __future__ import annotations

import re
from collections.abc import Sequence


def file_name(name: str) -> str:
    """Return the name of a set, table or task as part of a file name."""
    return re.sub(r"[^\w.-]+", "_", name)


def names_of(given: str | Sequence[str]) -> list[str]:
    """Return the names in a list, or between the commas of a text."""
    parts = given.strip("[] ").split(",") if isinstance(given, str) else given
    return [name for part in parts if (name := part.strip())]
