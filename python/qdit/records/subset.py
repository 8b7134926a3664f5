"""Some rows of a pool as a pool of its own: rows as they came, with the arrays that were made of them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from ..common import files, npy
from ..common.types import JSON, Array, Indices
from .importing import describe_versions, identify
from .pool import FORMATS, Pool
from .records import FORMAT, FORMAT_VERSION, MANIFEST, Part
from .store import ArrowStore, ArrowWriter, TextWriter, Writer
from .tokens import COSTS
from .tokens import MANIFEST as COSTS_MANIFEST

CLEANED = "cleaned"  # in records.json: the steps by which rows left, the first one first
_BATCH_ROWS = 4096
_COPY_ROWS = 1 << 14


def write_subset(pool: Pool, rows: Indices, folder: Path, step: JSON) -> JSON:
    """Write rows of a pool as a pool into an empty folder; return the entries of its files.

    Rows stay as they came, with their ids; embeddings, quality and token counts go along, each with what its
    manifest says of how it was made, so a later qdit embed or qdit score with the same options finds its work
    done.

    Args:
        pool: opened.
        rows: their numbers, ascending.
        folder: of the new pool.
        step: what is to be said of how the rows were chosen, a JSON object.

    """
    record = _write_records(pool, rows, folder, step)
    own = {"n": record["n"], "sha256": record["sha256"]}
    entries: JSON = {**record["files"], MANIFEST: files.describe(folder / MANIFEST)}
    for name in FORMATS:
        if (pool.directory / f"{name}.npy").is_file():
            entries |= _write_array(pool, name, rows, folder, own)
    if (pool.directory / COSTS_MANIFEST).is_file():
        entries |= _write_costs(pool, rows, folder, own)
    return entries


def steps(pool: Pool) -> list[JSON]:
    """Return the steps by which rows left before this pool was made, the first one first."""
    return list(pool.records.manifest.get(CLEANED, []))


def _write_records(pool: Pool, rows: Indices, folder: Path, step: JSON) -> JSON:
    records = pool.records
    sources: list[JSON] = []
    entries: JSON = {}
    begin = 0
    for part, entry in zip(records.parts, records.manifest["sources"], strict=True):
        end = begin + len(part.store)
        mine = rows[(rows >= begin) & (rows < end)] - begin
        begin = end
        if not len(mine):
            continue
        stem = folder / ("records" if len(records.parts) == 1 else f"records-{len(sources)}")
        writer = _copy(part, mine, stem)
        paths = list(writer.paths)
        origins = None
        if part.id_column is None:  # ids are made of the rows' numbers in their source
            origins = stem.with_name(f"{stem.name}.rows.npy")
            files.write_npy(origins, mine if part.origins is None else np.asarray(part.origins[mine]))
            paths.append(origins)
        names = {"files": [path.name for path in writer.paths]}
        sources.append(
            {**entry, **names, "n": len(writer), "origins": None if origins is None else origins.name}
        )
        entries |= {path.name: files.describe(path) for path in paths}
    record: JSON = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "n": len(rows),
        "sha256": identify(sources, entries),
        CLEANED: [*steps(pool), step],
        "sources": sources,
        "files": entries,
        "seconds": 0.0,
        "versions": describe_versions(),
    }
    files.write_json(folder / MANIFEST, record)
    return record


def _copy(part: Part, rows: Indices, stem: Path) -> Writer:
    store = part.store
    if isinstance(store, ArrowStore):
        with ArrowWriter(stem.with_name(f"{stem.name}.arrow"), store.schema) as batches:
            for start in range(0, len(rows), _BATCH_ROWS):
                for batch in store.take(rows[start : start + _BATCH_ROWS]).combine_chunks().to_batches():
                    batches.add(batch)
        return batches
    offsets = stem.with_name("offsets" + stem.name.removeprefix("records") + ".npy")
    with TextWriter(stem.with_name(f"{stem.name}.jsonl"), offsets) as writer:
        for row in rows.tolist():
            writer.add(store.raw(row))
    return writer


def _write_array(pool: Pool, name: str, rows: Indices, folder: Path, own: JSON) -> JSON:
    array = npy.open_npy(name, pool.directory / f"{name}.npy")
    path, zeros = _take(array, rows, folder / f"{name}.npy")
    entry = {**files.describe(path), "dtype": array.dtype.name, "shape": [len(rows), *array.shape[1:]]}
    manifest = pool.manifests.get(name)
    if manifest is None:  # put there by hand
        return {path.name: entry}
    record = {**manifest, "records": own, "files": {path.name: entry}, "of": str(pool.directory.resolve())}
    for listed in ("first_zero_rows", "first_cut_rows"):  # by their numbers in the other pool
        record.pop(listed, None)
    if manifest.get("zero_rows"):
        record["zero_rows"] = zeros
    files.write_json(folder / f"{name}.json", record)
    return {path.name: entry, f"{name}.json": files.describe(folder / f"{name}.json")}


def _take(array: Array, rows: Indices, path: Path) -> tuple[Path, int]:
    """Write some rows of a mapped array; return the file, and how many of them are zeros."""
    zeros = 0
    shape = (len(rows), *array.shape[1:])
    with path.open("wb") as file, files.writing(path):
        np.lib.format.write_array_header_1_0(
            file, {"descr": array.dtype.str, "fortran_order": False, "shape": shape}
        )
        for start in range(0, len(rows), _COPY_ROWS):
            part = np.ascontiguousarray(array[rows[start : start + _COPY_ROWS]])
            zeros += int((~part.reshape(len(part), -1).any(axis=1)).sum())
            file.write(part.data)
        files.sync(file)
    return path, zeros


def _write_costs(pool: Pool, rows: Indices, folder: Path, own: JSON) -> JSON:
    manifest = files.read_json(pool.directory / COSTS_MANIFEST, "qdit-costs")
    if manifest.get("records") != {"n": len(pool), "sha256": pool.records.sha256}:
        return {}  # stale; they are counted anew when they are needed
    costs = npy.open_npy("costs", pool.directory / COSTS)
    entry = files.write_npy(folder / COSTS, np.asarray(costs[rows]))
    files.write_json(folder / COSTS_MANIFEST, {**manifest, "records": own, "files": {COSTS: entry}})
    return {COSTS: entry, COSTS_MANIFEST: files.describe(folder / COSTS_MANIFEST)}
