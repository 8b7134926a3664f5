"""Parquet folders with ids and embeddings, as NeMo Curator has them: all rows in, the chosen rows out."""

import shutil
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..common.files import new_folder
from ..common.identity import OtherRunError
from ..common.optional import require
from ..common.progress import AnyProgressLike
from ..common.types import Floats, Indices, StrPath
from ..exporting.writers import columns_of
from ..records.typed import open_parquet
from ..selection.api import select
from ..selection.options import SelectOptions
from ..selection.selection import Selection
from ..vectors import convert_embeddings
from ..vectors.sources import parquet_files

_EXTRA = "data"
_PART = "part.00000.parquet"


@dataclass(frozen=True, kw_only=True)
class CuratorOptions(SelectOptions):
    """All options of `select_curator_folder`; of those of `qdit.select`, quality may name a numeric column.

    Attributes:
        id_column: The column of ids.
        embeddings_column: The column of embeddings.
        removed: Folder for the ids of all other rows, in a Parquet file with the column of ids alone: what
            the removal workflow of NeMo Curator takes.
        columns: Add qdit_rank (1 for the first pick), qdit_gain and, if there is quality, qdit_quality.

    """

    id_column: str = "id"
    embeddings_column: str = "embeddings"
    removed: StrPath | None = None
    columns: bool = True


def select_curator_folder(
    source: StrPath,
    out: StrPath,
    quality: str | Any = None,
    alpha: float = SelectOptions.alpha,
    k: int | float | None = SelectOptions.k,
    *,
    overwrite: bool = False,
    progress: AnyProgressLike = None,
    **options: Any,
) -> Selection:
    """Select rows of a folder of Parquet files with ids and embeddings; write them as such a folder.

    The embeddings stream into a mapped file beside `out`, so the folder may be larger than the memory; a
    repeated call goes on where a stopped one was.

    Args:
        source: folder of Parquet files (folders in it count, as KMeansStage writes them), with a column of
            ids, one of embeddings, and any others.
        out: folder for the chosen rows in pick order, with all columns.
        quality: a numeric column, or (n,) scores; None needs alpha=0.
        alpha: from 0 (diversity only) to 1 (quality only).
        k: number of rows, or a fraction of them; None as in `qdit.select`.
        overwrite: replace folders that are there.
        progress: True for bars on stderr.
        **options: the others of `CuratorOptions`: id_column, embeddings_column, removed, columns, and those
            of `qdit.select`.

    Returns:
        The selection; its indices count the rows of the files in the order of their names.

    Raises:
        FileNotFoundError: if there are no Parquet files.
        ValueError: for a missing column, bad rows (number and id), or a folder that is there already.
        ImportError: without pyarrow.

    """
    asked = CuratorOptions.of(
        "select_curator_folder", {"quality": quality, "alpha": alpha, "k": k, **options}
    )
    target, others = Path(out), None if asked.removed is None else Path(asked.removed)
    work = target.with_name(f".{target.name}.qdit")
    for path in filter(None, (target, others)):
        if path.exists() and not overwrite and not work.exists():  # with it a stopped run goes on
            raise ValueError(f"out: {path} is there already; pass overwrite=True or another folder")
    files = parquet_files(Path(source))
    chosen = asked.only(SelectOptions)
    if isinstance(quality, str):
        chosen = replace(chosen, quality=_column(files, quality))
    work.mkdir(parents=True, exist_ok=True)
    made = convert_embeddings(
        source,
        work / "embeddings.npy",
        column=asked.embeddings_column,
        id_column=asked.id_column,
        overwrite=True,
        progress=progress,
    )
    checkpoint = work / "checkpoint"
    run = partial(select, made.rows, **vars(chosen), checkpoint=checkpoint, progress=progress)
    try:
        found = run()
    except OtherRunError:  # the stopped run was asked for something else
        shutil.rmtree(checkpoint)
        found = run()
    _write(target, _chosen(files, found, asked.columns))
    if others is not None:
        _write(others, _others(made.ids(), found.indices, asked.id_column))
    shutil.rmtree(work)
    return found


def _column(files: list[Path], name: str) -> Floats:
    types = require("pyarrow", _EXTRA, "to read scores").types
    parts, start = [], 0
    for path in files:
        with open_parquet(path) as file:
            if not file.metadata.num_rows:
                continue
            if name not in file.schema_arrow.names:
                names = ", ".join(map(repr, file.schema_arrow.names))
                raise ValueError(f"quality: {path} has no column {name!r}, wanted one of {names}")
            kind = file.schema_arrow.field(name).type
            if not (types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind)):
                raise TypeError(f"quality: column {name!r} of {path} is {kind}, wanted numbers")
            column = file.read(columns=[name]).column(name)
        if column.null_count:
            row = start + int(np.argmin(column.is_valid().to_numpy(zero_copy_only=False)))
            raise ValueError(f"quality: row {row} of column {name!r} is null, wanted a score for each row")
        parts.append(column.to_numpy().astype(np.float64))
        start += len(column)
    return np.concatenate(parts)


def _chosen(files: list[Path], found: Selection, columns: bool) -> Any:
    """Return a table of the chosen rows in pick order; reads only row groups that have some."""
    pa = require("pyarrow", _EXTRA, "to write Parquet files")
    ascending = np.argsort(found.indices)
    rows, parts, start = found.indices[ascending], [], 0
    for path in files:
        with open_parquet(path) as file:
            for group in range(file.metadata.num_row_groups):
                stop = start + file.metadata.row_group(group).num_rows
                inside = rows[np.searchsorted(rows, start) : np.searchsorted(rows, stop)]
                if len(inside):
                    parts.append(file.read_row_group(group).take(pa.array(inside - start)))
                start = stop
    try:
        table = pa.concat_tables(parts, promote_options="permissive").take(pa.array(np.argsort(ascending)))
    except pa.ArrowException as error:
        raise ValueError(f"{files[0].parent}: the files have different columns: {error}") from error
    for name, values in columns_of(found).items() if columns else ():
        if name in table.column_names:
            raise ValueError(f"columns: the files have a column {name!r} already; pass columns=False")
        table = table.append_column(name, pa.array(values))
    return table


def _others(ids: list[Any] | None, chosen: Indices, name: str) -> Any:
    """Return a table of the ids of all other rows."""
    assert ids is not None
    kept = set(chosen.tolist())
    pa = require("pyarrow", _EXTRA, "to write Parquet files")
    return pa.table({name: [id for row, id in enumerate(ids) if row not in kept]})


def _write(out: Path, table: Any) -> None:
    with new_folder(out) as temporary:
        temporary.mkdir()
        require("pyarrow.parquet", _EXTRA, "to write Parquet files").write_table(table, temporary / _PART)
