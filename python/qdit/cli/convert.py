"""`qdit convert`: embeddings from other files and tables."""

from typing import Any

from ..common.text import format_seconds
from ..vectors.convert import Converted, convert_embeddings
from ..vectors.options import ConvertOptions


def convert_command(
    source: str, out: str, *, progress: bool = True, overwrite: bool = False, **options: Any
) -> None:
    """Stream embeddings from where they are into a .npy file.

    Args:
        source: Parquet file or folder of them, Arrow or Feather file, HDF5, safetensors, flat faiss index,
            DuckDB database or LanceDB folder.
        out: The .npy file to make; ids and a description are written beside it. A repeated command goes on
            where an unfinished one stopped.
        progress: Show a progress bar on stderr (--no-progress: do not).
        overwrite: Replace a file that is there.
        options: Those of `ConvertOptions`.

    """
    asked = ConvertOptions(**options)
    made = convert_embeddings(source, out, overwrite=overwrite, progress=progress, **vars(asked))
    print(describe_converted(made))


def describe_converted(made: Converted) -> str:
    """Return what was made, as a few lines."""
    found, rows = made.manifest, made.rows
    lines = [f"{rows.n:,} x {rows.d} {rows.dtype} in {made.path}", f"column  {found['column'] or '-'}"]
    if found["id_column"] is not None:
        lines.append(f"ids     {found['id_column']}")
    lines.append(f"time    {format_seconds(found['seconds'])}")
    if made.bad:
        lines.append(f"note    {len(made.bad):,} rows are zeros and are never chosen")
    return "\n".join(lines)
