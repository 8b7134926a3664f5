"""Sources whose rows have types: Parquet files, Hugging Face data sets, pandas and pyarrow tables."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..common.optional import require
from ..common.types import JSON, ArrowArray, ArrowTable, RecordBatch, Schema
from .folders import Found
from .hub import load_hub
from .schemas import conform, has_nested_categories, make_column, stored_schema, unify
from .sources import Source

BATCH_ROWS = 4096
Place = tuple[str, int, RecordBatch]  # file or data set, number in it of the first row, rows


@dataclass(frozen=True, eq=False)
class Batches:
    """Record batches of one schema.

    Attributes:
        schema: pyarrow.Schema of all batches.
        rows: yields (file or data set, pyarrow.RecordBatch), once.
        total: number of rows, or None while unknown.
        files: files that are read, for their hashes.
        facts: what the manifest should say beside what was asked for.

    """

    schema: Schema
    rows: Iterator[tuple[str, RecordBatch]]
    total: int | None = None
    files: list[Path] = field(default_factory=list)
    facts: JSON = field(default_factory=dict)

    def __iter__(self) -> Iterator[Place]:
        before, row = "", 0
        for where, batch in self.rows:
            row = row if where == before else 0
            if batch.num_rows:
                yield where, row, conform(batch, self.schema, where)
            before, row = where, row + batch.num_rows

    @staticmethod
    def indices(rows: list[int]) -> ArrowArray:
        """Return row numbers as pyarrow wants them."""
        return require("pyarrow", "data", "to store typed records").array(rows, "int64")


def open_batches(source: Source, found: Found | None) -> Batches:
    """Return the batches of a typed source; `found` is what `find_files` says of it.

    Raises:
        TypeError: for an object that is no source of rows.

    """
    location = source.location
    if found is not None and found.kind == "parquet":
        return _parquet(found.files)
    if found is not None:
        loaded = _split(_load_saved(found.files[0]), source)
        cache = [Path(entry["filename"]) for entry in loaded.cache_files]
        return replace(_dataset(loaded, str(location)), files=cache)
    if isinstance(location, str):
        loaded, commit = load_hub(source)
        batches = _dataset(loaded, location)
        return replace(batches, facts=batches.facts | {"commit": commit})
    return _object(source)


def _object(source: Source) -> Batches:
    location = source.location
    family = {kind.__module__.partition(".")[0] for kind in type(location).__mro__}
    if "datasets" in family:
        return _dataset(_split(location, source), "Dataset")
    pa = require("pyarrow", "data", "to store typed records")
    if "pandas" in family and hasattr(location, "columns"):
        return _table(_frame(location), "DataFrame")
    if hasattr(location, "__arrow_c_stream__"):
        name = type(location).__name__
        dtypes = location.dtypes if name == "DataFrame" else ()
        if "Object" in map(str, dtypes):  # of these Polars hands out addresses
            raise TypeError(f"source: {name} has a column of Python objects; pass the rows: frame.to_dicts()")
        try:
            return _table(pa.table(location), name)
        except pa.ArrowException as error:
            raise ValueError(f"source: {name}: {error}; pass a table or a list of dicts") from error
    raise TypeError(
        f"source: got {type(location).__name__}, wanted a path, the id of a data set, an HF Dataset, a "
        "pandas.DataFrame, a pyarrow.Table or a list of dicts"
    )


def _frame(frame: Any) -> ArrowTable:
    pa = require("pyarrow", "data", "to store typed records")
    try:
        return pa.Table.from_pandas(frame, preserve_index=False)
    except (pa.ArrowException, ValueError, TypeError, OverflowError) as error:
        told = str(error.args[0])
        try:
            for name, column in frame.items():
                make_column(str(name), column.tolist(), range(len(frame)))
        except ValueError as named:
            told = str(named)
        raise ValueError(
            f"source: DataFrame: {told}; give each column its own name and values of one type, or pass the "
            "rows: frame.to_dict('records')"
        ) from error


def _table(table: ArrowTable, where: str) -> Batches:
    batches = table.to_batches(max_chunksize=BATCH_ROWS)
    return Batches(stored_schema(table.schema, where), ((where, batch) for batch in batches), table.num_rows)


def open_parquet(path: Path, extra: str = "data") -> Any:
    """Open a Parquet file; extra: of qdit, that installs what reads it."""
    pa = require("pyarrow", extra, "to read Parquet files")
    parquet = require("pyarrow.parquet", extra, "to read Parquet files")
    try:
        return parquet.ParquetFile(path, pre_buffer=False)  # a buffer would hold whole row groups
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        if getattr(error, "errno", None) is not None:  # of the system, which names the file
            raise
        raise ValueError(
            f"{path} is not a Parquet file or damaged: {error}; write or fetch it again"
        ) from error


def _parquet(files: list[Path]) -> Batches:
    total, schemas = 0, []
    for path in files:
        with open_parquet(path) as file:
            total += file.metadata.num_rows
            schema = stored_schema(file.schema_arrow, str(path))
            if file.metadata.num_rows or (path == files[-1] and not total):
                schemas.append((str(path), schema))  # one without rows has no say
    rows = ((str(path), batch) for path in files for batch in _read_parquet(path))
    return Batches(unify(schemas, has_no_value), rows, total, files)


def _read_parquet(path: Path) -> Iterator[RecordBatch]:
    pa = require("pyarrow", "data", "to read Parquet files")
    row = 0
    with open_parquet(path) as file:
        groups: list[Any] = list(range(file.num_row_groups))
        # pyarrow cannot bring nested categories of several groups into one batch
        apart = [[group] for group in groups] if has_nested_categories(file.schema_arrow) else [groups]
        try:
            for part in apart:
                for batch in file.iter_batches(batch_size=BATCH_ROWS, row_groups=part):
                    yield batch
                    row += batch.num_rows
        except (pa.ArrowException, OSError) as error:
            raise ValueError(
                f"{path} is damaged at row {row} or after: {error}; write or fetch it again"
            ) from error


def has_no_value(path: str, column: str) -> bool:
    """Return whether a Parquet file says that all of a column is null."""
    with open_parquet(Path(path)) as file:
        groups = [file.metadata.row_group(i) for i in range(file.num_row_groups)]
    chunks = [group.column(i) for group in groups for i in range(group.num_columns)]
    found = [
        (chunk.statistics, chunk.num_values)
        for chunk in chunks
        if chunk.path_in_schema.split(".")[0] == column
    ]
    return all(said is not None and said.has_null_count and said.null_count == n for said, n in found)


def _dataset(loaded: Any, where: str) -> Batches:
    datasets = require("datasets", "data", "to read data sets")
    pa = require("pyarrow", "data", "to store typed records")
    arrow = loaded.with_format("arrow")
    streamed = isinstance(loaded, datasets.IterableDataset)

    features = loaded.features
    if features is None:
        first = next(iter(arrow.iter(batch_size=1)), None)
        if first is None:
            raise ValueError(f"source: {where} has no rows")
        schema = first.schema
    else:
        schema = features.arrow_schema
    facts = {} if streamed else {"fingerprint": loaded._fingerprint}

    def rows() -> Iterator[tuple[str, RecordBatch]]:
        try:
            for table in arrow.iter(batch_size=BATCH_ROWS):
                _check_whole(table, where)
                yield from ((where, batch) for batch in table.combine_chunks().to_batches())
        except pa.ArrowException as error:
            raise ValueError(
                f"source: {where}: {error}; give the data set its types with features="
            ) from error

    return Batches(stored_schema(schema, where), rows(), None if streamed else len(loaded), facts=facts)


def _check_whole(table: ArrowTable, where: str) -> None:
    """Raise ValueError for rows whose texts lie outside their file, before anything touches them."""
    pa = require("pyarrow", "data", "to store typed records")
    try:
        table.validate(full=True)
    except pa.ArrowException as error:
        raise ValueError(f"source: {where} is damaged: {error}; save or fetch it again") from error


def _load_saved(folder: Path) -> Any:
    datasets = require("datasets", "data", "to read what save_to_disk wrote")
    pa = require("pyarrow", "data", "to read what save_to_disk wrote")
    try:
        return datasets.load_from_disk(str(folder))
    except Exception as error:  # of any kind: it trusts what the files say
        told = "state.json or dataset_info.json lacks what it should say"
        if isinstance(error, OSError) and error.filename:
            told = f"{error.filename}: {error.strerror}"
        elif isinstance(error, OSError | ValueError | pa.ArrowException):
            told = str(error)
        raise ValueError(
            f"{folder} is no whole data set of save_to_disk: {told}; save or copy it again"
        ) from error


def _split(loaded: Any, source: Source) -> Any:
    """Return one split of what may be a dictionary of several."""
    if not isinstance(loaded, dict):
        return loaded
    if source.split not in loaded:
        raise ValueError(f"split: got {source.split!r}, wanted one of {', '.join(map(repr, loaded))}")
    return loaded[source.split]
