"""What a shard is read from: a .npy file in place, other files of vectors into memory, or an array."""

import os
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from ..common import npy
from ..common.types import StrPath
from ..engine.rows import EmbeddingsLike, Rows, check_rows, open_embeddings
from ..vectors.options import ReadOptions
from ..vectors.reader import NoRowsError
from ..vectors.sources import open_source

_BLOCK_ROWS = 8192


@dataclass(frozen=True)
class Slice:
    """Rows start .. stop - 1 of a .npy file; a shard of a pool that is one file."""

    path: str
    start: int
    stop: int

    @property
    def source(self) -> str:
        """What errors call it."""
        return f"{self.path}[{self.start}:{self.stop}]"


Source = StrPath | Slice | EmbeddingsLike  # a shard: where its rows are, or the rows


def path_of(source: str | Slice | Rows) -> str:
    """Return where the rows of a shard are, "memory" if they are in no file."""
    return source if isinstance(source, str) else source.path if isinstance(source, Slice) else source.source


def split(path: StrPath, parts: int) -> list[Slice]:
    """Cut a .npy file into shards of equal size, which actors map in place.

    Raises:
        ValueError: if it has fewer rows than parts.

    """
    rows = open_embeddings(path)
    if not 1 <= parts <= rows.n:
        raise ValueError(f"parts: got {parts}, wanted 1 to {rows.n}, the rows of {path}")
    edges = [rows.n * part // parts for part in range(parts + 1)]
    name = str(Path(path).absolute())
    return [Slice(name, start, stop) for start, stop in pairwise(edges)]


def has_rows(source: Source) -> bool:
    """Return whether a shard has a row; what cannot be opened has, and its worker says why."""
    try:
        if isinstance(source, str) and Path(source).suffix != ".npy":
            with open_source(source, ReadOptions()):
                return True
        array = npy.open_npy("shards", Path(source)) if isinstance(source, str) else source
    except NoRowsError:
        return False
    except (ValueError, TypeError, OSError):
        return True
    return getattr(array, "shape", ())[:1] != (0,)


def open_shard(source: Source, dtype: str | None = None) -> Rows:
    """Open one shard: a .npy file is mapped, another file that `qdit convert` knows is read.

    Args:
        source: path of a .npy file, path of a Parquet (or Arrow, HDF5, safetensors, ...) file or folder with
            one column of vectors, a `Slice` of a .npy file, `Rows`, or an (n, d) array.
        dtype: "bfloat16" reads 2-byte items as such.

    """
    if isinstance(source, Slice):
        whole = open_embeddings(source.path, dtype=dtype)
        return Rows(whole.array[source.start : source.stop], whole.dtype, source.source)
    if isinstance(source, str | os.PathLike) and Path(source).suffix != ".npy":
        with open_source(source, ReadOptions()) as reader:
            array = np.empty((reader.n, reader.d), reader.dtype)
            at = 0
            for block in reader.read(0, _BLOCK_ROWS):
                array[at : at + len(block.rows)] = block.rows
                at += len(block.rows)
        found = check_rows("embeddings", array)
        return Rows(found.array, found.dtype, str(source))
    return open_embeddings(source, dtype=dtype)
