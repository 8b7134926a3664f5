"""The verb ``qdit import``."""

from typing import Any

from ..records.importing import describe_records, import_records, is_imported
from ..records.options import ImportOptions
from ..records.pool import attach, check_arrays
from ..records.records import open_records


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
        print(f"in {records.directory}")
    if given:
        attach(pool, overwrite=overwrite, **given)
        print(f"with {' and '.join(given)} as given")
