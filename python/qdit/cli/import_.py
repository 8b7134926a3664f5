"""The verb ``qdit import``."""

from pathlib import Path
from typing import Any

from ..common.types import JSON
from ..records.folders import list_files
from ..records.importing import import_records, is_imported
from ..records.options import ImportOptions
from ..records.pool import attach, check_arrays
from ..records.records import Records, open_records


def import_command(
    source: str | list[str] | dict[str, str],
    pool: str,
    *,
    embeddings: str | None = None,
    quality: str | None = None,
    progress: bool = True,
    overwrite: bool = False,
    **options: Any,
) -> None:
    """Read instruction rows from files, the Hugging Face Hub or a named pool into a pool directory.

    Args:
        source: File or folder (JSON, JSON Lines, CSV, also .gz, .zst, .xz, .bz2; Parquet; what save_to_disk
            wrote), id of a data set on the Hub, or a named pool: alpaca, dolly, oig-small-chip2, ultrachat,
            lmsys-chat-1m, mixed-270k. Several as [a.json, b.jsonl] or {label: a.json, other: b.jsonl}.
        pool: Directory to make.
        embeddings: .npy file of embeddings that were made elsewhere, to put into the pool.
        quality: .npy file of scores that were made elsewhere, to put into the pool.
        progress: Show a progress bar on stderr (--no-progress: do not).
        overwrite: Replace the records that are in the pool.
        options: Those of `ImportOptions`.

    """
    asked = vars(ImportOptions(**options))
    named = {"embeddings": embeddings, "quality": quality}
    given = {name: file for name, file in named.items() if file is not None}
    check_arrays(**given)  # before a long import, not after it
    if given and not overwrite and is_imported(source, pool, **asked):
        records = open_records(pool)  # the arrays of an earlier call were refused, or there were none
    else:
        records = import_records(source, pool, overwrite=overwrite, progress=progress, **asked)
    with records:
        print(describe_records(records))
    if given:
        attach(pool, overwrite=overwrite, **given)
        print(f"with {' and '.join(given)} as given")


def describe_records(records: Records) -> str:
    """Return a line for each source: rows, format, what was left out; and where they are."""
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
    lines.append(f"in {Path(records.directory)}")
    return "\n".join(lines)


def _files(entry: JSON) -> str:
    """Return which files of a source were read, which were not, and why."""
    read = f"{len(entry['inputs']):,} files" if len(entry["inputs"]) != 1 else "1 file"
    splits, left_out = entry.get("splits", ()), entry.get("left_out", {})
    told = f", split {entry['split']} of {', '.join(splits)}" if splits not in ([], ["train"]) else ""
    files = {Path(path): why for path, why in left_out.items()}
    return f"{'':>14}{read} read{told}" + (f"; not read: {list_files(files)}" if files else "")
