"""Results that are not replaced by others by accident, and names of files."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..common import files
from ..common.identity import difference
from .results import FORMAT


def check_same(path: Path, settings: Mapping[str, Any]) -> None:
    """Raise ValueError if a result is there that was made with other settings."""
    if not path.exists():
        return
    then = files.read_json(path, FORMAT).get("settings", {})
    differs = difference(then, settings)
    if differs:
        raise ValueError(
            f"{path} was made otherwise: {differs}; pass overwrite=True (--overwrite) to replace it, or "
            "another directory"
        )


def file_name(name: str) -> str:
    """Return the name of a set, table or task as part of a file name."""
    return re.sub(r"[^\w.-]+", "_", name)


def names_of(given: str | Sequence[str]) -> list[str]:
    """Return the names in a list, or between the commas of a text."""
    parts = given.strip("[] ").split(",") if isinstance(given, str) else given
    return [name for part in parts if (name := part.strip())]
