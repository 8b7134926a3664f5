"""identity."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def digest(value: Any) -> str:
    """Return the sha256 of a JSON value."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def difference(then: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Return which settings are not as they were, "" if all are."""
    now = json.loads(json.dumps(now))
    return "; ".join(
        f"{name} is {_short(now.get(name))} and was {_short(then.get(name))}"
        for name in {**then, **now}
        if then.get(name) != now.get(name)
    )


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 120 else text[:117] + "..."


class OtherSettingsError(ValueError):
    """What is there was made with other settings or from other records."""


def compare(where: str, before: Any, now: dict[str, Any]) -> None:
    """Raise OtherSettingsError that names every value that is not as before."""
    then = before if isinstance(before, dict) else {}
    now = json.loads(json.dumps(now))
    changes = [
        f"{name} is {now.get(name)!r} now and was {then.get(name)!r}"
        for name in {**then, **now}
        if then.get(name) != now.get(name)
    ]
    if changes:
        raise OtherSettingsError(
            f"{where}: {'; '.join(changes)}; repeat the earlier call, or pass overwrite=True (--overwrite) "
            "to embed all rows again"
        )
