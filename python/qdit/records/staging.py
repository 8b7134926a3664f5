"""One source, read, checked and written to a staging folder."""

import contextlib
import json
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..common import files
from ..common.progress import RowTracker
from ..common.types import JSON, Indices, Ints
from .intake import BadRows, Intake
from .options import ImportOptions
from .row import RowError
from .schemas import make_decoders, read_rows
from .sources import Source, find_files
from .store import ArrowWriter, TextWriter, Writer, open_store, to_json
from .textfiles import Item, read_file
from .typed import Batches, open_batches


@dataclass(frozen=True, eq=False)
class Stage:
    """The rows of a source as they lie in the staging folder.

    Attributes:
        entry: what the manifest says of the source.
        files: what was written.
        id_hashes: hashes of the ids, where there are several sources, and of those that are kept.

    """

    entry: JSON
    files: list[Path]
    id_hashes: Ints


class _Sink:
    """Counts rows as they are read and kept."""

    def __init__(self, source: Source, asked: ImportOptions, tracker: RowTracker) -> None:
        self.intake = Intake(source)
        self.bad = BadRows(asked.skip_bad)
        self.limit = asked.limit
        self.tracker = tracker
        self.read = 0
        self.kept = 0
        self.left_out: dict[Path, str] = {}  # files, and why
        self._origins: array[int] | None = None

    @property
    def full(self) -> bool:
        return self.limit is not None and self.read >= self.limit

    def passes(self, where: str, row: int, item: Item, line: int | None) -> bool:
        """Return whether a row is kept; raises at a bad one unless these are skipped."""
        self.read += 1
        try:
            if item.error is not None:
                raise item.error
            self.intake.check(item.value)
        except RowError as error:
            self.bad.add(where, row, line, error)
            if self._origins is None:
                self._origins = array("q", range(self.kept))
            return False
        if self._origins is not None:
            self._origins.append(self.read - 1)
        self.kept += 1
        return True

    @property
    def origins(self) -> Indices | None:
        return None if self._origins is None else np.array(self._origins, np.int64)


def stage(source: Source, stem: Path, asked: ImportOptions, tracker: RowTracker, taken: Ints | None) -> Stage:
    """Write the rows of a source to files whose names begin with `stem`.

    taken: hashes of the ids of earlier sources; None where this is the only one.
    """
    sink = _Sink(source, asked, tracker)
    location = source.location
    found = find_files(source)
    if found is not None:
        sink.left_out |= found.left_out
    inputs: list[JSON] = []
    facts: JSON = {}
    if found is not None and found.kind == "text":
        inputs = [_input(path) for path in found.files]
        writer: Writer = _write_text(_rows_of(found.files, sink), sink, stem)
    elif isinstance(location, list | tuple):
        writer = _write_text(_dicts(location), sink, stem)
    else:
        batches = open_batches(source, found)
        inputs, facts = [_input(path) for path in batches.files], batches.facts
        writer = _write_batches(batches, sink, stem)
    if not sink.kept:
        bad = sink.bad
        why = f"; {bad.count:,} were left out, most of them because: {bad.most_common()}" if bad.count else ""
        empty = ": it is empty; pass one with rows"
        raise ValueError(f"source: {source.describe()['location']} has no row that can be used{why or empty}")
    name = str(source.name)
    layout = sink.intake.finish(name)
    with contextlib.closing(open_store(writer.kind, writer.paths)) as store:

        def read(row: int) -> tuple[int, Any]:
            return (row if sink.origins is None else int(sink.origins[row])), store.value(row)

        ids, before = sink.intake.ids, np.empty(0, np.int64) if taken is None else taken
        hashes = ids.settle(name, before, read)
    if ids.column is None and taken is not None:
        numbers = np.arange(sink.kept) if sink.origins is None else sink.origins
        hashes = ids.made(name, numbers, taken)
    paths = list(writer.paths)
    origins = None
    if sink.origins is not None:
        origins = stem.with_name(f"{stem.name}.rows.npy")
        files.write_npy(origins, sink.origins)
        paths.append(origins)
    entry = {
        "source": name,
        "n": len(writer),
        "kind": writer.kind,
        "files": [path.name for path in writer.paths],
        "format": layout.format,
        "columns": dict(layout.columns),
        **({"roles": dict(layout.roles)} if layout.roles else {}),
        "id_column": sink.intake.ids.column,
        "why_new_ids": sink.intake.ids.problem,
        "origins": None if origins is None else origins.name,
        **source.describe(),
        **facts,
        "limit": sink.limit,
        "inputs": inputs,
        "splits": [] if found is None else list(found.splits),
        "left_out": {str(path): why for path, why in sink.left_out.items()},
        "skipped": sink.bad.report(),
    }
    return Stage(entry, paths, hashes)


def _input(path: Path) -> JSON:
    return {"path": str(path), "bytes": path.stat().st_size, "sha256": files.sha256_file(path)}


def _rows_of(paths: list[Path], sink: _Sink) -> Iterator[tuple[str, int, Item]]:
    """Yield (file, row in it, row) of all files."""
    total = max(1, sum(path.stat().st_size for path in paths))
    before = 0
    for path in paths:
        position = before

        def watch(here: int) -> None:
            nonlocal position
            position = before + here  # noqa: B023

        row = -1
        for row, item in enumerate(read_file(path, watch, sink.intake.fits)):
            yield str(path), row, item
            sink.tracker.update(sink.kept, position / total)
        if row < 0:
            sink.left_out[path] = "empty"
        before += path.stat().st_size


def _dicts(rows: Sequence[Any]) -> Iterator[tuple[str, int, Item]]:
    for row, value in enumerate(rows):
        try:
            raw = to_json(value)
        except (TypeError, ValueError, RecursionError) as error:
            yield "list", row, Item(row + 1, b"", None, RowError("", f"is no JSON: {error}", value))
        else:
            yield "list", row, Item(row + 1, raw, json.loads(raw))


def _write_text(rows: Iterator[tuple[str, int, Item]], sink: _Sink, stem: Path) -> TextWriter:
    offsets = stem.with_name("offsets" + stem.name.removeprefix("records") + ".npy")
    with TextWriter(stem.with_name(f"{stem.name}.jsonl"), offsets) as writer:
        for where, row, item in rows:
            if sink.passes(where, row, item, item.line if where != "list" else None):
                writer.add(item.raw)
            if sink.full:
                break
    return writer


def _typed_item(value: Any) -> Item:
    return Item(0, b"", None, value) if isinstance(value, RowError) else Item(0, b"", value)


def _write_batches(batches: Batches, sink: _Sink, stem: Path) -> ArrowWriter:
    decoders = make_decoders(batches.schema)
    with ArrowWriter(stem.with_name(f"{stem.name}.arrow"), batches.schema) as writer:
        for where, first, batch in batches:
            if sink.limit is not None:
                batch = batch.slice(0, sink.limit - sink.read)
            kept = [
                i
                for i, value in enumerate(read_rows(batch, decoders))
                if sink.passes(where, first + i, _typed_item(value), None)
            ]
            writer.add(batch if len(kept) == batch.num_rows else batch.take(batches.indices(kept)))
            sink.tracker.update(sink.kept, None if not batches.total else sink.read / batches.total)
            if sink.full:
                break
    return writer
