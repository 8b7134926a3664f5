"""The form of the errors that users get: what, which file, got, wanted, remedy, in the project's words."""

from __future__ import annotations

import re
import traceback
from pathlib import Path

import qdit

_PACKAGE = str(Path(qdit.__file__).parent)
_RAW = re.compile(r"Arrow\w+:|object at 0x|Traceback|NoneType|Errno|<class|pyarrow\.|np\.\w+\(")


def complaint(error: BaseException, place: Path | None) -> str:
    """Return what is wrong with an error that a user gets, "" if it is in the project's form.

    place: that the error must name; None where the user has named it.
    """
    text = str(error)
    frame = traceback.extract_tb(error.__traceback__)[-1]
    if not isinstance(error, ValueError | TypeError | FileNotFoundError | RuntimeError | ImportError):
        return "is of a kind that users should not see"
    if not frame.filename.startswith(_PACKAGE):
        return f"was raised in {frame.filename}"
    if found := _RAW.search(text):
        return f"has raw words of a library: {found[0]}"
    if len(text) > 1500:
        return f"has {len(text)} characters"
    if not re.search(r"; \w|, wanted ", text):
        return "has no remedy"
    named = place is None or str(place) in text or re.match(r"(columns|format|id_column|split): ", text)
    return "" if named else "names no file"
