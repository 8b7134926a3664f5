"""`qdit convert`: embeddings from other files and tables."""

from __future__ import annotations

from ..common.text import format_seconds
from ..vectors.convert import Converted, convert_embeddings


def convert_command(
    source: str,
    out: str,
    *,
    format: str | None = None,
    column: str | None = None,
    id_column: str | None = None,
    table: str | None = None,
    query: str | None = None,
    dtype: str | None = None,
    bad_rows: str = "error",
    block_rows: int | None = None,
    progress: bool = True,
    overwrite: bool = False,
) -> None:
    """Stream embeddings from where they are into a .npy file.

    Args:
        source: Parquet file or folder of them, Arrow or Feather file, HDF5, safetensors, flat faiss index,
            DuckDB database or LanceDB folder.
        out: The .npy file to make; ids and a description are written beside it. A repeated command goes on
            where an unfinished one stopped.
        format: parquet, arrow, hdf5, safetensors, faiss, duckdb or lancedb, where the name does not tell.
        column: Column, data set or tensor of vectors; null for embeddings, embedding, vector or the only one.
        id_column: Column of ids; null for id (or ids) if there is one.
        table: Table of a DuckDB or LanceDB database.
        query: SQL for DuckDB instead of a table; with ORDER BY a stopped run goes on.
        dtype: float16, float32 or float64; null keeps float16 and float32 and makes the rest float32.
        bad_rows: Rows that are null, zero or not finite: error, or zero to keep their places with zeros.
        block_rows: Rows that are read at a time; null for about 16 MB.
        progress: Show a progress bar on stderr (--no-progress: do not).
        overwrite: Replace a file that is there.

    """
    made = convert_embeddings(
        source,
        out,
        format=format,
        column=column,
        id_column=id_column,
        table=table,
        query=query,
        dtype=dtype,
        bad_rows=bad_rows,
        block_rows=block_rows,
        overwrite=overwrite,
        progress=progress,
    )
    print(describe_converted(made))


def describe_converted(made: Converted) -> str:
    """Return what was made, as a few lines."""
    found, rows = made.manifest, made.rows
    lines = [f"{rows.n:,} x {rows.d} {rows.dtype} in {made.path}", f"column  {found['column'] or '-'}"]
    if found["id_column"] is not None:
        lines.append(f"ids     {found['id_column']}")
    lines.append(f"time    {format_seconds(found['seconds'])}")
    if made.bad:
        lines.append(f"note    {len(made.bad):,} rows are zero; select with --zero-rows ignore")
    return "\n".join(lines)
