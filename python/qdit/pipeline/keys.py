"""Reading YAML files: which keys they have, and which options stand under a key."""

import difflib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ..common.options import Options
from ..common.types import JSON


@dataclass(frozen=True)
class Keys:
    """What stands under the key of a stage.

    Attributes:
        options: of the stage.
        own: those that the run decides and the file does not, with values to check the others beside.
        more: what the key takes beside them.

    """

    options: type[Options]
    own: Mapping[str, Any] = field(default_factory=dict)
    more: Collection[str] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all that may stand there."""
        return tuple(sorted({*self.options.names()} - {*self.own} | {*self.more}))

    def made(self, given: Mapping[str, Any]) -> Options:
        """Return the options that stand there."""
        return self.options(**{**self.own, **{n: x for n, x in given.items() if n not in self.more}})

    def check(self, where: str, given: Mapping[str, Any]) -> None:
        """Raise an error for an option that there is not, or for a value that it does not take."""
        check_names(where, given, self.names)
        try:
            self.made(given)
        except (TypeError, ValueError) as error:
            kind = TypeError if isinstance(error, TypeError) else ValueError
            raise kind(f"{where}: {error}") from None


def read_yaml(file: Path, kind: str, verb: str, keys: Collection[str]) -> JSON:
    """Return the content of a YAML file whose keys are among `keys`.

    kind: what errors call it. verb: what it is the file of.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is no YAML, or has other keys.

    """
    if not file.is_file():
        what = "is a folder" if file.is_dir() else "does not exist"
        raise FileNotFoundError(f"{kind}: {file} {what}; pass the YAML file of a {verb}")
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = "" if mark is None else f", line {mark.line + 1}"
        reason = getattr(error, "problem", None) or " ".join(str(error).split())
        raise ValueError(f"{file}{where}: this is no YAML: {reason}") from error
    if not isinstance(content, dict):
        some = ", ".join(list(keys)[:3])
        raise ValueError(f"{file}: got {type(content).__name__}, wanted keys such as {some}")
    check_names(str(file), content, keys)
    return content


def mapping(where: str, value: object, of: str = "options") -> JSON:
    """Return what stands under a key, {} where nothing does; of: what it maps from, for the error."""
    if value is None or value is True:
        return {}
    if not isinstance(value, dict):
        raise ValueError(f"{where}: got {value!r}, wanted a mapping of {of}")
    return {str(name): entry for name, entry in value.items()}


def check_names(where: str, content: Mapping[Any, Any], known: Collection[str]) -> None:
    """Raise ValueError for a key that is not known, with the one that was probably meant."""
    for name in content:
        if name not in known:
            close = difflib.get_close_matches(str(name), known, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise ValueError(f"{where}: got {name!r}, wanted some of {', '.join(known)}{hint}")
