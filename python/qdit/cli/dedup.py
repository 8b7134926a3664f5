"""The verbs ``qdit dedup`` and ``qdit decontaminate``."""

from pathlib import Path
from shutil import rmtree
from typing import Any

from ..cleaning.contaminated import DecontaminateJob
from ..cleaning.deduping import DedupJob
from ..cleaning.duplicates import MANIFEST, dedup
from ..cleaning.options import EMBEDDING, DecontaminateOptions, DedupOptions, PoolDedupOptions
from ..cleaning.told import told_contamination, told_duplicates
from ..common.files import check_writable
from ..selection.pool import is_pool


def dedup_command(
    pool: str,
    out: str | None = None,
    *,
    quality: str | None = None,
    progress: bool = True,
    dry_run: bool = False,
    overwrite: bool = False,
    **options: Any,
) -> None:
    """Find duplicates, and write a pool without them.

    Args:
        pool: Pool directory, which stays as it is; or a .npy file of embeddings.
        out: Directory for a pool of the rows that stay, with their embeddings and scores, and for the
            groups; null for the groups alone, in the pool's folder "dedup". A .npy file needs it.
        quality: .npy file of scores for a .npy file of embeddings.
        progress: Show a progress bar on stderr (--no-progress: do not).
        dry_run: Print how many pairs would be compared, and stop.
        overwrite: Replace what another run wrote there.
        options: Those of `PoolDedupOptions`.

    """
    asked = PoolDedupOptions(**options)
    if not is_pool(pool) and Path(pool).is_file():
        _dedup_file(pool, out, asked, quality, progress=progress, overwrite=overwrite)
        return
    if quality is not None:
        raise ValueError("quality: a pool has its own; leave it out, or pass a .npy file of embeddings")
    with DedupJob(pool, asked, out) as job:
        if dry_run:
            found = job.estimate()
            print(f"{found['rows']:,} rows, {found['pairs']:,} pairs to compare or rule out")
            return
        print(told_duplicates(job.run_phases(progress=progress, overwrite=overwrite), job.path))


def _dedup_file(
    file: str,
    out: str | None,
    asked: PoolDedupOptions,
    quality: str | None,
    *,
    progress: bool,
    overwrite: bool,
) -> None:
    if out is None:
        raise ValueError("out: got none for a file of embeddings; pass a directory for the groups")
    if EMBEDDING not in asked.by:
        raise ValueError(f"by: got {asked.by} for a file of embeddings, which has no texts; pass a pool")
    check_writable(Path(out))
    if (Path(out) / MANIFEST).exists() and not overwrite:
        raise ValueError(f"out: {out} holds groups already; pass --overwrite or another directory")
    options = vars(asked.only(DedupOptions))
    found = dedup(file, quality=quality, checkpoint=Path(out) / "partial", progress=progress, **options)
    found.save(out)
    rmtree(Path(out) / "partial")
    print(told_duplicates(found, Path(out)))


def decontaminate_command(
    pool: str,
    out: str | None = None,
    *,
    progress: bool = True,
    overwrite: bool = False,
    **options: Any,
) -> None:
    """Find rows that evaluation sets have too, and write a pool without them.

    Args:
        pool: Pool directory, which stays as it is.
        out: Directory for a pool of the rows that stay, with their embeddings and scores, and for the
            evidence; null for the evidence alone, in the pool's folder "decontaminate".
        progress: Show a progress bar on stderr (--no-progress: do not).
        overwrite: Replace what another run wrote there.
        options: Those of `DecontaminateOptions`.

    """
    with DecontaminateJob(pool, DecontaminateOptions(**options), out) as job:
        print(told_contamination(job.run_phases(progress=progress, overwrite=overwrite), job.path))
