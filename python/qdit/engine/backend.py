"""backend."""

from __future__ import annotations

import numpy as np

from .._core import Engine, build_info, cuda_status
from ..selection.problem import Problem

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


def arithmetic(device: int, precision: str) -> str:
    """Return how products are rounded: by what instruction of which generation, from which operands."""
    capability = cuda_status(device)["name"].rpartition(" ")[2]
    row = np.ones((1, 8), np.float32)  # an engine knows; the smallest will do
    engine = Engine(row, dtype="float32", backend="cuda", device=device, precision=precision)
    kernels = engine.stats()["device"].partition(" products by ")[2].partition(" ")[0]
    return f"cuda {precision} by {kernels}, tensor cores {capability}"


def _arithmetic(problem: Problem) -> str:
    """Return how products are rounded; it decides the last bit of a similarity."""
    if problem.backend == "reference":
        return "float64"
    if problem.precision is not None:
        return arithmetic(problem.device, problem.precision)
    if problem.rows.dtype in ("float16", "bfloat16"):
        return "float32"  # products are exact, so fused or not makes no difference
    return "float32 unfused" if build_info()["simd_active"] == "baseline" else "float32 fused"
