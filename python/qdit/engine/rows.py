"""Embeddings as the engine reads them: 2-D, C-contiguous, aligned, native byte order, never copied."""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from ..common import files, npy
from ..common.types import Array, Indices, StrPath
from . import arrays
from .device import DeviceArray, check_shape, is_on_device, is_tensor, item_type, open_device_array

DTYPES = ("float16", "bfloat16", "float32", "float64")
_HEAD_BYTES = 64
_KIND = re.compile(rb'\{\s*"format":\s*"(qdit-[\w-]+)"')  # how manifests begin
_WANTED = "float16, bfloat16, float32 or float64"


@dataclass(frozen=True, eq=False)
class Rows:
    """A checked pool of embedding rows, as `open_embeddings` returns it.

    Attributes:
        array: (n, d), C-contiguous; bfloat16 rows are held as their uint16 bits.
        dtype: "float16", "bfloat16", "float32" or "float64".
        source: path of the file the rows are mapped from, or "memory".

    """

    array: Array
    dtype: str
    source: str = "memory"

    @property
    def n(self) -> int:
        """Number of rows."""
        return int(self.array.shape[0])

    @property
    def d(self) -> int:
        """Number of dimensions."""
        return int(self.array.shape[1])

    @property
    def shape(self) -> tuple[int, int]:
        """(n, d)."""
        return self.n, self.d

    @property
    def device(self) -> int | None:
        """Number of the CUDA device that the rows are on; None for CPU memory."""
        return self.array.device if isinstance(self.array, DeviceArray) else None

    @property
    def nbytes(self) -> int:
        """Size of the rows in bytes."""
        return int(self.array.nbytes)

    def __len__(self) -> int:
        return self.n

    def __repr__(self) -> str:
        return f"Rows(n={self.n}, d={self.d}, dtype={self.dtype!r}, source={self.source!r})"


class CudaArray(Protocol):
    """An array in the memory of a CUDA device, such as CuPy's or Numba's."""

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]: ...


# what `open_embeddings` takes; tensors of torch count as array-like, on a device too
EmbeddingsLike = Rows | StrPath | ArrayLike | CudaArray


def open_embeddings(
    source: EmbeddingsLike, *, shape: tuple[int, int] | None = None, dtype: DTypeLike | None = None
) -> Rows:
    """Open a pool of embeddings without copying it.

    Args:
        source: an (n, d) array or np.memmap; a path to a .npy file (opened as a memmap) or, with `shape` and
            `dtype`, to a raw file; or anything on the CPU that speaks DLPack, `__array_interface__` or
            `__array__`, such as a torch tensor; or on a CUDA device, by `__cuda_array_interface__` or DLPack,
            such as a torch tensor or CuPy array.
        shape: (n, d) of a raw file; n may be -1 to take what the file holds.
        dtype: "float16", "bfloat16", "float32" or "float64" of a raw file. For arrays and .npy files only
            "bfloat16" does something: it reads 2-byte items as bfloat16 bits.

    Returns:
        The rows, ready for `qdit.select`.

    Raises:
        TypeError: for a dtype or kind of object that cannot be read.
        ValueError: for a wrong shape, memory layout or damaged file.
        FileNotFoundError: if the path names no file.

    """
    tag = None if dtype is None else dtype_tag(dtype)
    if isinstance(source, Rows):
        if shape is not None or tag not in (None, source.dtype):
            raise ValueError("embeddings: shape and dtype are known already; leave them out")
        return source
    if isinstance(source, str | os.PathLike):
        path = Path(source)
        if shape is not None:
            array, stored = _open_raw(path, shape, tag), tag
        else:
            array, stored = npy.open_npy("embeddings", path), None
        return _checked(f"embeddings: {path}", array, stored or tag, str(path))
    if shape is not None:
        raise ValueError("embeddings: shape is for raw files only; leave it out for arrays")
    if is_on_device(source):
        rows = open_device_array("embeddings", source)
        if tag not in (None, rows.dtype_name):
            raise TypeError(f"embeddings: got dtype {rows.dtype_name}, wanted {tag} as asked for")
        # It has the shape and size of an array; whatever needs its items in CPU memory gets a TypeError.
        return Rows(cast("Array", rows), rows.dtype_name, f"CUDA device {rows.device}")
    return check_rows("embeddings", source, tag)


def kept_zeros(source: StrPath) -> int:
    """Return how many rows of zeros a file of rows was made to keep, as the manifest beside it says."""
    path = Path(source).with_suffix(".json")
    if Path(source).suffix != ".npy" or not path.is_file():
        return 0
    with path.open("rb") as file:
        kind = _KIND.match(file.read(_HEAD_BYTES))
    if kind is None:  # a data set of the same name, say
        return 0
    found = files.read_json(path, kind[1].decode())
    zeros, bad = found.get("zero_rows"), found.get("bad_rows")
    return zeros if isinstance(zeros, int) and zeros else len(bad) if isinstance(bad, list) else 0


def check_rows(name: str, source: ArrayLike | CudaArray, tag: str | None = None) -> Rows:
    """Return `source`, an array-like object of 2 dimensions, as `Rows`; `name` leads every error."""
    if isinstance(source, str | os.PathLike):
        raise TypeError(f"{name}: got a path, wanted an array; load it with numpy.load")
    arrays.refuse_reordered(name, source)
    array, found = arrays.view(name, source)
    return _checked(name, array, found or tag, "memory", source)


