"""Embeddings from where they already are: Parquet, Arrow, HDF5, safetensors, faiss, LanceDB, DuckDB.

A file, a table or an array comes in; a .npy file of (n, d) numbers that `qdit.select` maps goes out, with ids
and a manifest beside it, or, of Arrow, a view without a copy.

    convert      `convert_embeddings`: blocks of a reader, checked and written
    options      ConvertOptions, and those of them that say where in a source its vectors are
    partial      the file while it is made
    sources      which reader a source takes
    reader       the interface of all readers
    arrays       readers of HDF5, safetensors, faiss, and of whatever can be sliced
    columnar     readers of tables: Parquet, Arrow, DuckDB, LanceDB
    arrow        `from_arrow`: lists of numbers as matrices
"""

from .arrow import from_arrow
from .convert import Converted, convert_embeddings, read_ids
from .options import ConvertOptions

__all__ = ["ConvertOptions", "Converted", "convert_embeddings", "from_arrow", "read_ids"]
