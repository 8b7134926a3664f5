"""Which backend runs, with which products."""

import errno
import os
from typing import Any

import numpy as np

from .._core import Engine, build_info, cuda_status
from .rows import Rows

_HALF = ("float16", "bfloat16")


def resolve_backend(backend: str, device: int, *, on_device: bool) -> str:
    """Return the backend that runs; "auto" is "cuda" where the device can be used.

    Raises:
        RuntimeError: if CUDA is asked for, or the rows are on a device, and it cannot be used.
        ValueError: if the rows are on a device and another backend is asked for.

    """
    if on_device and backend not in ("auto", "cuda"):
        raise ValueError(
            f"backend: got {backend!r} for embeddings on a CUDA device, wanted 'cuda'; "
            "or copy them to CPU memory"
        )
    if backend not in ("auto", "cuda"):
        return backend
    status = cuda_status(device)
    if status["usable"]:
        return "cuda"
    if backend == "auto" and not on_device:
        return "cpu"
    raise RuntimeError(f"backend 'cuda' cannot be used: {status['reason']}")


def resolve_precision(precision: str, dtype: str) -> str:
    """Return "float16" or "split"; "auto" is "float16" for rows that are no wider than that."""
    if precision != "auto":
        return precision
    return "float16" if dtype in _HALF else "split"


def arithmetic(
    backend: str, dtype: str, *, device: int = 0, precision: str | None = None, simd: str | None = None
) -> str:
    """Return how products are rounded, which decides the last bit of a similarity.

    Args:
        backend: one that runs, so not "auto".
        dtype: of the rows.
        device: of backend "cuda".
        precision: of backend "cuda"; None is that of the dtype.
        simd: the instruction set of backend "cpu"; None for the one in use.

    """
    if backend == "reference":
        return "float64"
    if backend == "cuda":
        return _on_tensor_cores(device, precision or resolve_precision("auto", dtype))
    if dtype in _HALF:
        return "float32"  # products are exact, so fused or not makes no difference
    return "float32 unfused" if (simd or build_info()["simd_active"]) == "baseline" else "float32 fused"


def open_engine(
    rows: Rows, *, outside: Rows | None = None, represented: Rows | None = None, **options: Any
) -> Engine:
    """Return an engine over rows.

    outside: rows that are chosen already. represented: those to cover, None for the rows themselves. options:
    others of `Engine`.
    """
    for name, others in (("outside", outside), ("represented", represented)):
        if others is not None:
            options |= {name: others.array, f"{name}_dtype": others.dtype}
    try:
        return Engine(rows.array, dtype=rows.dtype, **options)
    except RuntimeError as error:
        if str(error) != os.strerror(errno.EAGAIN):
            raise
        threads = options.get("threads", 1)
        raise RuntimeError(f"threads: got {threads}, more than may run here; pass fewer") from error


def _on_tensor_cores(device: int, precision: str) -> str:
    """Return by what instruction of which generation, from which operands."""
    capability = cuda_status(device)["name"].rpartition(" ")[2]
    row = np.ones((1, 8), np.float32)  # an engine knows; the smallest will do
    engine = Engine(row, dtype="float32", backend="cuda", device=device, precision=precision)
    kernels = engine.stats()["device"].partition(" products by ")[2].partition(" ")[0]
    return f"cuda {precision} by {kernels}, tensor cores {capability}"