def dtype_tag(dtype: DTypeLike) -> str:
    """Return the name of an embedding dtype given as a string, type or numpy dtype."""
    if isinstance(dtype, str) and dtype == "bfloat16":
        return dtype
    try:
        name = str(np.dtype(dtype).name)
    except TypeError:
        name = str(dtype)
    if name not in DTYPES:
        raise TypeError(f"dtype: got {name}, wanted {_WANTED}")
    return name


def _open_raw(path: Path, shape: tuple[int, int], tag: str | None) -> Array:
    if tag is None:
        raise ValueError(f"embeddings: {path}: got a shape without a dtype; pass dtype={_WANTED}")
    if len(shape) != 2 or shape[1] < 1 or shape[0] < -1 or shape[0] == 0:
        raise ValueError(f"embeddings: {path}: got shape {shape}, wanted (n, d) with n and d at least 1")
    return npy.open_raw("embeddings", path, shape, item_type(tag))


def _checked(name: str, array: Array, tag: str | None, origin: str, source: Any = None) -> Rows:
    """Return an array as rows; source: what the caller has, for remedies."""
    array, tag = _typed(name, array, tag, source)
    check_shape(name, array.shape)
    _check_layout(name, array, source)
    return Rows(array, tag, origin)


def _typed(name: str, array: Array, tag: str | None, source: Any) -> tuple[Array, str]:
    got = array.dtype
    if got.name == "bfloat16":  # ml_dtypes
        return array.view(np.uint16), "bfloat16"
    if tag == "bfloat16" and got.itemsize == 2 and got.kind in "iuV" and got.fields is None:
        return array.view(np.uint16), "bfloat16"
    known = got.name if got.kind == "f" and got.name in DTYPES else None
    if known is None:
        raise TypeError(f"{name}: got dtype {got.name}, wanted {_WANTED}{_conversion(array, source)}")
    if tag not in (None, known):
        raise TypeError(f"{name}: got dtype {known}, wanted {tag} as asked for; leave dtype out")
    if not got.isnative:
        raise ValueError(
            f"{name}: got byte order {got.str!r}, wanted this machine's; "
            f"convert with numpy.asarray(x, dtype=numpy.{known})"
        )
    return array, known


def _conversion(array: Array, source: Any) -> str:
    """Return how to make an array of another dtype one of floats, as the end of an error; "" if none can."""
    kind = array.dtype.kind
    if array.dtype.fields:
        return "; convert with numpy.asarray(x.tolist(), dtype=numpy.float32)"
    if kind == "V" and array.itemsize == 2:  # how numpy.save stores ml_dtypes.bfloat16
        return '; if these are bfloat16 bits, use qdit.open_embeddings(x, dtype="bfloat16")'
    if kind == "c":
        return "; take x.real if that is what is meant"
    if kind == "O" and array.ndim == 1 and np.ndim(array[0]) == 1:
        return arrays.unlike(array) or "; convert with numpy.stack(numpy.asarray(x))"
    framed = kind == "O" and array.ndim == 2 and hasattr(source, "__arrow_c_stream__")
    if framed and any(np.ndim(item) == 1 for item in array[0]):
        return "; convert with qdit.vectors.from_arrow(x)"
    try:
        array[:1].astype(np.float32, casting="same_kind" if kind in "mM" else "unsafe")
    except (TypeError, ValueError):
        return ""
    return "; convert with numpy.asarray(x, dtype=numpy.float32)"


def _check_layout(name: str, array: Array, source: Any) -> None:
    strides = array.strides
    if not array.flags.c_contiguous:
        wanted = (array.shape[1] * array.itemsize, array.itemsize)
        copy = "x.contiguous()" if is_tensor(source) else "numpy.ascontiguousarray(x)"
        what = "negative strides" if min(strides) < 0 else "strides"
        raise ValueError(
            f"{name}: got {what} {strides}, wanted C-contiguous rows with strides {wanted}; "
            f"make them so with {copy}"
        )
    if not array.flags.aligned:
        raise ValueError(
            f"{name}: got data that is not aligned to its {array.itemsize}-byte items; "
            "copy it once with x.copy()"
        )


def subset(rows: Rows, which: Indices) -> Rows:
    """Return a copy of some rows in CPU memory."""
    if isinstance(rows.array, DeviceArray):
        return Rows(rows.array.take(which), rows.dtype)
    return Rows(np.ascontiguousarray(rows.array[which]), rows.dtype)


def to_float32(rows: Rows, which: Indices | slice) -> NDArray[np.float32]:
    """Return some rows as float32."""
    part = rows.array[which]
    if rows.dtype == "bfloat16":
        return (part.astype(np.uint32) << 16).view(np.float32)
    return np.asarray(part, np.float32)


def to_float64(rows: Rows, which: Indices | slice) -> NDArray[np.float64]:
    """Return some rows as float64."""
    return np.asarray(rows.array[which] if rows.dtype == "float64" else to_float32(rows, which), np.float64)
