"""What all options have in common: checked when they are made, documented and given defaults in one place."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import cache
from types import NoneType
from typing import Any, Self, TypeVar, get_args, get_type_hints

from .checks import check_float, check_int, check_threads
from .optional import Package

SomeOptions = TypeVar("SomeOptions", bound="Options")


@dataclass(frozen=True, kw_only=True)
class Options:
    """Base of the options of a stage; each class below it checks its own fields in `_check`.

    That a field declared as int or float (or None) is one, and finite, is checked here; one
    of NumPy becomes Python's.
    """

    def __post_init__(self) -> None:
        for name, check, optional in _numbers(type(self)):  # type: ignore[arg-type]  # classes are hashable
            value = getattr(self, name)
            if value is None and optional:
                continue
            number = check(name, value)
            if type(value) not in (int, float):  # hashes of runs tell 1 and 1.0 apart
                self._set(name, number)
        for kind in reversed(type(self).__mro__):
            if "_check" in vars(kind):
                vars(kind)["_check"](self)

    def packages(self) -> tuple[Package, ...]:
        """Return the optional packages that a run with these options imports."""
        return ()

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Return the names of all options, those of base classes first."""
        return tuple(field.name for field in fields(cls))

    @classmethod
    def of(cls, verb: str, options: Mapping[str, Any]) -> Self:
        """Return the options that a call named; TypeError names one that there is not.

        verb: what was called, for the message.
        """
        unknown = [name for name in options if name not in cls.names()]
        if unknown:
            raise TypeError(f"{verb}: got option {unknown[0]!r}, wanted one of {', '.join(cls.names())}")
        return cls(**options)

    def only(self, kind: type[SomeOptions], **changes: Any) -> SomeOptions:
        """Return those of these options that `kind` has, as one of it; changes: values that differ."""
        return kind(**{name: getattr(self, name) for name in kind.names()} | changes)

    def _set(self, name: str, value: object) -> None:
        """Replace a field by its checked form; for `_check` alone."""
        object.__setattr__(self, name, value)


@cache
def _numbers(kind: Any) -> tuple[tuple[str, Callable[[str, object], object], bool], ...]:
    """Return the options that are int or float alone, what checks them, and whether None may stand there."""
    found = []
    for name, hint in get_type_hints(kind).items():
        kinds = {*(get_args(hint) or [hint])}
        for number, check in ((int, check_int), (float, check_float)):
            if kinds - {NoneType} == {number}:
                found.append((name, check, NoneType in kinds))
    return tuple(found)


@dataclass(frozen=True, kw_only=True)
class ThreadOptions(Options):
    """How many threads the engine has.

    Attributes:
        threads: Number of threads; none for all processors.

    """

    threads: int | None = None

    def _check(self) -> None:
        check_threads(self.threads)

    @property
    def thread_count(self) -> int:
        """The number of threads, with None replaced by that of all processors."""
        return check_threads(self.threads)
