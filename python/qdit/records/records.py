"""The records of a pool: rows of any source, opened without reading them."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from ..common import files, npy
from ..common.closing import Closing
from ..common.optional import require
from ..common.shape import ENTRIES, NULL, Shape
from ..common.types import JSON, ArrowTable, Indices, StrPath
from .formats import FORMATS, Layout
from .row import Row, RowError
from .schemas import make_column
from .store import ArrowStore, Store, TextStore, open_store

MANIFEST = "records.json"
FORMAT = "qdit-records"
FORMAT_VERSION = 1
_SOURCE: Shape = {
    **{"source": str, "kind": {TextStore.kind, ArrowStore.kind}, "format": {*FORMATS}},
    **dict.fromkeys(("id_column", "origins"), (str, NULL)),
    **{"n": int, "files": [str, ...], "columns": {"*": str}, "roles": {"*": [str]}, "splits": [str]},
    "inputs": [{"path": str, "bytes": int, "sha256": str}],
    **{"left_out": {"*": str}, "skipped": {"count": int, "problems": {"*": int}}},
}
_SHAPE: Shape = {"n": int, "sha256": str, "files": ENTRIES, "sources": [_SOURCE, ...]}


@dataclass(frozen=True, eq=False)
class Part:
    """The rows of one source.

    Attributes:
        name: label of the source.
        layout: how its rows are read.
        store: the rows.
        id_column: the column of ids, or None where they are made.
        origins: (n,) int64 row numbers in the source, or None where no row was left out.

    """

    name: str
    layout: Layout
    store: Store
    id_column: str | None = None
    origins: Indices | None = None

    def row(self, index: int, i: int, value: Any) -> Row:
        """Return row i of this part, parsed as `value`, as row `index` of the pool."""
        try:
            instruction, given, output, turns = self.layout.read(value)
        except RowError as error:
            raise ValueError(f"{self.store.path}: row {i} {error}; import the records again") from error
        return Row(index, self.id(i, value), self.name, instruction, given, output, turns)

    def id(self, i: int, value: Any) -> str:
        """Return the id of row i of this part."""
        if self.id_column is not None:
            if self.id_column not in value:
                raise ValueError(
                    f"{self.store.path}: row {i} has no {self.id_column!r}; import the records again"
                )
            return str(value[self.id_column])
        return f"{self.name}-{i if self.origins is None else self.origins[i]}"


class Records(Closing):
    """The rows of a pool directory; see `open_records`.

    Attributes:
        directory: the pool.
        format: "alpaca", "sharegpt", "messages", "prompt" and so on; "mixed" for sources of several.
        sha256: identifies rows and the way they are read; what is computed from the records names it.
        manifest: what records.json says: sources, formats, columns, rows that were left out, versions.

    """

    def __init__(self, directory: Path, record: JSON, parts: Sequence[Part]) -> None:
        self.directory = directory
        self.manifest = record
        self.parts = tuple(parts)
        self.sha256 = str(record["sha256"])
        formats = {part.layout.format for part in parts}
        self.format = formats.pop() if len(formats) == 1 else "mixed"
        self._ends = list(accumulate(len(part.store) for part in parts))

    def __len__(self) -> int:
        return self._ends[-1]

    def __repr__(self) -> str:
        return f"Records(n={len(self):,}, format={self.format!r}, directory={str(self.directory)!r})"

    def close(self) -> None:
        """Close the files."""
        for part in self.parts:
            part.store.close()

    def row(self, i: int) -> Row:
        """Return row i in normal form; IndexError if there is none."""
        return self.read(i)[0]

    def read(self, i: int) -> tuple[Row, JSON]:
        """Return row i in normal form, and what `value` returns."""
        part, local = self._locate(i)
        value: JSON = part.store.value(local)
        return part.row(i if i >= 0 else i + len(self), local, value), value

    def raw(self, i: int) -> bytes:
        """Return row i as it came: its own bytes as one line of JSON, without newline.

        Rows of typed sources (Parquet, Hub, pandas) are written as JSON here; `table` keeps their types.
        """
        part, local = self._locate(i)
        return part.store.raw(local)

    def rows(self, start: int = 0, stop: int | None = None) -> Iterator[Row]:
        """Yield rows in order, without holding more than a few."""
        for part, index, first, last in self._spans(start, stop):
            for local, value in enumerate(part.store.values(first, last), first):
                yield part.row(index + local, local, value)

    def raws(self, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """Yield what `raw` returns, in order."""
        for part, _, first, last in self._spans(start, stop):
            yield from part.store.raws(first, last)

    def value(self, i: int) -> JSON:
        """Return row i as the Python values of its own columns."""
        part, local = self._locate(i)
        found: JSON = part.store.value(local)
        return found

    def values(self, start: int = 0, stop: int | None = None) -> Iterator[JSON]:
        """Yield what `value` returns, in order."""
        for part, _, first, last in self._spans(start, stop):
            yield from part.store.values(first, last)

    def table(self, indices: Iterable[int]) -> ArrowTable:
        """Return rows as a pyarrow.Table, in the order of `indices`.

        One typed source keeps its types; of anything else the table has the columns of all rows, with nulls
        where a row has no such column. ValueError names column and rows if no type holds its values,
        ImportError without pyarrow.
        """
        pa = require("pyarrow", "data", "to make tables")
        chosen = np.array([self._index(i) for i in indices], np.int64)
        if len(self.parts) == 1 and isinstance(self.parts[0].store, ArrowStore):
            return self.parts[0].store.take(chosen)
        rows = chosen.tolist()
        values = [self.value(i) for i in rows]
        names = list(dict.fromkeys(name for value in values for name in value))
        columns = [make_column(name, [value.get(name) for value in values], rows) for name in names]
        return pa.table(columns, names)

    def ids(self) -> Sequence[str]:
        """Return the ids of all rows, each read when it is asked for."""
        return Ids(self)

    def index_of(self, id: str) -> int:
        """Return the number of the row with this id; ValueError if no row has it."""
        for i, found in enumerate(Ids(self)):
            if found == id:
                return i
        raise ValueError(f"no row has the id {id!r}; ids look like {self.ids()[0]!r}")

    def indices_of(self, ids: Sequence[str]) -> NDArray[np.int64]:
        """Return the numbers of the rows with these ids, in their order; ValueError if one has no row."""
        wanted = dict.fromkeys(ids, -1)
        for i, found in enumerate(Ids(self)):
            if found in wanted:
                wanted[found] = i
        missing = [id for id, row in wanted.items() if row < 0]
        if missing:
            more = f", nor have {len(missing) - 1:,} others" if len(missing) > 1 else ""
            raise ValueError(f"no row has the id {missing[0]!r}{more}; ids look like {self.ids()[0]!r}")
        return np.fromiter(wanted.values(), np.int64, len(wanted))

    @cached_property
    def _codes(self) -> NDArray[np.int32]:
        counts = [len(part.store) for part in self.parts]
        return np.repeat(np.arange(len(self.parts), dtype=np.int32), counts)

    def sources(self) -> tuple[NDArray[np.int32], list[str]]:
        """Return each row's source as an (n,) int32 number, and the labels of the numbers."""
        return self._codes, [part.name for part in self.parts]

    def check(self) -> None:
        """Compare the hash of every file with the manifest; ValueError if one was changed."""
        for name, entry in self.manifest["files"].items():
            found = files.sha256_file(self.directory / name)
            if found != entry["sha256"]:
                raise ValueError(
                    f"{self.directory / name} is damaged or changed: sha256 is {found}, {MANIFEST} says "
                    f"{entry['sha256']}; import the records again"
                )

    def _index(self, i: int) -> int:
        index = int(i) + len(self) if i < 0 else int(i)
        if not 0 <= index < len(self):
            raise IndexError(f"row {i}: the pool has rows 0 to {len(self) - 1}")
        return index

    def _locate(self, i: int) -> tuple[Part, int]:
        index = self._index(i)
        number = bisect_right(self._ends, index)
        return self.parts[number], index - (self._ends[number - 1] if number else 0)

    def _spans(self, start: int, stop: int | None) -> Iterator[tuple[Part, int, int, int]]:
        """Yield (part, where it begins in the pool, first and end row in it) of a range of rows."""
        start, stop, _ = slice(start, stop).indices(len(self))
        begin = 0
        for part, end in zip(self.parts, self._ends, strict=True):
            if start < end and stop > begin:
                yield part, begin, max(start, begin) - begin, min(stop, end) - begin
            begin = end


