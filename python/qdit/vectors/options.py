"""The options of `qdit.convert_embeddings`."""

from dataclasses import dataclass

from ..common import checks
from ..common.options import Options

FORMATS = ("parquet", "arrow", "hdf5", "faiss", "duckdb", "safetensors", "lancedb")
DTYPES = ("float16", "float32", "float64")
BAD_ROWS = ("error", "zero")


@dataclass(frozen=True, kw_only=True)
class ReadOptions(Options):
    """Where in a source its vectors are.

    Attributes:
        format: parquet, arrow, hdf5, safetensors, faiss, duckdb or lancedb, where the name does not tell.
        column: Column, data set or tensor of vectors; None takes one called embeddings, embedding or vector,
            or the only one.
        id_column: The one of ids; None takes id (or ids) if there is one.
        table: Table of a DuckDB or LanceDB database.
        query: SQL for DuckDB instead of a table. Without ORDER BY its rows may come in another order the next
            time, so that a stopped run begins again.

    """

    format: str | None = None
    column: str | None = None
    id_column: str | None = None
    table: str | None = None
    query: str | None = None

    def _check(self) -> None:
        if self.format is not None:
            checks.check_choice("format", self.format, FORMATS)


@dataclass(frozen=True, kw_only=True)
class ConvertOptions(ReadOptions):
    """What becomes of the vectors.

    Attributes:
        dtype: Of the file, float16, float32 or float64; None keeps float16 and float32 and makes anything
            else float32.
        bad_rows: Rows that are null, all zeros, or have NaN or infinite items: error names them, zero keeps
            their places with zeros, which are never chosen, and lists them.
        block_rows: Rows that are read at a time; None for about 16 MB.

    """

    dtype: str | None = None
    bad_rows: str = "error"
    block_rows: int | None = None

    def _check(self) -> None:
        checks.check_choice("bad_rows", self.bad_rows, BAD_ROWS)
        if self.dtype is not None:
            checks.check_choice("dtype", self.dtype, DTYPES)
        if self.block_rows is not None:
            checks.check_least("block_rows", self.block_rows, 1)
