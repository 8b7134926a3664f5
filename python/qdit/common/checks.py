"""Checks of scalar options, with errors that say what, got, wanted and remedy."""

import difflib
import math
import operator
import os
from collections.abc import Sequence
from typing import SupportsFloat, SupportsIndex


def check_choice(name: str, value: object, choices: Sequence[str]) -> str:
    """Return `value` if it is one of `choices`, else raise ValueError with the closest one."""
    if isinstance(value, str) and value in choices:
        return value
    wanted = ", ".join(repr(choice) for choice in choices)
    close = difflib.get_close_matches(value, choices, n=1) if isinstance(value, str) else []
    hint = f"; did you mean {close[0]!r}?" if close else ""
    raise ValueError(f"{name}: got {value!r}, wanted one of {wanted}{hint}")


def check_float(name: str, value: object) -> float:
    """Return `value` as a finite float; TypeError if it is no number, ValueError if it is not finite."""
    if isinstance(value, bool | str) or not isinstance(value, SupportsFloat):
        raise TypeError(f"{name}: got {value!r}, wanted a number")
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{name}: got {number}, wanted a finite number")
    return number


def check_int(name: str, value: object) -> int:
    """Return `value` as an int; TypeError for anything that is not an integer (bool included)."""
    if isinstance(value, bool) or not isinstance(value, SupportsIndex):
        raise TypeError(f"{name}: got {value!r}, wanted an integer")
    return operator.index(value)


def check_seed(seed: object) -> int:
    """Return seed in [0, 2**63)."""
    number = check_int("seed", seed)
    if not 0 <= number < 2**63:
        raise ValueError(f"seed: got {number}, wanted an integer from 0 to 2**63 - 1")
    return number


def check_device(device: object) -> int:
    """Return the number of a device."""
    number = check_int("device", device)
    if number < 0:
        raise ValueError(f"device: got {number}, wanted 0 or more")
    return number


def check_threads(threads: object) -> int:
    """Return the number of threads; None means every processor this process may run on."""
    if threads is None:
        if hasattr(os, "sched_getaffinity"):
            return len(os.sched_getaffinity(0))
        return os.cpu_count() or 1
    number = check_int("threads", threads)
    if number < 1:
        raise ValueError(f"threads: got {number}, wanted at least 1, or None for all processors")
    return number


def check_least(name: str, value: object, least: int) -> int:
    """Return `value` as an int of at least `least`."""
    number = check_int(name, value)
    if number < least:
        raise ValueError(f"{name}: got {number}, wanted at least {least}")
    return number
