"""Checks of scalar options, with errors that say what, got, wanted and remedy."""

import difflib
import math
import operator
from collections.abc import Sequence
from typing import SupportsFloat, SupportsIndex

from .._core import usable_processors

_INT32 = 2**31 - 1


def check_choice(name: str, value: object, choices: Sequence[str]) -> str:
    """Return `value` if it is one of `choices`, else raise ValueError with the closest one."""
    if isinstance(value, str) and value in choices:
        return value
    wanted = ", ".join(repr(choice) for choice in choices)
    close = difflib.get_close_matches(value, choices, n=1) if isinstance(value, str) else []
    hint = f"; did you mean {close[0]!r}?" if close else ""
    raise ValueError(f"{name}: got {value!r}, wanted one of {wanted}{hint}")


def is_bool(value: object) -> bool:
    """Return whether a value is a bool, or an array or tensor of them: Python takes those for numbers."""
    return isinstance(value, bool) or str(getattr(value, "dtype", "")).endswith("bool")


def check_float(name: str, value: object) -> float:
    """Return `value` as a finite float; TypeError if it is no number, ValueError if it is not finite."""
    if is_bool(value) or isinstance(value, str | complex) or not isinstance(value, SupportsFloat):
        raise TypeError(f"{name}: got {value!r}, wanted a number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    except (TypeError, ValueError):  # an array or a tensor of several
        raise TypeError(f"{name}: got {value!r}, wanted a number") from None
    if not math.isfinite(number):
        raise ValueError(f"{name}: got {number}, wanted a finite number")
    return number


def check_int(name: str, value: object, least: int = -(2**63), most: int = 2**63 - 1) -> int:
    """Return `value` as an int of a range; TypeError for anything that is not an integer (bool included)."""
    if is_bool(value) or not isinstance(value, SupportsIndex):
        raise TypeError(f"{name}: got {value!r}, wanted an integer")
    try:
        number = operator.index(value)
    except TypeError:  # an array, or a tensor of another kind
        raise TypeError(f"{name}: got {value!r}, wanted an integer") from None
    if number < least:
        raise ValueError(f"{name}: got {_short(number)}, wanted at least {least}")
    if number > most:
        raise ValueError(f"{name}: got {_short(number)}, wanted at most 2**{most.bit_length()} - 1")
    return number


def _short(number: int) -> str:
    text = str(number)
    return text if len(text) <= 40 else f"{text[:37]}..."


def check_seed(seed: object) -> int:
    """Return seed in [0, 2**63)."""
    return check_int("seed", seed, 0)


def check_device(device: object) -> int:
    """Return the number of a device."""
    return check_int("device", device, 0, _INT32)


def check_threads(threads: object) -> int:
    """Return the number of threads; None means every processor this process may run on."""
    if threads is None:
        return usable_processors()
    return check_int("threads", threads, 1, _INT32)


def check_least(name: str, value: object, least: int) -> int:
    """Return `value` as an int of at least `least`."""
    return check_int(name, value, least)


def check_share(name: str, value: object) -> float:
    """Return `value` as a float between 0 and 1, both excluded."""
    number = check_float(name, value)
    if not 0.0 < number < 1.0:
        raise ValueError(f"{name}: got {number}, wanted a number between 0 and 1, both excluded")
    return number
