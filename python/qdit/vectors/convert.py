"""`qdit.convert_embeddings`: vectors of any kind of file or table, streamed into a .npy file."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._version import __version__
from ..common import files
from ..common.checks import check_choice, check_int
from ..common.progress import RowTracker
from ..engine.rows import Rows, open_embeddings
from .partial import PartialFile, ids_path, manifest_path
from .reader import Block, Reader
from .sources import open_source

FORMAT = "qdit-vectors"
FORMAT_VERSION = 1
DTYPES = ("float16", "float32", "float64")
BAD_ROWS = ("error", "zero")
_BLOCK_BYTES = 1 << 24
_NAMED = 5  # bad rows that an error names
_REMEDY = "fix them, or pass bad_rows='zero' to keep their places with rows of zeros"


@dataclass(frozen=True, eq=False)
class Converted:
    """What `convert_embeddings` made.

    Attributes:
        rows: (n, d) mapped from the file; what `qdit.select` takes.
        path: the file.
        bad: rows that are all zeros now, each {"row", "id", "reason"}.
        manifest: what the .json beside it says.

    """

    rows: Rows
    path: Path
    bad: list[dict[str, Any]]
    manifest: dict[str, Any] = field(repr=False)

    def ids(self) -> list[Any] | None:
        """Return the rows' ids, integers or text, or None where the source had none."""
        return read_ids(self.path) if ids_path(self.path).exists() else None


def read_ids(out: str | os.PathLike[str]) -> list[Any]:
    """Return the ids kept beside a converted file, one a row; FileNotFoundError if there are none."""
    path = ids_path(Path(out))
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; convert with id_column= to keep ids")
    with path.open("rb") as file:
        return [json.loads(line) for line in file]


def convert_embeddings(
    source: Any,
    out: str | os.PathLike[str],
    *,
    format: str | None = None,
    column: str | None = None,
    id_column: str | None = None,
    table: str | None = None,
    query: str | None = None,
    dtype: str | None = None,
    bad_rows: str = "error",
    block_rows: int | None = None,
    overwrite: bool = False,
    progress: Any = None,
) -> Converted:
    """Stream vectors from where they are into a .npy file that `qdit.select` maps.

    A few blocks are in memory at a time. A repeated call goes on where a stopped one was, if the source is a
    file that has not changed, and returns at once what is finished.

    Args:
        source: path of a Parquet file or a folder of them, an Arrow or Feather file, HDF5, safetensors, a
            flat faiss index, a DuckDB database or a LanceDB folder; or a pyarrow.Table, DuckDB relation,
            LanceDB table, faiss index, or an array such as an h5py.Dataset. Each is read by its own package.
        out: the .npy file to make. OUT.ids.jsonl (an id a line) and OUT.json (source, hashes, bad rows) lie
            beside it.
        format: parquet, arrow, hdf5, safetensors, faiss, duckdb or lancedb, where the name does not tell.
        column: column, data set or tensor of vectors; None takes one called embeddings, embedding or vector,
            or the only one.
        id_column: the one of ids; None takes id (or ids) if there is one.
        table: table of a DuckDB or LanceDB database.
        query: SQL for DuckDB instead of a table. Without ORDER BY its rows may come in another order the next
            time, so that a stopped run begins again.
        dtype: "float16", "float32" or "float64" of the file; None keeps float16 and float32 and makes
            anything else float32.
        bad_rows: rows that are null, all zeros, or have NaN or infinite items: "error" names them, "zero"
            keeps their places with zeros (which `qdit.select` leaves out with zero_rows="ignore") and lists
            them.
        block_rows: rows that are read at a time; None for about 16 MB.
        overwrite: replace a file that is there.
        progress: True for a bar on stderr, or a callable that takes a `qdit.records.RowProgress`.

    Returns:
        The rows, mapped, with ids and what was bad.

    Raises:
        FileNotFoundError: if there is no such source.
        TypeError: for numbers that cannot be read.
        ValueError: for bad rows (number and id), vectors of different lengths, an ambiguous source, or a file
            that is there already.
        ImportError: names the package that reads this kind of source, if it is missing.
        RuntimeError: if another run is making the same file.
        OSError: if the disk is too full.

    """
    check_choice("bad_rows", bad_rows, BAD_ROWS)
    if dtype is not None:
        check_choice("dtype", dtype, DTYPES)
    if block_rows is not None and check_int("block_rows", block_rows) < 1:
        raise ValueError(f"block_rows: got {block_rows}, wanted at least 1")
    path = Path(out)
    if path.suffix != ".npy":
        raise ValueError(f"out: got {path}, wanted a name that ends in .npy")
    options = {"format": format, "column": column, "id_column": id_column, "table": table, "query": query}
    with open_source(source, **options) as reader:
        job = _Job(reader, path, _dtype(reader, dtype), bad_rows)
        found = job.finished()
        if found is None:
            if path.exists() and not overwrite and not job.unfinished():
                raise ValueError(
                    f"out: {path} is there already; pass overwrite=True (--overwrite) to replace it"
                )
            found = job.run(block_rows, progress)
    return found


