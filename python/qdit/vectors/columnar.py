"""Readers of tables: Parquet files, Arrow files and tables, DuckDB, LanceDB; all bring Arrow batches."""

import re
from abc import abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..common.optional import require
from ..common.types import JSON, ArrowTable, RecordBatch, Schema
from ..records.schemas import conform, stored_schema, unify
from ..records.typed import has_no_value, open_parquet
from .arrow import EXTRA, as_table, dimension, find_column, is_vectors, matrix
from .options import ReadOptions
from .reader import Block, NoRowsError, Reader, pick_ids, reading

_ID = "id"
_PEEK_ROWS = 1024


class TableReader(Reader):
    """A source of Arrow record batches with a column of vectors."""

    def _inspect(self, schema: Schema, n: int, options: ReadOptions, where: str) -> None:
        """Find columns, dtype and dimension."""
        if n == 0:
            raise NoRowsError(f"source: {where} has no rows")
        self._where = where
        self.n = n
        self.column = find_column(schema, options.column, where)
        self.id_column = pick_ids(where, schema.names, options.id_column, (_ID,))
        kind = schema.field(self.column).type
        kind = getattr(kind, "storage_type", kind)
        self.dtype = str(np.dtype(kind.value_type.to_pandas_dtype()).name)
        self.d = self._dimension()

    def _dimension(self) -> int:
        with reading(self._where, 0):
            for batch in self.batches(0, _PEEK_ROWS):
                found = dimension(batch.column(self.column))
                if found > 0:
                    return found
        raise ValueError(f"column {self.column!r}: {self._where} has no vector that is not null or empty")

    @property
    def columns(self) -> list[str]:
        """What has to be read."""
        return [self.column] if self.id_column is None else [self.column, self.id_column]

    @abstractmethod
    def batches(self, start: int, size: int) -> Iterator[RecordBatch]:
        """Yield pyarrow.RecordBatch from row `start` on, of at most `size` rows."""

    def place(self, row: int) -> tuple[str, int]:
        """Return what holds a row, and its number there."""
        return self._where, row

    def blocks(self, start: int, size: int) -> Iterator[Block]:
        """Yield the rows; ValueError names a row of another length."""
        row = start
        for batch in self.batches(start, size):
            if batch.num_rows == 0:
                continue
            ids = None if self.id_column is None else batch.column(self.id_column).to_pylist()
            where, first = self.place(row)
            try:
                rows = matrix(batch.column(self.column), self.d, first)
            except ValueError as error:
                raise ValueError(f"{where}: {error}") from None
            yield Block(rows, ids)
            row += batch.num_rows


