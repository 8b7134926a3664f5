"""Readers of arrays: HDF5, safetensors, faiss, and whatever can be sliced."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..common.optional import require
from ..common.types import JSON
from ..engine import arrays
from ..engine.device import is_tensor
from ..engine.rows import check_rows
from .arrow import EXTRA
from .options import ReadOptions
from .reader import Block, NoRowsError, Reader, check_matrix, pick_ids, pick_name

_IDS = ("ids", "id")
_TYPES = {"F16": "float16", "F32": "float32", "F64": "float64"}


class SliceReader(Reader):
    """Anything two-dimensional with a shape and a dtype that gives arrays for slices of rows."""

    kind = "array"

    def __init__(self, rows: Any, ids: Any = None) -> None:
        if (
            isinstance(rows, np.ndarray)
            or is_tensor(rows)
            or hasattr(rows, "toarray")
            or hasattr(rows, "iloc")
        ):
            rows = arrays.column("source", rows)  # in memory; anything else is read slice by slice
        if np.dtype(rows.dtype).kind not in "fiu":
            check_rows(self.column or "source", rows[:1])  # says how to make numbers of it
        self._rows, self._ids = rows, ids
        self.n, self.d = check_matrix(self.column or "source", tuple(rows.shape))
        self.dtype = str(np.dtype(rows.dtype).name)
        if ids is not None and len(ids) != self.n:
            raise ValueError(f"ids: got {len(ids)} for {self.n} vectors, wanted one for each")

    def blocks(self, start: int, size: int) -> Iterator[Block]:
        """Yield slices."""
        for first in range(start, self.n, size):
            part = slice(first, min(self.n, first + size))
            yield Block(np.asarray(self._rows[part]), None if self._ids is None else _plain(self._ids[part]))


class HDF5Reader(SliceReader):
    """A data set of an HDF5 file."""

    kind = "hdf5"

    def __init__(self, path: Path, options: ReadOptions) -> None:
        h5py = require("h5py", EXTRA, "to read HDF5 files")
        self.files = [path]
        try:
            self._file = h5py.File(path, "r")
        except OSError as error:
            raise ValueError(f"{path} is not an HDF5 file or damaged: {error}; write it again") from error
        found: JSON = {}
        self._file.visititems(
            lambda name, item: found.update({name: item}) if hasattr(item, "dtype") else None
        )
        vectors = [name for name, item in found.items() if item.ndim == 2 and item.dtype.kind in "fiu"]
        column, id_column = (name and name.strip("/") for name in (options.column, options.id_column))
        self.column = pick_name(str(path), vectors, vectors, column)
        self.id_column = pick_ids(str(path), found, id_column, _IDS)
        ids = None if self.id_column is None else found[self.id_column]
        if ids is not None and h5py.check_string_dtype(ids.dtype) is not None:
            ids = ids.asstr()
        super().__init__(found[self.column], ids)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class SafetensorsReader(Reader):
    """A tensor of a safetensors file."""

    kind = "safetensors"

    def __init__(self, path: Path, options: ReadOptions) -> None:
        library = require("safetensors", EXTRA, "to read safetensors files")
        self.files = [path]
        try:
            self._file = library.safe_open(path, framework="numpy")
        except (OSError, library.SafetensorError) as error:
            raise ValueError(f"{path} is not a safetensors file or damaged: {error}") from error
        names = list(self._file.keys())
        shapes = {name: tuple(self._file.get_slice(name).get_shape()) for name in names}
        matrices = [name for name in names if len(shapes[name]) == 2]
        self.column = pick_name(str(path), matrices, matrices, options.column)
        self.n, self.d = check_matrix(self.column, shapes[self.column])
        kind = str(self._file.get_slice(self.column).get_dtype())
        if kind not in _TYPES:
            raise TypeError(
                f"{path}: tensor {self.column!r} is {kind}, wanted "
                f"{', '.join(_TYPES)}; convert it before saving"
            )
        self.dtype = _TYPES[kind]
        fitting = tuple(name for name in _IDS if shapes.get(name) == (self.n,))
        self.id_column = pick_ids(str(path), names, options.id_column, fitting)

    def blocks(self, start: int, size: int) -> Iterator[Block]:
        """Yield slices, each read when it is asked for."""
        rows = self._file.get_slice(self.column)
        ids = None if self.id_column is None else self._file.get_slice(self.id_column)
        for first in range(start, self.n, size):
            stop = min(self.n, first + size)
            yield Block(rows[first:stop], None if ids is None else ids[first:stop].tolist())


class FaissReader(SliceReader):
    """The vectors of a flat faiss index, alone, under ids (IndexIDMap) or as the storage of an HNSW graph."""

    kind = "faiss"

    def __init__(self, source: Any) -> None:
        faiss = require("faiss", EXTRA, "to read faiss indexes")
        if isinstance(source, Path):
            self.files = [source]
            try:
                source = faiss.read_index(str(source))
            except RuntimeError as error:
                reason = str(error).strip().splitlines()[-1]
                raise ValueError(f"{source} is not a faiss index or damaged: {reason}") from error
        self._index = source  # kept: the rows are its memory
        if not isinstance(source, faiss.Index):
            raise TypeError(f"source: got {type(source).__name__}, wanted a flat index of floats")
        flat, ids = faiss.downcast_index(source), None
        if hasattr(flat, "id_map"):
            ids = faiss.vector_to_array(flat.id_map)
            flat = faiss.downcast_index(flat.index)
            self.id_column = "id_map"
        flat = faiss.downcast_index(flat.storage) if hasattr(flat, "storage") else flat
        if not isinstance(flat, faiss.IndexFlat):
            raise TypeError(
                f"source: got {type(flat).__name__}, wanted a flat index (IndexFlatIP, IndexFlatL2), as "
                "other kinds do not hold the vectors as they were"
            )
        if flat.ntotal == 0:
            raise NoRowsError("source: the faiss index has no vectors")
        rows = faiss.rev_swig_ptr(flat.get_xb(), flat.ntotal * flat.d).reshape(flat.ntotal, flat.d)
        super().__init__(rows, ids)


def _plain(ids: Any) -> list[Any]:
    return [item.item() if isinstance(item, np.generic) else item for item in ids]
