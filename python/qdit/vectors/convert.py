"""`qdit.convert_embeddings`: vectors of any kind of file or table, streamed into a .npy file."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..common import files
from ..common.job import Job
from ..common.progress import RowProgressLike, RowTracker
from ..common.types import JSON, Array, StrPath
from ..engine.rows import Rows, open_embeddings
from .options import ConvertOptions
from .partial import PartialFile, ids_path, manifest_path
from .reader import Block, Reader
from .sources import open_source

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
    bad: list[JSON]
    manifest: JSON = field(repr=False)

    def ids(self) -> list[Any] | None:
        """Return the rows' ids, integers or text, or None where the source had none."""
        return read_ids(self.path) if ids_path(self.path).exists() else None


def read_ids(out: StrPath) -> list[Any]:
    """Return the ids kept beside a converted file, one a row; FileNotFoundError if there are none."""
    path = ids_path(Path(out))
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; convert with id_column= to keep ids")
    with path.open("rb") as file:
        return [json.loads(line) for line in file]


def convert_embeddings(
    source: Any,
    out: StrPath,
    *,
    overwrite: bool = False,
    progress: RowProgressLike = None,
    **options: Any,
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
        overwrite: replace a file that is there.
        progress: True for a bar on stderr, or a callable that takes a `qdit.records.RowProgress`.
        options: those of `ConvertOptions`.

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
    asked = ConvertOptions.of("convert_embeddings", options)
    path = Path(out)
    if path.suffix != ".npy":
        raise ValueError(f"out: got {path}, wanted a name that ends in .npy")
    with open_source(source, asked) as reader:
        return _ConvertJob(reader, path, asked).run(progress=progress, overwrite=overwrite)


class _ConvertJob(Job[Converted]):
    """One conversion."""

    verb, format = "convert", "qdit-vectors"

    def __init__(self, reader: Reader, out: Path, options: ConvertOptions) -> None:
        self.path, self.manifest_path = out, manifest_path(out)
        self._reader, self._options = reader, options
        kept = reader.dtype if reader.dtype in ("float16", "float32") else "float32"
        self._dtype = options.dtype or kept
        self._names = {"column": reader.column, "id_column": reader.id_column}
        self._source = reader.identity()
        self._part: PartialFile | None = None

    def _identity(self) -> JSON:
        shape = [self._reader.n, self._reader.d]
        settings = {"dtype": self._dtype, "bad_rows": self._options.bad_rows, "shape": shape}
        return {"source": self._source, **self._names, **settings}

    def _identity_of(self, manifest: JSON) -> JSON:
        return manifest.get("identity") or {}  # none where the source could be any

    def saved(self) -> Converted | None:
        """Return what an earlier run of this very job made; None also for a source that could be any."""
        return None if self._source is None else super().saved()

    def _load(self, manifest: JSON) -> Converted | None:
        for name, entry in manifest["files"].items():
            file = self.path.with_name(name)
            if not file.exists() or file.stat().st_size != entry["bytes"]:
                return None
        return self._converted(manifest)

    def _converted(self, manifest: JSON) -> Converted:
        return Converted(open_embeddings(self.path), self.path, manifest["bad_rows"], manifest)

    def _is_stopped(self) -> bool:
        return self.path.with_name(f".{self.path.name}.partial").exists()

    def _how_on(self) -> str:
        again = "begin again" if self._source is None else "go on"
        done = 0 if self._part is None else self._part.done
        return f"{again}; {done:,} of {self._reader.n:,} rows are done"

    def estimate(self) -> JSON:
        """Return how many rows there are."""
        return {"rows": self._reader.n}

    def _make(self, progress: RowProgressLike, overwrite: bool) -> Converted:
        reader = self._reader
        size = self._options.block_rows or max(1, _BLOCK_BYTES // (4 * reader.d))
        identity = None if self._source is None else self.identity
        shape, ids = (reader.n, reader.d), reader.id_column is not None
        with (
            PartialFile(self.path, identity, shape, self._dtype, ids=ids) as part,
            RowTracker(progress, "convert", reader.n) as tracker,
        ):
            self._part = part
            try:
                for block in reader.read(part.done, size):
                    rows, bad = self._checked(block, part.done)
                    part.append(rows, block.ids, bad)
                    tracker.update(part.done)
            except (ValueError, TypeError):  # a repeated call would meet the same row
                part.discard()
                raise
            if part.done != reader.n:
                raise RuntimeError(
                    f"source: got {part.done:,} rows, wanted {reader.n:,}; did it change meanwhile?"
                )
            stored = {"stored_dtype": reader.dtype, "bad_rows": part.bad}
            fields = {"identity": identity, "source": reader.describe(), **self._names, **stored}
            part.finish(self._record(fields))
            tracker.done(part.done)
        return self._converted(files.read_json(self.manifest_path, self.format))

    def _checked(self, block: Block, first: int) -> tuple[Array, list[JSON]]:
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
        if bad and self._options.bad_rows == "error":
            raise ValueError(_complaint(bad, self._dtype if wide[empty].any() else None))
        if not finite.all():
            rows = rows.copy() if rows is block.rows or rows.base is not None else rows
            rows[~finite] = 0
        return rows, bad

    def _check_range(self, rows: Array, finite: NDArray[np.bool_], first: int, block: Block) -> None:
        over = finite & ~np.isfinite(rows).all(axis=1)
        if over.any():
            i = int(np.argmax(over))
            name = "" if block.ids is None else f" (id {block.ids[i]!r})"
            largest = float(np.abs(block.rows[i]).max())
            raise ValueError(
                f"row {first + i}{name}: {largest:g} is more than {self._dtype} holds; pass dtype='float32'"
            )


def _complaint(bad: list[JSON], underflow: str | None) -> str:
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