class ParquetReader(TableReader):
    """Parquet files, one after the other."""

    kind = "parquet"
    files: list[Path]

    def __init__(self, files: list[Path], options: ReadOptions) -> None:
        self.files = files
        self._counts, schemas = [], []
        for path in files:
            with open_parquet(path, EXTRA) as file:
                self._counts.append(file.metadata.num_rows)
                schemas.append((str(path), stored_schema(file.schema_arrow, str(path))))
        where = str(files[0]) if len(files) == 1 else f"{files[0]} and {len(files) - 1} more"
        told = [one for one, count in zip(schemas, self._counts, strict=True) if count]
        if not told:
            raise NoRowsError(f"source: {where} has no rows")
        self._inspect(self._common(told, options, where), sum(self._counts), options, where)

    def _common(self, schemas: list[tuple[str, Schema]], options: ReadOptions, where: str) -> Schema:
        """Return the schema of the parts, with vectors of the widest numbers that one has."""
        pa = require("pyarrow", EXTRA, "to read Parquet files")
        some = (schema for _, schema in schemas if any(map(is_vectors, schema.types)))
        schema = next(some, schemas[0][1])
        column = find_column(schema, options.column, where)
        for name in filter(None, (column, pick_ids(where, schema.names, options.id_column, (_ID,)))):
            lacks = next((path for path, found in schemas if name not in found.names), None)
            if lacks is not None:
                raise ValueError(f"{lacks} has no column {name!r}, which other parts have; write it again")
        fields = [(path, pa.schema([found.field(column)])) for path, found in schemas]
        self._vectors = unify(fields, has_no_value)
        return schema.set(schema.names.index(column), self._vectors.field(0))

    def place(self, row: int) -> tuple[str, int]:
        """Return a row's file and its number there."""
        ends = np.cumsum(self._counts)
        number = int(np.searchsorted(ends, row, side="right"))
        return str(self.files[number]), row - int(ends[number] - self._counts[number])

    def batches(self, start: int, size: int) -> Iterator[RecordBatch]:
        """Yield batches, skipping whole files and row groups before `start`."""
        before = 0
        for path, count in zip(self.files, self._counts, strict=True):
            if before + count > start:
                yield from self._file_batches(path, max(0, start - before), size)
            before += count

    def _file_batches(self, path: Path, start: int, size: int) -> Iterator[RecordBatch]:
        pa = require("pyarrow", EXTRA, "to read Parquet files")
        with open_parquet(path, EXTRA) as file:
            counts = [file.metadata.row_group(i).num_rows for i in range(file.metadata.num_row_groups)]
            ends = np.cumsum(counts)
            first = int(np.searchsorted(ends, start, side="right"))
            skip = start - (int(ends[first - 1]) if first else 0)
            groups = list(range(first, len(counts)))
            try:
                for batch in file.iter_batches(batch_size=size, row_groups=groups, columns=self.columns):
                    if skip < batch.num_rows:
                        yield self._conform(batch.slice(skip), path)
                    skip = max(0, skip - batch.num_rows)
            except (pa.ArrowException, OSError) as error:
                raise ValueError(f"{path} is damaged: {error}; write it again") from error

    def _conform(self, batch: RecordBatch, path: Path) -> RecordBatch:
        number = batch.schema.names.index(self.column)
        vectors = conform(batch.select([self.column]), self._vectors, str(path))
        return batch.set_column(number, self._vectors.field(0), vectors.column(0))


class ArrowReader(TableReader):
    """A pyarrow table, or an Arrow (Feather) file that is mapped."""

    kind = "arrow"

    def __init__(self, source: Any, options: ReadOptions) -> None:
        where = "the table"
        if isinstance(source, Path):
            self.files, where = [source], str(source)
            source = self._map(source)
        framed = hasattr(source, "to_numpy")
        hint = "pass x.to_numpy()" if framed else "join the numbers of a row into a list"
        if not (hasattr(source, "to_batches") and hasattr(source, "select")):
            source = as_table(source)
        pa = require("pyarrow", EXTRA, "to read Arrow files")
        kinds = [field.type for field in source.schema]
        if len(kinds) > 1 and all(pa.types.is_floating(kind) or pa.types.is_integer(kind) for kind in kinds):
            raise ValueError(f"column: {where} has columns of numbers and none of vectors; {hint}")
        self._table = source
        stored_schema(source.schema, where)  # refuses names that are there twice, or no UTF-8
        self._inspect(source.schema, source.num_rows, options, where)

    def batches(self, start: int, size: int) -> Iterator[RecordBatch]:
        """Yield slices of the table."""
        yield from self._table.select(self.columns).slice(start).to_batches(max_chunksize=size)

    @staticmethod
    def _map(path: Path) -> ArrowTable:
        pa = require("pyarrow", EXTRA, "to read Arrow files")
        with path.open("rb") as file:
            is_file = file.read(6) == b"ARROW1"  # else the streaming format, as datasets caches have it
        try:
            source = pa.memory_map(str(path))
            return (pa.ipc.open_file if is_file else pa.ipc.open_stream)(source).read_all()
        except (pa.ArrowException, OSError) as error:
            raise ValueError(f"{path} is not an Arrow file or damaged: {error}; write it again") from error


