"""Arrow lists as matrices, without a copy where their memory allows it."""

from typing import Any

import numpy as np

from ..common.optional import require
from ..common.types import Array, ArrowArray, ArrowTable, Schema
from .reader import pick_name

EXTRA = "vectors"


def from_arrow(data: Any, column: str | None = None, *, copy: bool | None = None) -> Array:
    """Return a column of vectors as an (n, d) array that `qdit.select` takes, a view of Arrow's memory.

    It is a view of a FixedSizeList, List or LargeList of floats of one length that lies in one chunk; the
    array keeps Arrow's memory alive. Of an uncompressed Arrow file that is mapped (`pyarrow.memory_map`) the
    rows stay in the file.

    Args:
        data: pyarrow Array, ChunkedArray, RecordBatch or Table, or anything with `__arrow_c_stream__` or
            `__arrow_c_array__` such as a Polars or pandas frame.
        column: name of the column of vectors; None takes the one called embeddings, embedding or vector, or
            the only column of lists.
        copy: None copies where there is no other way (several chunks), False raises instead, True copies.

    Returns:
        (n, d) float16, float32 or float64, C-contiguous; read-only where it is a view.

    Raises:
        TypeError: for something else than lists of floats.
        ValueError: for rows that are null, have nulls or differ in length (the first is named), or if
            copy=False and a copy is needed.
        ImportError: without pyarrow.

    """
    chunks = _chunks(data, column)
    rows = sum(len(chunk) for chunk in chunks)
    if rows == 0:
        raise ValueError("embeddings: got no rows, wanted at least one")
    chunks = [chunk for chunk in chunks if len(chunk)]
    d = dimension(chunks[0])
    if d == 0 and not chunks[0].null_count:
        raise ValueError("row 0: got a vector without items, wanted numbers")
    if len(chunks) > 1 and copy is False:
        raise ValueError(
            f"copy: got False for a column of {len(chunks)} chunks, which are not side by side; pass "
            "copy=None, or convert_embeddings() to a file"
        )
    parts, start = [], 0
    for chunk in chunks:
        check_nulls(chunk, start)
        parts.append(matrix(chunk, d, start))
        start += len(chunk)
    if len(parts) == 1:
        return parts[0].copy() if copy else parts[0]
    return np.concatenate(parts)


def matrix(array: ArrowArray, d: int, first: int = 0) -> Array:
    """Return lists of numbers as (m, d) floats; null lists and null items become NaN.

    A view where there are no nulls and the items are floats. first: number of the first row, for errors.
    """
    pa = require("pyarrow", EXTRA, "to read Arrow lists")
    array = _storage(array)
    if array.null_count:
        valid = array.is_valid().to_numpy(zero_copy_only=False)
        dense = matrix(array.drop_null(), d, first)
        rows = np.full((len(array), d), np.nan, dense.dtype)
        rows[valid] = dense
        return rows
    if pa.types.is_fixed_size_list(array.type):
        if array.type.list_size != d:
            raise ValueError(f"row {first}: got a vector of {array.type.list_size} items, wanted {d}")
    else:
        compute = require("pyarrow.compute", EXTRA, "to read Arrow lists")
        lengths = compute.list_value_length(array).to_numpy()
        wrong = lengths != d
        if wrong.any():
            i = int(np.argmax(wrong))
            raise ValueError(
                f"row {first + i}: got a vector of {lengths[i]} items, wanted {d} as in the first row"
            )
    values: Array = array.flatten().to_numpy(zero_copy_only=False)
    if values.dtype.kind != "f":
        values = values.astype(np.float32)
    return values.reshape(len(array), d)


def check_nulls(array: ArrowArray, first: int) -> None:
    """Raise ValueError that names the first row that is null or has a null."""
    array = _storage(array)
    valid = array.is_valid().to_numpy(zero_copy_only=False)
    if not valid.all():
        raise ValueError(f"row {first + int(np.argmin(valid))} is null, wanted a vector; fill it or drop it")
    if array.flatten().null_count:
        d = dimension(array)
        items = array.flatten().is_valid().to_numpy(zero_copy_only=False)
        i = int(np.argmin(items))
        raise ValueError(f"row {first + i // d} has a null item; fill it or drop the row")


def dimension(array: ArrowArray) -> int:
    """Return the length of the first vector; 0 if all are null."""
    pa = require("pyarrow", EXTRA, "to read Arrow lists")
    array = _storage(array)
    if pa.types.is_fixed_size_list(array.type):
        return int(array.type.list_size)
    lengths = require("pyarrow.compute", EXTRA, "to read Arrow lists").list_value_length(array).drop_null()
    return int(lengths[0].as_py()) if len(lengths) else 0


def check_type(name: str, kind: Any) -> None:
    """Raise TypeError unless the column holds lists of numbers."""
    if not is_vectors(kind):
        raise TypeError(f"column {name!r}: got {kind}, wanted lists of float16, float32 or float64")


def is_vectors(kind: Any) -> bool:
    """Return whether an Arrow type is one of lists of numbers."""
    pa = require("pyarrow", EXTRA, "to read Arrow lists")
    kind = getattr(kind, "storage_type", kind)  # tensors and other extension types
    names = ("fixed_size_list", "list", "large_list", "list_view", "large_list_view")
    if not any(getattr(pa.types, f"is_{name}")(kind) for name in names):
        return False
    return bool(pa.types.is_floating(kind.value_type) or pa.types.is_integer(kind.value_type))


def find_column(schema: Schema, column: str | None, where: str) -> str:
    """Return the name of the column of vectors of a pyarrow.Schema."""
    names = list(schema.names)
    found = pick_name(where, [name for name in names if is_vectors(schema.field(name).type)], names, column)
    check_type(found, schema.field(found).type)
    return found


def _chunks(data: Any, column: str | None) -> list[ArrowArray]:
    pa = require("pyarrow", EXTRA, "to read Arrow data")
    if isinstance(data, pa.ExtensionArray | pa.Array):
        check_type("data", data.type)
        return [data]
    if isinstance(data, pa.ChunkedArray):
        check_type("data", data.type)
        return list(data.chunks)
    if not isinstance(data, pa.Table | pa.RecordBatch):
        if hasattr(data, "__arrow_c_stream__"):
            data = as_table(data)
        elif hasattr(data, "__arrow_c_array__"):
            return _chunks(pa.array(data), column)
        else:
            raise TypeError(
                f"data: got {type(data).__name__}, wanted a pyarrow array or table, or what Arrow can read"
            )
    found = data.column(find_column(data.schema, column, "the table"))
    return [found] if isinstance(data, pa.RecordBatch) else list(found.chunks)


def as_table(data: Any) -> ArrowTable:
    """Return a frame as a pyarrow.Table."""
    pa = require("pyarrow", EXTRA, "to read Arrow data")
    try:
        return pa.table(data)
    except (pa.ArrowException, OverflowError) as error:
        raise TypeError(
            f"data: got {type(data).__name__} that Arrow cannot read ({error}); pass a frame of vectors alone"
        ) from error


def _storage(array: ArrowArray) -> ArrowArray:
    return getattr(array, "storage", array)
