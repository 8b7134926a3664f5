"""Array files opened without reading them: .npy as a memmap, raw files with a known shape."""

import math
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from .types import Array

_MAGIC = b"\x93NUMPY"


def open_npy(name: str, path: Path) -> Array:
    """Map a .npy file read-only; `name` leads every error.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is not a .npy file, holds Python objects or more than one array, or is shorter than
            its header says.

    """
    _check_file(name, path)
    with path.open("rb") as file:
        shape, fortran, dtype = _read_header(name, path, file)
        offset = file.tell()
    if dtype.hasobject:
        raise ValueError(f"{name}: {path} holds pickled Python objects, wanted numbers; save a numeric array")
    wanted = offset + math.prod(shape) * dtype.itemsize
    got = path.stat().st_size
    if got < wanted:
        raise ValueError(
            f"{name}: {path} is truncated: got {got} bytes, wanted {wanted} for shape {shape} of "
            f"{dtype.name}; write or copy it again"
        )
    if got > wanted:
        raise ValueError(
            f"{name}: {path} goes on after its array of shape {shape}: got {got} bytes, wanted {wanted}; "
            "save each array in a file of its own"
        )
    order: Any = "F" if fortran else "C"
    if math.prod(shape) == 0:  # there is nothing to map
        return np.empty(shape, dtype, order=order)
    return np.memmap(path, dtype, "r", offset, shape, order)


def open_raw(name: str, path: Path, shape: tuple[int, int], dtype: np.dtype[Any]) -> Array:
    """Map a raw file of `shape` (n, d) read-only; n = -1 takes as many rows as the file holds."""
    _check_file(name, path)
    n, d = shape
    got = path.stat().st_size
    row = d * dtype.itemsize
    if n == -1 and got % row == 0 and got > 0:
        n = got // row
    if n == -1:
        raise ValueError(
            f"{name}: {path} has {got} bytes, wanted a positive multiple of {row}, one row's size"
        )
    if got != n * row:
        hint = "this is a .npy file: leave out shape and dtype" if _is_npy(path) else "check shape and dtype"
        raise ValueError(f"{name}: {path} has {got} bytes, wanted {n * row} for shape {(n, d)}; {hint}")
    return np.memmap(path, dtype, "r", 0, (n, d))


def _check_file(name: str, path: Path) -> None:
    if not path.exists():
        raise FileNotFoundError(f"{name}: no such file: {path}")
    if not path.is_file():
        raise ValueError(f"{name}: {path} is not a file; pass the path of a .npy or raw file")


def _is_npy(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC


def _read_header(name: str, path: Path, file: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    size = path.stat().st_size
    if file.read(len(_MAGIC)) != _MAGIC:
        raise ValueError(
            f"{name}: {path} is not a .npy file; for a raw file pass shape and dtype, else write it "
            "with numpy.save"
        )
    file.seek(0)
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    readers[3, 0] = readers[2, 0]  # in UTF-8, for names of fields; of numbers they are the same
    try:
        version = np.lib.format.read_magic(file)
        if version not in readers:
            raise ValueError(f"format version {version[0]}.{version[1]}")
        return readers[version](file)
    except ValueError as error:
        raise ValueError(
            f"{name}: {path} has a damaged or unknown .npy header ({size} bytes in all); write it again"
        ) from error
