"""The verb ``qdit import``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..records.importing import import_records, is_imported
from ..records.records import Records, open_records


def import_command(
    source: str | list[str] | dict[str, str],
    pool: str,
    *,
    format: str | None = None,
    columns: dict[str, str] | None = None,
    id_column: str | None = None,
    source_name: str | None = None,
    revision: str | None = None,
    split: str = "train",
    subset: str | None = None,
    skip_bad: bool = False,
    limit: int | None = None,
    embeddings: str | None = None,
    quality: str | None = None,
    progress: bool = True,
    overwrite: bool = False,
) -> None:
    """Read instruction rows from files, the Hugging Face Hub or a named pool into a pool directory.

    Args:
        source: File or folder (JSON array, JSON Lines, CSV, also .gz or .zst; Parquet; what save_to_disk
            wrote), id of a data set on the Hub, or a named pool: alpaca, dolly, oig-small-chip2, ultrachat,
            lmsys-chat-1m, mixed-270k. Several as [a.json, b.jsonl] or {label: a.json, other: b.jsonl}.
        pool: Directory to make.
        format: alpaca, dolly, sharegpt, messages, prompt, lmsys, ultrachat or oig; null to detect it.
        columns: Columns of fields that are called otherwise, such as {instruction: question, output: answer}.
        id_column: Column of row ids; null keeps id, conversation_id or prompt_id where unique, or makes ids.
        source_name: Label of the source; null takes the file's name.
        revision: Commit, tag or branch of a data set on the Hub.
        split: Split of a data set that has several.
        subset: Configuration of a data set on the Hub that has several.
        skip_bad: Leave rows out that cannot be used, and list them in records.json.
        limit: Read only so many rows of each source.
        embeddings: .npy file of embeddings that were made elsewhere, to put into the pool.
        quality: .npy file of scores that were made elsewhere, to put into the pool.
        progress: Show a progress bar on stderr (--no-progress: do not).
        overwrite: Replace the records that are in the pool.

    """
    options: dict[str, Any] = {
        "format": format,
        "columns": columns,
        "id_column": id_column,
        "source_name": source_name,
        "revision": revision,
        "split": split,
        "subset": subset,
        "skip_bad": skip_bad,
        "limit": limit,
    }
    from ..records.pool import attach, check_arrays  # a pool knows its records, not the other way round

    named = {"embeddings": embeddings, "quality": quality}
    given = {name: file for name, file in named.items() if file is not None}
    check_arrays(**given)  # before a long import, not after it
    if given and not overwrite and is_imported(source, pool, **options):
        records = open_records(pool)  # the arrays of an earlier call were refused, or there were none
    else:
        records = import_records(source, pool, overwrite=overwrite, progress=progress, **options)
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
        lines.append(line)
    if len(lines) > 1:
        lines.append(f"{len(records):>12,} rows  in all")
    lines.append(f"in {Path(records.directory)}")
    return "\n".join(lines)
