"""The versions that a result is recorded with."""

import platform
from collections.abc import Iterable
from importlib import metadata

import numpy as np

from .._core import build_info
from .._version import __version__


def versions() -> dict[str, str]:
    """Return the versions that decide a selection."""
    return {
        "qdit": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "compiler": build_info()["compiler"],
    }


def library_versions(libraries: Iterable[str]) -> dict[str, str]:
    """Return the versions of qdit and of packages, "unknown" for one that is not installed as a package."""
    found = {"qdit": __version__}
    for name in dict.fromkeys(libraries):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "unknown"
    return found
