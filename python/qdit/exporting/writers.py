"""The chosen rows as files: the rows' own bytes, or tables with the types of the source."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..common import files
from ..common.checks import check_choice
from ..common.files import new_file, new_folder
from ..common.optional import require
from ..common.progress import ProgressLike
from ..common.text import shorten
from ..common.types import JSON, ArrowTable, Schema
from ..records import Records
from ..records.store import without_nan
from ..selection.selection import Selection
from .choice import Choice

FORMATS = {"jsonl": "data.jsonl", "json": "data.json", "parquet": "data.parquet", "hf": "data"}
PACKAGES = {
    "parquet": ("pyarrow.parquet", "data", "to write Parquet"),
    "hf": ("datasets", "data", "to write a Hugging Face data set"),
}  # that formats need
SIZE = "qdit_size"
COLUMNS = ("qdit_rank", "qdit_gain", "qdit_quality", SIZE)
_WHOLE = ("qdit_rank", SIZE)

Added = dict[str, list[Any]]  # columns that are added to the rows, in pick order


def parse_formats(formats: str | list[str]) -> list[str]:
    """Return format names from a list, or from text such as "jsonl,parquet"."""
    names = formats.split(",") if isinstance(formats, str) else list(formats)
    found = [check_choice("format", name.strip(), tuple(FORMATS)) for name in names]
    if len(set(found)) < len(found):
        raise ValueError(f"format: got {formats!r}, wanted each format once")
    return found


def write(
    directory: Path,
    name: str,
    records: Records,
    selection: Selection,
    added: Added,
    table: ArrowTable | None,
) -> list[str]:
    """Write the chosen rows in one format; return the files, relative to the directory.

    added: columns beside the rows' own.
    table: what `make_table` returned.
    """
    path = directory / FORMATS[name]
    if name == "jsonl":
        files.write_atomic(path, (line + b"\n" for line in lines(records, selection, added)))
    elif name == "json":
        files.write_atomic(path, _array(lines(records, selection, added)))
    elif name == "parquet":
        parquet = require(*PACKAGES[name])
        with new_file(path) as temporary:
            parquet.write_table(table, temporary)
    else:
        datasets = require(*PACKAGES[name])
        found = datasets.Dataset(datasets.table.InMemoryTable(table))
        shown = not datasets.utils.are_progress_bars_disabled()
        datasets.utils.disable_progress_bars()
        try:
            with new_folder(path) as temporary:
                found.save_to_disk(temporary)
        finally:
            if shown:
                datasets.utils.enable_progress_bars()
        return sorted(str(file.relative_to(directory)) for file in path.rglob("*") if file.is_file())
    return [FORMATS[name]]


def lines(records: Records, selection: Selection, added: Added) -> Iterator[bytes]:
    """Yield the chosen rows in pick order as lines of JSON, without newline.

    Rows of JSON sources keep their own bytes; what is added comes at the end of each object.
    """
    for position, row in enumerate(selection.indices.tolist()):
        raw, _ = without_nan(records.raw(row), None)  # a pool of an old version may have some
        yield _with_fields(raw, row, {name: values[position] for name, values in added.items()})


def columns_of(selection: Selection) -> Added:
    """Return qdit_rank (1 for the first pick), qdit_gain and, if there is quality, qdit_quality."""
    found: Added = {
        "qdit_rank": list(range(1, len(selection) + 1)),
        "qdit_gain": selection.gains.tolist(),
    }
    if selection.quality is not None:
        found["qdit_quality"] = selection.quality.tolist()
    return found


def added_columns(choice: Choice, columns: bool, sizes: bool, progress: ProgressLike = None) -> Added:
    """Return what is added to the chosen rows.

    columns: those of `columns_of`. sizes: qdit_size, how many rows of the pool each one stands for.
    """
    found = columns_of(choice.selection) if columns else {}
    if sizes:
        how: JSON = {"zero_rows": "ignore", "threads": choice.threads, "backend": "cpu", "progress": progress}
        found[SIZE] = choice.selection.assign(choice.rows, **how).sizes.tolist()
    return found


def _with_fields(raw: bytes, row: int, fields: dict[str, Any]) -> bytes:
    if not fields:
        return raw
    value = json.loads(raw)
    taken = [name for name in COLUMNS if name in value]
    if taken:
        raise ValueError(
            f"row {row} has a field {taken[0]!r} already; export without columns, or rename the field"
        )
    head = raw.rstrip()[:-1].rstrip()
    more = files.to_json(fields)[1:]
    return head + (b", " if value else b"") + more.encode()


def _array(rows: Iterator[bytes]) -> Iterator[bytes]:
    yield b"["
    for position, row in enumerate(rows):
        yield (b",\n" if position else b"\n") + row
    yield b"\n]\n"


def make_table(records: Records, selection: Selection, formats: list[str], added: Added) -> ArrowTable | None:
    """Return the chosen rows as a pyarrow.Table if one of the formats needs it.

    ValueError names a column that cannot be written, and the rows whose values have no type in common.
    """
    typed = [name for name in formats if name in _CHECKS]
    if not typed:
        return None
    pa = require("pyarrow", "data", "to make tables")
    try:
        table = records.table(selection.indices.tolist())
        for name in typed:
            for field in table.schema:
                _check_field(name, field)
    except ValueError as error:
        raise ValueError(
            f"format: {error}; pass --format jsonl, which writes the rows as they are"
        ) from error
    if not added:
        return table
    taken = [name for name in COLUMNS if name in table.column_names]
    if taken:
        raise ValueError(f"the rows have a column {taken[0]!r} already; export without columns, or rename it")
    table = table.replace_schema_metadata(None)  # Hugging Face's lists the columns as they were
    for name, values in added.items():
        kind = pa.int64() if name in _WHOLE else pa.float64()
        table = table.append_column(name, pa.array(np.asarray(values), kind))
    return table


def _check_field(name: str, field: Any) -> None:
    """Raise ValueError if a format cannot hold a column of this type."""
    pa = require("pyarrow", "data", "to make tables")
    try:
        _CHECKS[name](pa.schema([field]))
    except (pa.ArrowException, ValueError, OSError, RecursionError) as error:
        kind, why = shorten(str(field.type), 200), str(error).partition(". ")[0]  # advice follows, in Python
        raise ValueError(f"column {field.name!r} is {kind}, which {name} cannot hold ({why})") from error


def _check_parquet(schema: Schema) -> None:
    parquet = require("pyarrow.parquet", "data", "to write Parquet")
    found = io.BytesIO()
    parquet.ParquetWriter(found, schema).close()
    parquet.read_schema(found)  # what is nested deeply can be written and not read


def _check_hf(schema: Schema) -> None:
    datasets = require("datasets", "data", "to write a Hugging Face data set")
    datasets.Features.from_arrow_schema(schema)
    datasets.Dataset(datasets.table.InMemoryTable(schema.empty_table()))  # what is nested deeply has features


_CHECKS = {"parquet": _check_parquet, "hf": _check_hf}
