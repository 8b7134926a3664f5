"""Sources whose rows have types: Parquet files, Hugging Face data sets, pandas and pyarrow tables."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..common.optional import require
from ..common.types import JSON, ArrowArray, ArrowTable, RecordBatch, Schema
from .hub import load_hub
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
                yield where, row, _cast(batch, self.schema, where)
            before, row = where, row + batch.num_rows

    @staticmethod
    def indices(rows: list[int]) -> ArrowArray:
        """Return row numbers as pyarrow wants them."""
        return require("pyarrow", "data", "to store typed records").array(rows, "int64")


def open_batches(source: Source, found: tuple[str, list[Path]] | None) -> Batches:
    """Return the batches of a typed source; `found` is what `find_files` says of a path.

    Raises:
        TypeError: for an object that is no source of rows.

    """
    location = source.location
    if found is not None and found[0] == "parquet":
        return _parquet(found[1])
    if found is not None:
        datasets = require("datasets", "data", "to read what save_to_disk wrote")
        loaded = _split(datasets.load_from_disk(str(found[1][0])), source)
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
    if "pandas" in family:
        try:
            table = pa.Table.from_pandas(location, preserve_index=False)
        except pa.ArrowException as error:
            text = " ".join(map(str, error.args))
            raise ValueError(f"source: DataFrame: {text}; give each column values of one type") from error
        return _table(table, "DataFrame")
    if hasattr(location, "__arrow_c_stream__"):
        return _table(pa.table(location), type(location).__name__)
    raise TypeError(
        f"source: got {type(location).__name__}, wanted a path, the id of a data set, an HF Dataset, a "
        "pandas.DataFrame, a pyarrow.Table or a list of dicts"
    )


def _table(table: ArrowTable, where: str) -> Batches:
    batches = table.to_batches(max_chunksize=BATCH_ROWS)
    return Batches(_undictionary(table.schema), ((where, batch) for batch in batches), table.num_rows)


def open_parquet(path: Path, extra: str = "data") -> Any:
    """Open a Parquet file; extra: of qdit, that installs what reads it."""
    pa = require("pyarrow", extra, "to read Parquet files")
    parquet = require("pyarrow.parquet", extra, "to read Parquet files")
    try:
        return parquet.ParquetFile(path, pre_buffer=False)  # a buffer would hold whole row groups
    except pa.ArrowException as error:
        raise ValueError(
            f"{path} is not a Parquet file or damaged: {error}; write or fetch it again"
        ) from error


def _parquet(files: list[Path]) -> Batches:
    pa = require("pyarrow", "data", "to read Parquet files")

    def rows() -> Iterator[tuple[str, RecordBatch]]:
        for path in files:
            row = 0
            with open_parquet(path) as file:
                try:
                    for batch in file.iter_batches(batch_size=BATCH_ROWS):
                        yield str(path), batch
                        row += batch.num_rows
                except (pa.ArrowException, OSError) as error:
                    raise ValueError(f"{path} is damaged at row {row} or after: {error}") from error

    total, schema = 0, None
    for path in files:
        with open_parquet(path) as file:
            total += file.metadata.num_rows
            schema = file.schema_arrow if schema is None else schema
    return Batches(_undictionary(schema), rows(), total, files)


def _dataset(loaded: Any, where: str) -> Batches:
    datasets = require("datasets", "data", "to read data sets")
    arrow = loaded.with_format("arrow")
    streamed = isinstance(loaded, datasets.IterableDataset)

    features = loaded.features
    if features is None:
        first = next(iter(arrow.iter(batch_size=BATCH_ROWS)), None)
        if first is None:
            raise ValueError(f"source: {where} has no rows")
        schema = first.schema
    else:
        schema = features.arrow_schema
    facts = {} if streamed else {"fingerprint": loaded._fingerprint}
    rows = (
        (where, batch)
        for table in arrow.iter(batch_size=BATCH_ROWS)
        for batch in table.combine_chunks().to_batches()
    )
    return Batches(_undictionary(schema), rows, None if streamed else len(loaded), facts=facts)


def _split(loaded: Any, source: Source) -> Any:
    """Return one split of what may be a dictionary of several."""
    if not isinstance(loaded, dict):
        return loaded
    if source.split not in loaded:
        raise ValueError(f"split: got {source.split!r}, wanted one of {', '.join(map(repr, loaded))}")
    return loaded[source.split]


def _undictionary(schema: Schema) -> Schema:
    """Return the schema with categories as plain values: a file holds one dictionary, batches bring many."""
    pa = require("pyarrow", "data", "to store typed records")
    for i, column in enumerate(schema):
        if pa.types.is_dictionary(column.type):
            schema = schema.set(i, column.with_type(column.type.value_type))
    return schema


def _cast(batch: RecordBatch, schema: Schema, where: str) -> RecordBatch:
    pa = require("pyarrow", "data", "to store typed records")
    if batch.schema.equals(schema, check_metadata=True):
        return batch
    if batch.schema.names != schema.names:
        raise ValueError(
            f"{where} has columns {', '.join(batch.schema.names)}, those before it have "
            f"{', '.join(schema.names)}; import them as sources of their own"
        )
    try:
        return pa.Table.from_batches([batch]).cast(schema).combine_chunks().to_batches()[0]
    except pa.ArrowException as error:
        raise ValueError(f"{where}: columns have other types than before: {error}") from error
