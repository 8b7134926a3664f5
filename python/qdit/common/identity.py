"""What decides a result, as JSON values: hashed, and compared with that of an earlier run."""

import hashlib
import json
from collections.abc import Mapping
from itertools import zip_longest
from typing import Any

from .files import plain
from .text import shorten

REPLACE = "pass overwrite=True (--overwrite) to replace it, or another place"
_SHOWN = 60  # characters of a value in an error: hashes are longer
_BEFORE = 10  # of them before the first that differs


class OtherRunError(ValueError):
    """What is there was made by a run of other inputs or options."""


def digest(value: Any) -> str:
    """Return the sha256 of a JSON value."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def as_read(value: Any) -> Any:
    """Return a value as it is read back from a JSON file: tuples as lists, paths as text."""
    return json.loads(json.dumps(value, default=plain))


def differences(then: Any, now: Any, name: str = "") -> list[str]:
    """Return in words what is not as it was, parts of nested values by a name such as recipe.lr.

    Args:
        then: as read from a file.
        now: JSON values; in an object, None and a missing name are the same.
        name: of the whole.

    """
    return _differences(then, as_read(now), name)


def _differences(then: Any, now: Any, name: str) -> list[str]:
    if isinstance(then, dict) and isinstance(now, dict):
        parts = {key: (then.get(key), now.get(key)) for key in {**then, **now}}
        names = {key: f"{name}.{key}" if name else key for key in parts}
    elif _nested(then) and _nested(now):
        parts = dict(enumerate(zip_longest(then, now)))
        names = {i: f"{name}[{i}]" for i in parts}
    elif then == now:
        return []
    else:
        return [f"{name} is {_shown(now, then)} now and was {_shown(then, now)}"]
    return [line for key, (a, b) in parts.items() for line in _differences(a, b, names[key])]


def check_same(where: str, then: Any, now: Mapping[str, Any], remedy: str) -> None:
    """Raise OtherRunError, naming all that differs, if an earlier run was not of this identity.

    Args:
        where: what holds the earlier run's result, for the message.
        then: the identity in its file; anything but an object counts as an empty one.
        now: the identity of this run, JSON values.
        remedy: what to do about it, for the message.

    """
    changes = differences(then if isinstance(then, dict) else {}, now)
    if changes:
        raise OtherRunError(f"{where}: {'; '.join(changes)}; {remedy}")


def _nested(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, dict | list) for one in value)


def _shown(value: Any, other: Any) -> str:
    """Return a value as text that is not too long, if need be from where it differs from the other."""
    text = repr(value)
    same = next((i for i, (a, b) in enumerate(zip_longest(text, repr(other))) if a != b), 0)
    return shorten(text if same < _SHOWN // 2 else f"...{text[same - _BEFORE :]}", _SHOWN)
