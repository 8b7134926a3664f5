"""versions."""

from __future__ import annotations

import platform

import numpy as np

from .._core import build_info
from .._version import __version__


def versions() -> dict[str, str]:
    """Return the versions that a result is recorded with."""
    return {
        "qdit": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "compiler": build_info()["compiler"],
    }
