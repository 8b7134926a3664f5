"""Numbers and labels from whatever a caller keeps them in: arrays, tensors, frames, sequences, .npy files.

Nothing is copied that numpy can look at in place, and nothing is read in another way than its owner means it:
masks, missing values and labels in another order are refused.
"""

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral
from pathlib import Path
from typing import Any, SupportsFloat

import numpy as np

from ..common import npy
from ..common.text import shorten
from ..common.types import Array, Floats, Indices
from .device import is_tensor, require_dense

_CPU_DLPACK_DEVICES = (1, 3)  # kDLCPU, kDLCUDAHost (pinned host memory)

Label = int | str


def view(name: str, source: Any) -> tuple[Array, str | None]:
    """Return an array-like object's memory, and "bfloat16" if that is what its 2-byte items are.

    `name` leads every error: TypeError for what is no array, ValueError for one that is elsewhere.
    """
    refuse_masked(name, source)
    if isinstance(source, np.ndarray):
        return source, None
    if is_tensor(source):
        return _from_torch(name, source)
    _refuse_device(name, source)
    if hasattr(source, "is_null"):
        _refuse_nulls(name, source)
    elif hasattr(source, "__dlpack__"):
        try:
            return np.from_dlpack(source), None
        except (BufferError, RuntimeError, TypeError, ValueError):  # a dtype numpy has no name for
            pass
    ways = ("__array_interface__", "__array__")
    if isinstance(source, memoryview) or any(hasattr(source, way) for way in ways):
        return np.asarray(source), None
    raise TypeError(f"{name}: got {type(source).__name__}, wanted an array{_way(source)}")


def refuse_masked(name: str, source: Any) -> None:
    """Raise TypeError for a masked array: numpy and what is built on it drop the mask."""
    if isinstance(source, np.ma.MaskedArray):
        raise TypeError(f"{name}: got a masked array, wanted a plain one; fill it or drop the masked rows")


def refuse_reordered(name: str, source: Any) -> None:
    """Raise ValueError for a frame of pandas whose index names the rows, but in another order."""
    if not hasattr(source, "iloc"):
        return
    index = np.asarray(source.index)
    rows = np.arange(len(index))
    moved = index.dtype.kind in "iu" and not np.array_equal(index, rows)
    if moved and np.array_equal(np.sort(index), rows):
        raise ValueError(
            f"{name}: got an index that names the rows in another order, the first as {index[0]}; pass "
            "x.sort_index() to go by the index, or x.to_numpy() to go by position"
        )