class Ids(Sequence[str]):
    """The ids of all rows of a pool."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def __len__(self) -> int:
        return len(self._records)

    @overload
    def __getitem__(self, i: int) -> str: ...
    @overload
    def __getitem__(self, i: slice) -> Sequence[str]: ...
    def __getitem__(self, i: int | slice) -> str | Sequence[str]:
        if isinstance(i, slice):
            return [self[j] for j in range(*i.indices(len(self)))]
        part, local = self._records._locate(i)
        return part.id(local, None if part.id_column is None else part.store.value(local))

    def __iter__(self) -> Iterator[str]:
        for part in self._records.parts:
            count = len(part.store)
            values = iter([None] * count) if part.id_column is None else part.store.values(0, count)
            yield from (part.id(i, value) for i, value in enumerate(values))


def open_records(directory: StrPath) -> Records:
    """Open the records of a pool directory; nothing is read but the manifest.

    Raises:
        FileNotFoundError: if there are no complete records in the directory.
        ValueError: if a file is missing, damaged or of another size than it was.

    """
    path = Path(directory)
    if not (path / MANIFEST).is_file():
        raise FileNotFoundError(f"{path}: no {MANIFEST}, so no complete records; make them with qdit import")
    record = read_manifest(path)
    for name, entry in record["files"].items():
        _check_size(path / name, entry["bytes"])
    parts = [_open_part(path, entry) for entry in record["sources"]]
    return Records(path, record, parts)


def read_manifest(directory: Path) -> JSON:
    """Return what records.json says."""
    path = directory / MANIFEST
    return files.read_json(path, FORMAT, FORMAT_VERSION, "import the records again", _SHAPE)


def _check_size(path: Path, wanted: int) -> None:
    if not path.is_file():
        raise ValueError(f"{path} is missing though {MANIFEST} lists it; import the records again")
    if path.stat().st_size != wanted:
        raise ValueError(
            f"{path} has {path.stat().st_size} bytes, {MANIFEST} says {wanted}; import the records again"
        )


def _open_part(directory: Path, entry: JSON) -> Part:
    files = [directory / name for name in entry["files"]]
    store = open_store(entry["kind"], files)
    if len(store) != entry["n"]:
        raise ValueError(f"{files[0]} has {len(store)} rows, {MANIFEST} says {entry['n']}; import again")
    origins = None if entry["origins"] is None else npy.open_npy("records", directory / entry["origins"])
    layout = Layout(entry["format"], entry["columns"], entry.get("roles", {}))
    return Part(entry["source"], layout, store, entry["id_column"], origins)
