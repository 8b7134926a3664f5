"""Rows of any source, streamed into a pool directory."""

import contextlib
import hashlib
import json
import platform
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from .._version import __version__
from ..common import files
from ..common.identity import differences
from ..common.lock import Lock
from ..common.progress import RowProgressLike, RowTracker
from ..common.types import JSON, Ints, StrPath
from .folders import list_files
from .options import ImportOptions
from .records import FORMAT, FORMAT_VERSION, MANIFEST, Records, open_records, read_manifest
from .sources import Source, describe_call, find_files, resolve
from .staging import Stage, stage

_SYNCED = ("pyarrow", "datasets", "pandas", "zstandard")


def import_records(
    source: Any,
    pool: StrPath,
    *,
    overwrite: bool = False,
    progress: RowProgressLike = None,
    **options: Any,
) -> Records:
    """Read rows of any source, check them, and store them in a pool directory.

    Rows stream through: a few are in memory at a time. The pool is complete or not there: what a killed
    import leaves is cleared by the next one.

    Args:
        source: path of a file of JSON (array, lines, or an object around them), CSV (each also .gz, .zst, .xz
            or .bz2) or Parquet, or of a folder of them or of what datasets' save_to_disk wrote; the id of a
            data set on the Hugging Face Hub; a named pool (alpaca, dolly, oig-small-chip2, ultrachat,
            lmsys-chat-1m, mixed-270k); an HF Dataset, pandas.DataFrame, pyarrow.Table or list of dicts; or
            several of these, as a list or as a mapping label -> source.
        pool: directory to make or to add the records to.
        overwrite: replace the records that are in the pool.
        progress: True for a bar on stderr, or a callable that takes a `RowProgress`.
        options: those of `qdit.records.ImportOptions`.

    Returns:
        The records, opened.

    Raises:
        FileNotFoundError: if there is no such source.
        ValueError: for a bad row (naming file, row and field), a damaged file, or records that are there
            already.
        ImportError: that names what to install, for a source that needs an optional package.
        ConnectionError: if a data set on the Hub cannot be reached.
        PermissionError: if its terms have not been accepted; says how to log in.

    """
    start = time.perf_counter()
    asked = ImportOptions.of("import_records", options)
    sources = resolve(source, asked)
    directory = Path(pool)
    with _held(directory):
        if (directory / MANIFEST).exists() and not overwrite:
            raise ValueError(
                f"pool: {directory} holds records already; pass overwrite=True (--overwrite) or another "
                "directory"
            )
        files.remove_leftovers(directory, (MANIFEST,))
        with (
            RowTracker(progress, "import") as tracker,
            files.new_files(directory, MANIFEST) as folder,
        ):
            stages = _stage_all(sources, folder, asked, tracker)
            record = _record(stages, time.perf_counter() - start)
            record["asked"] = describe_call(sources, asked)
            files.write_json(folder / MANIFEST, record)
            tracker.done(int(record["n"]))
    return open_records(directory)


def is_imported(source: Any, pool: StrPath, **options: Any) -> bool:
    """Return whether a pool holds what `import_records` with the same arguments would make.

    Files are compared by hash. A data set on the Hub counts as unchanged while its name and revision are the
    same; objects in memory never do.
    """
    path = Path(pool) / MANIFEST
    if not path.is_file():
        return False
    record = read_manifest(Path(pool))
    asked = ImportOptions.of("is_imported", options)
    sources = resolve(source, asked)
    if any(found.in_memory for found in sources):
        return False
    if differences(record.get("asked"), describe_call(sources, asked)):
        return False
    return all(
        _same_inputs(found, entry["inputs"]) for found, entry in zip(sources, record["sources"], strict=True)
    )


def describe_records(records: Records) -> str:
    """Return a line for each source: rows, format, what was left out, which files were read."""
    lines = []
    for entry in records.manifest["sources"]:
        line = f"{entry['n']:>12,} rows  {entry['format']:<10} {entry['source']}"
        skipped = entry["skipped"]
        if skipped["count"]:
            problem = max(skipped["problems"].items(), key=lambda item: item[1])[0]
            line += f"  ({skipped['count']:,} left out, mostly: {problem})"
        if entry.get("why_new_ids"):
            line += f"  (new ids for all rows: {entry['why_new_ids']})"
        lines.append(line)
        if len(entry["inputs"]) > 1 or entry.get("splits") or entry.get("left_out"):
            lines.append(_files(entry))
    if len(records.manifest["sources"]) > 1:
        lines.append(f"{len(records):>12,} rows  in all")
    return "\n".join(lines)


def _files(entry: JSON) -> str:
    """Return which files of a source were read, which were not, and why."""
    read = f"{len(entry['inputs']):,} files" if len(entry["inputs"]) != 1 else "1 file"
    splits, left_out = entry.get("splits", []), entry.get("left_out", {})
    told = f", split {entry['split']} of {', '.join(splits)}" if splits not in ([], ["train"]) else ""
    files = {Path(path): why for path, why in left_out.items()}
    return f"{'':>14}{read} read{told}" + (f"; not read: {list_files(files)}" if files else "")


def _same_inputs(source: Source, inputs: list[JSON]) -> bool:
    found = find_files(source)
    if found is None:
        return True
    paths = [Path(entry["path"]) for entry in inputs]
    if found.kind != "disk" and found.files != paths:
        return False
    return all(
        path.is_file()
        and path.stat().st_size == entry["bytes"]
        and files.sha256_file(path) == entry["sha256"]
        for path, entry in zip(paths, inputs, strict=True)
    )


def _stage_all(sources: list[Source], held: Path, asked: ImportOptions, tracker: RowTracker) -> list[Stage]:
    stages: list[Stage] = []
    taken: Ints = np.empty(0, np.int64)
    for i, source in enumerate(sources):
        stem = "records" if len(sources) == 1 else f"records-{i}"
        stages.append(stage(source, held / stem, asked, tracker, taken if len(sources) > 1 else None))
        taken = np.concatenate([taken, stages[-1].id_hashes])
    return stages


def _record(stages: list[Stage], seconds: float) -> JSON:
    sources = [found.entry for found in stages]
    entries = {path.name: files.describe(path) for found in stages for path in found.files}
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "n": sum(entry["n"] for entry in sources),
        "sha256": identify(sources, entries),
        "sources": sources,
        "files": entries,
        "seconds": round(seconds, 3),
        "versions": describe_versions(),
    }


def identify(sources: list[JSON], entries: JSON) -> str:
    """Return the hash of the rows of all sources and of how they are read.

    A column map that changes makes embeddings stale too. entries: of the files, as in the manifest.
    """
    identity = [
        [entries[one["files"][0]]["sha256"], one["format"], one["columns"], *filter(None, [one.get("roles")])]
        for one in sources
    ]
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


def describe_versions() -> dict[str, str]:
    """Return the versions of what reads and stores rows."""
    found = {"qdit": __version__, "python": platform.python_version(), "numpy": np.__version__}
    there = {name: getattr(sys.modules.get(name), "__version__", None) for name in _SYNCED}
    return found | {name: str(version) for name, version in there.items() if version is not None}


@contextlib.contextmanager
def _held(directory: Path) -> Iterator[None]:
    new = not directory.exists()
    directory.mkdir(parents=True, exist_ok=True)
    try:
        with Lock(directory, "importing into it", name=f"pool {directory}"):
            yield
    finally:
        if new and not any(directory.iterdir()):  # the import failed before it wrote anything
            directory.rmdir()
