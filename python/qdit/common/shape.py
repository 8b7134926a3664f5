"""What the values in a JSON file must be, as far as readers rely on it."""

from collections.abc import Iterator
from typing import Any

from .text import shorten

# of a value: a type, or several; {key: shape}, an object, with "*" for all keys; [shape], a list of such, and
# [shape, ...] one that is not empty; a set of texts, one of them
Shape = Any
NUMBER = (int, float)
NULL = type(None)
ENTRIES = {"*": {"sha256": str, "bytes": int}}  # of files, by name
COMMON: dict[str, Shape] = {  # of all files that `read_json` reads
    "files": {"*": (dict, str)},
    **dict.fromkeys(("records", "inputs", "params", "stats", "result", "stages"), dict),
    "identity": (dict, NULL),
}
_NAMES: dict[type, str] = {
    NULL: "null",
    dict: "an object",
    list: "a list",
    str: "text",
    bool: "a truth value",
}
_NAMES |= dict.fromkeys(NUMBER, "a number")


def kind_of(value: object) -> str:
    """Return what a value is, in words."""
    return next((name for kind, name in _NAMES.items() if isinstance(value, kind)), type(value).__name__)


def misfits(value: Any, shape: Shape, where: str = "") -> Iterator[str]:
    """Yield what in a value has not the type that it must have, each with the keys that lead there."""
    if isinstance(shape, set):
        if value not in sorted(shape):
            wanted = ", ".join(map(repr, sorted(shape)))
            yield f"{where} is {shorten(repr(value), 40)}, wanted one of {wanted}"
        return
    kinds = shape if isinstance(shape, tuple) else (shape if isinstance(shape, type) else type(shape),)
    if not isinstance(value, kinds):
        wanted = " or ".join(dict.fromkeys(_NAMES[kind] for kind in kinds))
        yield f"{where} is {kind_of(value)}, wanted {wanted}"
    elif isinstance(shape, dict):
        for name, inner in shape.items():
            for key in value if name == "*" else {name} & value.keys():
                yield from misfits(value[key], inner, f"{where}/{key}" if where else key)
    elif isinstance(shape, list):
        if not value and shape[1:] == [...]:
            yield f"{where} is empty"
        for i, one in enumerate(value):
            yield from misfits(one, shape[0], f"{where}/{i}")
