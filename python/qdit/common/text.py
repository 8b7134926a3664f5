"""Numbers as text for people, and text from people as numbers."""

import re
from collections.abc import Sequence
from typing import Any, TypeVar

from .checks import check_int

Number = TypeVar("Number", int, float)

_UNITS = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}
_UNITS |= {"kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40}


def format_table(rows: dict[str, str]) -> str:
    """Return names and values as lines of two columns."""
    width = max(len(name) for name in rows)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in rows.items())


def shorten(text: str, most: int) -> str:
    """Return text of at most so many characters, with three points where it was cut."""
    return text if len(text) <= most else f"{text[: most - 3]}..."


def printable(text: str) -> str:
    """Return text without what a terminal would obey, newlines apart."""
    return "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text)


def format_seconds(seconds: float) -> str:
    """Return seconds as m:ss or h:mm:ss."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def parse_numbers(name: str, given: Any, kind: type[Number]) -> tuple[Number, ...]:
    """Return the numbers of text such as "0.1,0.5", of one number, or of several; kind: int or float."""
    parts = given.strip("[] ").split(",") if isinstance(given, str) else given
    try:
        return tuple(kind(part) for part in (parts if isinstance(parts, list | tuple) else [parts]))
    except (TypeError, ValueError):
        wanted = "whole numbers such as 3000,9000" if kind is int else "numbers such as 0.1,0.5,0.9"
        raise ValueError(f"{name}: got {given!r}, wanted {wanted}") from None


def parse_bytes(name: str, value: int | str | None) -> int | None:
    """Return a size given as bytes or text such as "512MB" (10**6) or "2GiB" (2**30)."""
    if value is None:
        return None
    number: object = value
    if isinstance(value, str):
        match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]*)\s*", value)
        if match is None or match[2].lower() not in _UNITS:
            raise ValueError(f"{name}: got {value!r}, wanted bytes or a size such as '512MB' or '2GiB'")
        number = int(min(float(match[1]) * _UNITS[match[2].lower()], 2.0**64))
    size = check_int(name, number)
    if size < 1:
        raise ValueError(f"{name}: got {size} bytes, wanted at least 1, or None for the default")
    return size


def format_bytes(count: int) -> str:
    """Return bytes as text with three digits, such as "123 MB"."""
    size = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 999.5 or unit == "GB":
            break
        size /= 1000
    return f"{count} bytes" if unit == "bytes" else f"{size:.3g} {unit}"


def names_of(given: str | Sequence[str]) -> list[str]:
    """Return the names in a list, or between the commas of a text."""
    parts = given.strip("[] ").split(",") if isinstance(given, str) else given
    return [name for part in parts if (name := part.strip())]


def file_name(name: str) -> str:
    """Return a name as part of a file name."""
    return re.sub(r"[^\w.-]+", "_", name)
