"""Which reader a source takes: by the kind of path, or by the package that an object is of."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..records.folders import visible_files
from .arrays import FaissReader, HDF5Reader, SafetensorsReader, SliceReader
from .columnar import ArrowReader, DuckDBReader, LanceDBReader, ParquetReader
from .options import FORMATS, ReadOptions
from .reader import Reader

_SUFFIXES = {
    **dict.fromkeys((".parquet", ".pq"), "parquet"),
    **dict.fromkeys((".arrow", ".feather", ".ipc"), "arrow"),
    **dict.fromkeys((".h5", ".hdf5", ".hdf"), "hdf5"),
    **dict.fromkeys((".faiss", ".index"), "faiss"),
    **dict.fromkeys((".duckdb", ".ddb"), "duckdb"),
    ".safetensors": "safetensors",
    ".lance": "lancedb",
}
_READERS: dict[str, Callable[[Any, ReadOptions], Reader]] = {
    "parquet": ParquetReader,
    "arrow": ArrowReader,
    "hdf5": HDF5Reader,
    "safetensors": SafetensorsReader,
    "faiss": lambda source, options: FaissReader(source),
    "duckdb": DuckDBReader,
    "lancedb": LanceDBReader,
    "array": lambda source, options: SliceReader(source),
}
_TABLES = ("duckdb", "lancedb")  # formats of several tables
_NAMELESS = ("faiss", "array")  # of one array


def open_source(source: Any, options: ReadOptions) -> Reader:
    """Open a source of vectors; errors as in `convert_embeddings`."""
    if isinstance(source, str | os.PathLike):
        source = Path(source)
        if not source.exists():
            raise FileNotFoundError(f"source: no such file or folder: {source}")
        kind = options.format or _format(source)
    else:
        kind = _kind(source)
    if kind not in _TABLES and options.table is not None:
        raise ValueError(f"table: got {options.table!r} for {kind}, which has no tables; leave it out")
    if kind != "duckdb" and options.query is not None:
        raise ValueError(f"query: got one for {kind}, wanted a DuckDB database")
    for name in ("column", "id_column") if kind in _NAMELESS else ():
        value = getattr(options, name)
        if value is not None:
            raise ValueError(
                f"{name}: got {value!r} for {kind}, which has one array without a name; leave it out"
            )
    return _READERS[kind](parquet_files(source) if kind == "parquet" else source, options)


def _format(path: Path) -> str:
    if path.suffix in _SUFFIXES:
        return _SUFFIXES[path.suffix]
    if path.is_dir():
        if next(path.glob("*.lance"), None) is not None:
            return "lancedb"
        return "parquet"
    raise ValueError(f"format: {path} does not tell its format, wanted one of {', '.join(FORMATS)}")


def _kind(source: Any) -> str:
    """Return the format of an object."""
    family = {kind.__module__.partition(".")[0].lstrip("_") for kind in type(source).__mro__}
    for name in ("duckdb", "lancedb", "faiss"):
        if name in family:
            return name
    if "pyarrow" in family and hasattr(source, "to_batches") and hasattr(source, "schema"):
        return "arrow"
    if all(hasattr(source, name) for name in ("shape", "dtype", "__getitem__")):
        return "array"
    if hasattr(source, "__arrow_c_stream__"):
        return "arrow"
    raise TypeError(
        f"source: got {type(source).__name__}, wanted a path, a pyarrow.Table or other frame, a DuckDB "
        "relation, a LanceDB table, a faiss index, or an array such as an h5py.Dataset"
    )


def parquet_files(path: Path) -> list[Path]:
    """Return the files of a folder and of folders in it, by name; hidden ones and markers do not count."""
    if path.is_file():
        return [path]
    found = [file for file in visible_files(path) if file.suffix == ".parquet"]
    if not found:
        raise FileNotFoundError(
            f"source: {path} has no Parquet files; pass format= for another kind of folder"
        )
    return found
