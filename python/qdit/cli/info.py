"""What this installation is and can do on this machine."""

import os
import platform

import numpy as np

from .._core import build_info, cuda_status
from .._version import __version__
from ..common import checks
from ..common.text import format_table


def info() -> dict[str, str]:
    """Return what `qdit info` prints, in order.

    Raises:
        ValueError: if the environment variable QDIT_SIMD names an instruction set that cannot run here.

    """
    build = build_info()
    status = cuda_status()
    forced = os.environ.get("QDIT_SIMD")
    return {
        "version": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "compiler": f"{build['compiler']} ({build['build_type']})",
        "instruction sets built": ", ".join(build["simd_built"]),
        "supported here": ", ".join(build["simd_supported"]),
        "in use": build["simd_active"] + (f" (forced by QDIT_SIMD={forced})" if forced else ""),
        "threads": str(checks.check_threads(None)),
        "cuda": status["name"] or f"not usable: {status['reason']}",
    }


def info_command() -> None:
    """Print version, compiler, instruction sets, threads and CUDA status."""
    print(format_table(info()))
