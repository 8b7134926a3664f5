"""libqdit as another language sees it: qdit.h by ctypes, and how to build against an installed copy."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
from ctypes import POINTER, byref, c_char_p, c_double, c_int32, c_int64, c_size_t, c_uint64, c_void_p
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "build" / "release"

DTYPES = {"float16": 1, "bfloat16": 2, "float32": 3, "float64": 4}
METRICS = {"cosine": 0, "dot": 1}
ZERO_ROWS = {"error": 0, "ignore": 1}
METHODS = {"exact": 0, "lazy": 1, "naive": 2, "stochastic": 3}
GAIN_SCALES = {"sum": 0, "per_k": 1}
OK, CANCELLED = 0, 5


class _Options(ctypes.Structure):
    """A struct of qdit.h; zero but for its size."""

    def __init__(self, **members: Any) -> None:
        super().__init__(size=ctypes.sizeof(type(self)), **members)


class PoolOptions(_Options):
    _fields_ = (
        ("size", c_size_t),
        ("rows", c_void_p),
        ("n", c_int64),
        ("d", c_int64),
        ("dtype", c_int32),
        ("metric", c_int32),
        ("zero_rows", c_int32),
        ("backend", c_int32),
        ("simd", c_char_p),
        ("outside", c_void_p),
        ("outside_n", c_int64),
        ("outside_dtype", c_int32),
        ("threads", c_int32),
        ("cache_bytes", c_int64),
        ("floor", c_double),
        ("has_floor", c_int32),
        ("reserved", c_int32),
    )


class Progress(ctypes.Structure):
    _fields_ = (("size", c_size_t), ("picked", c_int64), ("k", c_int64), ("evaluations", c_int64))


Callback = ctypes.CFUNCTYPE(c_int32, POINTER(Progress), c_void_p)


class SelectOptions(_Options):
    _fields_ = (
        ("size", c_size_t),
        ("k", c_int64),
        ("alpha", c_double),
        ("quality", c_void_p),
        ("method", c_int32),
        ("gain_scale", c_int32),
        ("epsilon", c_double),
        ("seed", c_uint64),
        ("given", c_void_p),
        ("given_count", c_int64),
        ("costs", c_void_p),
        ("budget", c_double),
        ("groups", c_void_p),
        ("quotas", c_void_p),
        ("group_count", c_int64),
        ("resume", c_void_p),
        ("resume_count", c_int64),
        ("pair_bytes", c_int64),
        ("progress", Callback),
        ("user", c_void_p),
        ("interval", c_double),
    )


def load(path: Path) -> Any:
    """Return the library with the types of its functions."""
    library = ctypes.CDLL(str(path))
    library.qdit_version.restype = library.qdit_last_error.restype = c_char_p
    library.qdit_pool_open.argtypes = [POINTER(PoolOptions), POINTER(c_void_p)]
    library.qdit_pool_close.argtypes = [c_void_p]
    library.qdit_select.argtypes = [
        *(c_void_p, POINTER(SelectOptions), c_void_p, c_void_p),
        POINTER(c_int64),
    ]
    library.qdit_coverage.argtypes = [c_void_p, POINTER(c_double)]
    library.qdit_row_coverage.argtypes = [c_void_p, c_void_p]
    return library


def address(array: np.ndarray | None) -> int | None:
    return None if array is None else array.ctypes.data


class Pool:
    """A pool of libqdit. Rows stay the caller's: the arrays are kept."""

    def __init__(
        self, library: Any, rows: np.ndarray, outside: np.ndarray | None = None, **options: Any
    ) -> None:
        self._library = library
        self._rows = rows, outside
        self.n = len(rows)
        given = PoolOptions(rows=address(rows), n=len(rows), d=rows.shape[1], dtype=_dtype(rows), **options)
        if outside is not None:
            given.outside, given.outside_n = address(outside), len(outside)
            given.outside_dtype = _dtype(outside)
        self._pool = c_void_p()
        self._check(library.qdit_pool_open(byref(given), byref(self._pool)))

    def _check(self, status: int) -> None:
        if status != OK:
            raise RuntimeError(f"{status}: {self._library.qdit_last_error().decode()}")

    def select(self, k: int, **options: Any) -> tuple[np.ndarray, np.ndarray]:
        """Return picks and gains; arrays among the options are passed by address."""
        arrays = {name: value for name, value in options.items() if isinstance(value, np.ndarray)}
        plain = {name: value for name, value in options.items() if name not in arrays}
        given = SelectOptions(k=k, **plain, **{name: address(value) for name, value in arrays.items()})
        indices, gains, count = np.empty(k, np.int64), np.empty(k), c_int64()
        self._check(
            self._library.qdit_select(
                self._pool, byref(given), address(indices), address(gains), byref(count)
            )
        )
        return indices[: count.value], gains[: count.value]

    def coverage(self) -> float:
        found = c_double()
        self._check(self._library.qdit_coverage(self._pool, byref(found)))
        return found.value

    def row_coverage(self) -> np.ndarray:
        found = np.empty(self.n)
        self._check(self._library.qdit_row_coverage(self._pool, address(found)))
        return found

    def close(self) -> None:
        self._check(self._library.qdit_pool_close(self._pool))


def _dtype(rows: np.ndarray) -> int:
    """Return the number of a dtype; uint16 stands for bfloat16 bits."""
    return DTYPES["bfloat16" if rows.dtype == np.uint16 else str(rows.dtype)]


# programs that were installed beside Python come first
ENVIRONMENT = os.environ | {"PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])}


def tool(name: str) -> str:
    """Return the path of a program; skip where there is none."""
    found = shutil.which(name, path=ENVIRONMENT["PATH"])
    if found is None:
        pytest.skip(f"needs {name}")
    return found


def run(*words: str | Path, **options: Any) -> str:
    """Run a program that must succeed and return what it printed."""
    options = {"env": ENVIRONMENT} | options
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, **options)
    assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
    return done.stdout


def install(prefix: Path) -> None:
    """Bring the library that `make test-cpp` builds up to date and install it; skip where there is none."""
    cmake = tool("cmake")
    cache = BUILD / "CMakeCache.txt"
    if not cache.exists() or "QDIT_BUILD_C:BOOL=ON" not in cache.read_text():
        pytest.skip("needs libqdit: make test-cpp")
    run(cmake, "--build", BUILD, "--target", "qdit_c")
    run(cmake, "--install", BUILD, "--component", "c", "--prefix", prefix)