class _Job:
    """One conversion."""

    def __init__(self, reader: Reader, out: Path, dtype: str, bad_rows: str) -> None:
        self._reader, self._out, self._dtype, self._bad_rows = reader, out, dtype, bad_rows
        self._names = {"column": reader.column, "id_column": reader.id_column}
        source = reader.identity()
        settings = {**self._names, "dtype": dtype, "bad_rows": bad_rows, "shape": [reader.n, reader.d]}
        self._identity = None if source is None else json.loads(json.dumps({"source": source, **settings}))

    def finished(self) -> Converted | None:
        """Return what an earlier run of this very job made."""
        path = manifest_path(self._out)
        if self._identity is None or not path.exists() or not self._out.exists():
            return None
        found = files.read_json(path, FORMAT)
        entries = found.get("files", {})
        same = all(
            (self._out.parent / name).exists() and (self._out.parent / name).stat().st_size == entry["bytes"]
            for name, entry in entries.items()
        )
        if found.get("identity") != self._identity or not same:
            return None
        return Converted(open_embeddings(self._out), self._out, found["bad_rows"], found)

    def unfinished(self) -> bool:
        """Return whether a run was stopped while it put finished files in place."""
        return (self._out.parent / f".{self._out.name}.partial").exists() and not manifest_path(
            self._out
        ).exists()

    def run(self, block_rows: int | None, progress: Any) -> Converted:
        """Convert what is not done yet."""
        reader = self._reader
        size = block_rows or max(1, _BLOCK_BYTES // (4 * reader.d))
        start, tracker = time.monotonic(), RowTracker(progress, "convert", reader.n)
        shape = (reader.n, reader.d)
        with PartialFile(
            self._out, self._identity, shape, self._dtype, ids=reader.id_column is not None
        ) as part:
            try:
                for block in reader.blocks(part.done, size):
                    rows, bad = self._checked(block, part.done)
                    part.append(rows, block.ids, bad)
                    tracker.update(part.done)
            except (ValueError, TypeError):  # would come again
                part.discard()
                raise
            except KeyboardInterrupt as interrupt:
                again = "go on" if self._identity is not None else "begin again"
                interrupt.add_note(f"repeat the call to {again}; {part.done:,} of {reader.n:,} rows are done")
                raise
            finally:
                tracker.close()
            if part.done != reader.n:
                raise RuntimeError(
                    f"source: got {part.done:,} rows, wanted {reader.n:,}; did it change meanwhile?"
                )
            record = self._record(part.bad, time.monotonic() - start)
            part.finish(record)
            tracker.done(part.done)
        found = files.read_json(manifest_path(self._out), FORMAT)
        return Converted(open_embeddings(self._out), self._out, found["bad_rows"], found)

    def _checked(self, block: Block, first: int) -> tuple[NDArray[Any], list[dict[str, Any]]]:
        """Return a block in the file's dtype, and what is wrong with its rows."""
        wide = block.rows if block.rows.dtype.kind == "f" else block.rows.astype(np.float32)
        finite = np.isfinite(wide).all(axis=1)
        with np.errstate(over="ignore"):
            rows = wide.astype(self._dtype)
        self._check_range(rows, finite, first, block)
        empty = finite & ~rows.any(axis=1)
        bad = [
            {
                "row": first + i,
                "id": None if block.ids is None else block.ids[i],
                "reason": "zeros" if finite[i] else "NaN, Inf or null",
            }
            for i in np.flatnonzero(empty | ~finite).tolist()
        ]
        if bad and self._bad_rows == "error":
            raise ValueError(_complaint(bad, self._dtype if wide[empty].any() else None))
        if not finite.all():
            rows = rows.copy() if rows is block.rows or rows.base is not None else rows
            rows[~finite] = 0
        return rows, bad

    def _check_range(self, rows: NDArray[Any], finite: NDArray[np.bool_], first: int, block: Block) -> None:
        over = finite & ~np.isfinite(rows).all(axis=1)
        if over.any():
            i = int(np.argmax(over))
            name = "" if block.ids is None else f" (id {block.ids[i]!r})"
            largest = float(np.abs(block.rows[i]).max())
            raise ValueError(
                f"row {first + i}{name}: {largest:g} is more than {self._dtype} holds; pass dtype='float32'"
            )

    def _record(self, bad: list[dict[str, Any]], seconds: float) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "identity": self._identity,
            "source": self._reader.describe(),
            **self._names,
            "stored_dtype": self._reader.dtype,
            "bad_rows": bad,
            "seconds": seconds,
            "versions": {"qdit": __version__, "numpy": np.__version__},
        }


def _dtype(reader: Reader, asked: str | None) -> str:
    if asked is not None:
        return asked
    return reader.dtype if reader.dtype in ("float16", "float32") else "float32"


def _complaint(bad: list[dict[str, Any]], underflow: str | None) -> str:
    """Return what is wrong with the first bad rows."""
    names = [
        f"row {found['row']}" + ("" if found["id"] is None else f" (id {found['id']!r})")
        for found in bad[:_NAMED]
    ]
    reasons = " or ".join(dict.fromkeys(found["reason"] for found in bad))
    more = f" and {len(bad) - _NAMED} more of this block" if len(bad) > _NAMED else ""
    tiny = f"; some are zero only as {underflow}: pass dtype='float32'" if underflow else ""
    return (
        f"{', '.join(names)}{more}: got {reasons}, wanted finite vectors that are not zero{tiny}; {_REMEDY}"
    )