def column(name: str, values: Any) -> Array:
    """Return numbers or labels as an array: of a .npy file, an array of any kind, or a sequence."""
    if isinstance(values, str | os.PathLike):
        return npy.open_npy(name, Path(values))
    if not isinstance(values, Sequence):
        array, tag = view(name, values)
        if tag or array.dtype.name == "bfloat16":  # of torch, or of ml_dtypes
            return (array.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
        return array
    try:
        return np.asarray(values)
    except (ValueError, TypeError, RuntimeError):  # ragged, or of tensors with a gradient
        return np.fromiter(values, object, len(values))


def numbers(name: str, values: Any, n: int, of: str = "embeddings") -> Floats:
    """Return real numbers, one for each of n rows, as float64 of their own; they may not be finite.

    of: what the rows are called, for errors.
    """
    array = _of_rows(name, values, n, "fiu", of)
    name = _with_path(name, values)
    if array.dtype.kind == "O":
        return np.fromiter((_number(name, row, value) for row, value in enumerate(array)), np.float64, n)
    if array.dtype.kind not in "fiu":
        raise TypeError(f"{name}: got dtype {array.dtype.name}, wanted real numbers; convert to float64")
    return array.astype(np.float64)


def positive(name: str, values: Any, n: int, of: str = "embeddings", *, remedy: str = "") -> Floats:
    """Return numbers as `numbers` does, each finite and above 0."""
    found = numbers(name, values, n, of)
    good = np.isfinite(found) & (found > 0)
    if not good.all():
        row = int(np.argmin(good))
        raise ValueError(f"{name}: row {row} is {found[row]}, wanted a finite number above 0{remedy}")
    return found


def labels(name: str, values: Any, n: int) -> tuple[tuple[Label, ...], Indices]:
    """Return the distinct labels of n rows, ascending, and the number of each row's among them.

    Labels are integers or strings. What numpy would make one kind of, such as 1 and "1" or "nan" of a missing
    string, is refused.
    """
    array = _of_rows(name, values, n, "iu")
    name = _with_path(name, values)
    if array.dtype.kind in "OT":
        array = _of_one_kind(name, array.tolist())
    if array.dtype.kind not in "iuU":
        raise TypeError(f"{name}: got dtype {array.dtype.name}, wanted integers or strings{missing(array)}")
    found, codes = np.unique(array, return_inverse=True)
    return tuple(found.tolist()), codes.reshape(-1).astype(np.int64)


def missing(array: Array) -> str:
    """Return what to say of numbers that are floats because one is missing, as in pandas; "" of others."""
    lost = np.isnan(array) if array.dtype.kind == "f" else np.zeros(1, bool)
    return f"; item {int(np.argmax(lost))} is missing: fill it or drop it" if lost.any() else ""


def unlike(rows: Iterable[Any]) -> str:
    """Return what to say of the first of some vectors that differs in shape; "" if none does."""
    shapes = [np.shape(row) for row in rows]
    other = next((i for i, shape in enumerate(shapes) if shape != shapes[0]), None)
    return "" if other is None else f"; row {other} has shape {shapes[other]}, row 0 {shapes[0]}"


def shown(item: Any) -> str:
    """Return an item as errors show it."""
    return shorten(" ".join(repr(item).split()), 60)


def _way(source: Any) -> str:
    """Return how to make an array of an object, as the end of an error."""
    if hasattr(source, "toarray"):  # scipy.sparse
        return "; convert it with x.toarray()"
    if isinstance(source, Mapping | str | bytes) or not isinstance(source, Iterable):
        return ""
    if not isinstance(source, Sequence):
        return "; convert it with list(x)"
    if len(source) and is_tensor(source[0]):
        return "; convert it with torch.stack(list(x))"
    return unlike(source) or "; convert it with numpy.asarray(x, dtype=numpy.float32)"


def _of_rows(name: str, values: Any, n: int, plain: str, of: str = "embeddings") -> Array:
    """Return an array of a value for each of n rows; of Python's objects where a sequence mixes kinds.

    plain: the kinds of arrays that numpy makes of nothing but such values. of: what the rows are called.
    """
    refuse_reordered(name, values)
    array = column(name, values)
    if array.shape != (n,):
        name = _with_path(name, values)
        hint = "; flatten it with numpy.ravel(x)" if array.ndim > 1 and array.size == n else ""
        raise ValueError(f"{name}: got shape {array.shape}, wanted ({n},), one for each row of {of}{hint}")
    mixed = array.dtype.kind not in plain and isinstance(values, Sequence) and not isinstance(values, str)
    return np.fromiter(values, object, n) if mixed else array


def _with_path(name: str, values: Any) -> str:
    return f"{name}: {os.fspath(values)}" if isinstance(values, str | os.PathLike) else name


def _number(name: str, row: int, value: Any) -> float:
    if isinstance(value, SupportsFloat) and not isinstance(value, bool | np.bool_):
        try:
            return float(value)
        except (TypeError, ValueError, OverflowError):
            pass
    raise TypeError(f"{name}: row {row} is {shown(value)}, wanted a real number")


def _of_one_kind(name: str, items: list[Any]) -> Array:
    """Return Python's strings, or its integers, as an array; TypeError names the first of another kind."""
    kind: Any = str if isinstance(items[0], str) else Integral
    for row, item in enumerate(items):
        if not isinstance(item, kind) or isinstance(item, bool):
            first = "" if row == 0 else f", all of one kind; row 0 is {shown(items[0])}"
            raise TypeError(f"{name}: row {row} is {shown(item)}, wanted integers or strings{first}")
    try:
        return np.array(items, np.str_ if kind is str else np.int64)
    except OverflowError:
        row = next(row for row, item in enumerate(items) if not -(2**63) <= item < 2**63)
        raise ValueError(f"{name}: row {row} is {items[row]}, wanted at most 64 bits") from None


def _refuse_nulls(name: str, source: Any) -> None:
    """Raise TypeError for nulls of Arrow and Polars, of which numpy makes numbers."""
    nulls = np.asarray(source.is_null())
    if nulls.any():
        raise TypeError(f"{name}: item {int(np.argmax(nulls))} is null, wanted a value; fill it or drop it")


def _refuse_device(name: str, source: Any) -> None:
    device: str | None = None
    if hasattr(source, "__cuda_array_interface__"):
        device = "CUDA"
    elif hasattr(source, "__dlpack_device__"):
        kind = int(source.__dlpack_device__()[0])
        device = None if kind in _CPU_DLPACK_DEVICES else f"DLPack device type {kind}"
    if device is not None:
        raise ValueError(
            f"{name}: got an array on a device ({device}), wanted one in CPU memory; copy it there"
        )


def _from_torch(name: str, tensor: Any) -> tuple[Array, str | None]:
    torch: Any = sys.modules["torch"]  # its tensor is here, so it has been imported; qdit itself never does
    if tensor.device.type == "meta":
        raise ValueError(f"{name}: got a tensor on meta, which has no values; make it on cpu")
    if tensor.device.type != "cpu":
        raise ValueError(
            f"{name}: got a tensor on {tensor.device}, wanted one in CPU memory; move it with x.cpu()"
        )
    require_dense(name, tensor)
    tensor = tensor.detach().resolve_conj().resolve_neg()
    if tensor.dtype == torch.bfloat16:
        return tensor.view(torch.int16).numpy(), "bfloat16"
    try:
        return tensor.numpy(), None
    except TypeError as error:
        raise TypeError(
            f"{name}: got dtype {tensor.dtype}, which numpy has not; convert with x.float()"
        ) from error