class DuckDBReader(TableReader):
    """A table of a DuckDB database, or what a query returns, in the order DuckDB returns it."""

    kind = "duckdb"

    def __init__(self, source: Any, options: ReadOptions) -> None:
        duckdb = require("duckdb", EXTRA, "to read DuckDB databases")
        self._project: str | None = None
        # a table comes in the order of its rows, a join or an aggregate in any
        query = options.query
        self._ordered = query is None or re.search(r"\border\s+by\b", query, re.IGNORECASE) is not None
        self._connection, self._relation, where = None, source, "the relation"
        try:
            if isinstance(source, Path):
                self.files = [source]
                self._connection = duckdb.connect(str(source), read_only=True)
                self._sql = self._query(options.table, query)
                self._relation, where = self._connection.sql(self._sql), str(source)
            schema = self._reader(1).schema
            n = int(self._relation.count("*").fetchall()[0][0])
        except duckdb.Error as error:
            raise ValueError(f"source: DuckDB: {error}") from error
        self._inspect(schema, n, options, where)

    def close(self) -> None:
        """Close a database that was opened by path."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def batches(self, start: int, size: int) -> Iterator[RecordBatch]:
        """Yield what the query returns, without the rows before `start`."""
        self._project = ", ".join(_quoted(name) for name in self.columns)
        for batch in self._reader(size):
            if start < batch.num_rows:
                yield batch.slice(start)
            start = max(0, start - batch.num_rows)

    def identity(self) -> JSON | None:
        """Return the file and the query; a relation could be any, and so the order of a query without one."""
        found = super().identity()
        return None if found is None or not self._ordered else {**found, "query": self._sql}

    def _query(self, table: str | None, query: str | None) -> str:
        if (table is None) == (query is None):
            names = [row[0] for row in self._connection.sql("SHOW TABLES").fetchall()]  # type: ignore[union-attr]
            raise ValueError(f"table: pass one of {', '.join(map(repr, names)) or 'none there'}, or a query")
        return query if query is not None else f"SELECT * FROM {_quoted(str(table))}"

    def _reader(self, size: int) -> Any:
        relation = self._relation if self._project is None else self._relation.project(self._project)
        return relation.to_arrow_reader(size)


class LanceDBReader(TableReader):
    """A LanceDB table."""

    kind = "lancedb"

    def __init__(self, source: Any, options: ReadOptions) -> None:
        lancedb = require("lancedb", EXTRA, "to read LanceDB tables")
        if isinstance(source, Path):
            self.files, table, folder = [source], options.table, source
            if source.suffix == ".lance":  # the folder of one table
                table, folder = source.stem, source.parent
            with reading(folder, 0):
                source = self._opened(lancedb.connect(folder), table, folder)
        self._table = source
        self._inspect(source.schema, source.count_rows(), options, f"table {source.name!r}")

    def batches(self, start: int, size: int) -> Iterator[RecordBatch]:
        """Yield the table's rows in the order of its fragments."""
        query = self._table.search().select(self.columns).offset(start).limit(self.n - start)
        for batch in query.to_batches(batch_size=size):
            yield from (batch.slice(first, size) for first in range(0, batch.num_rows, size))

    def identity(self) -> JSON | None:
        """Return the table and its version; a table of a remote database has none that is known here."""
        if self.files is None:
            return None
        names = [str(path) for path in self.files]
        version = self._table.version
        return {"kind": self.kind, "files": names, "table": self._table.name, "version": version}

    @staticmethod
    def _opened(database: Any, table: str | None, folder: Path) -> Any:
        names = list(database.list_tables().tables)
        if table is None and len(names) == 1:
            table = names[0]
        if table not in names:
            wanted = ", ".join(map(repr, names)) or "none there"
            raise ValueError(f"table: got {table!r} for {folder}, wanted one of {wanted}")
        return database.open_table(table)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
