"""What a shard is read from: a .npy file in place, other files of vectors into memory, or an array."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from ..rows import Rows, check_rows, open_embeddings
from ..vectors.sources import open_source

_BLOCK_ROWS = 8192


def open_shard(source: Any, dtype: str | None = None) -> Rows:
    """Open one shard: a .npy file is mapped, another file `qdit convert` knows is read, an array is taken as is.

    Args:
        source: path of a .npy file, path of a Parquet (or Arrow, HDF5, safetensors, ...) file or folder with
            one column of vectors, `Rows`, or an (n, d) array.
        dtype: "bfloat16" reads 2-byte items as such.

    """
    if isinstance(source, str | os.PathLike) and Path(source).suffix != ".npy":
        with open_source(source) as reader:
            array = np.empty((reader.n, reader.d), reader.dtype)
            at = 0
            for block in reader.blocks(0, _BLOCK_ROWS):
                array[at : at + len(block.rows)] = block.rows
                at += len(block.rows)
        found = check_rows("embeddings", array)
        return Rows(found.array, found.dtype, str(source))
    return open_embeddings(source, dtype=dtype)
