"""Optional packages: imported when they are needed, named in the error when they are missing."""

import importlib
import importlib.util
from collections.abc import Iterable
from typing import Any

Package = tuple[str, str, str]  # what `require` takes


def require(module: str, extra: str, why: str) -> Any:
    """Import and return a module of an optional dependency.

    Args:
        module: name to import, such as "pyarrow.parquet".
        extra: the extra of qdit that installs it.
        why: what it is needed for, such as "to read Parquet files".

    Raises:
        ImportError: that names package and extra, if it is not installed.

    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != module.partition(".")[0]:
            raise  # it is there, but something that it needs itself is not
        raise ImportError(_missing(module, extra, why)) from None


def check_installed(packages: Iterable[Package]) -> None:
    """Raise ImportError with all of the packages that are not installed; none is imported."""
    missing = [one for one in packages if importlib.util.find_spec(one[0].partition(".")[0]) is None]
    if missing:
        raise ImportError("; ".join(dict.fromkeys(_missing(*one) for one in missing)))


def _missing(module: str, extra: str, why: str) -> str:
    return f"{module.partition('.')[0]} is needed {why}: pip install 'qdit[{extra}]'"
