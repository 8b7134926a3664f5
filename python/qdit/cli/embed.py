"""What ``qdit embed`` does."""

from typing import Any

from ..common.text import format_seconds
from ..embedding.job import Embeddings, EmbedJob, notes
from ..embedding.options import EmbedOptions


def embed_command(
    pool: str, *, progress: bool = True, dry_run: bool = False, overwrite: bool = False, **options: Any
) -> None:
    """Embed the text of every row of a pool.

    Args:
        pool: Pool directory. embeddings.npy and embeddings.json are written there; its folder
            "embeddings.partial" keeps what a repeated command goes on from.
        progress: Show a progress bar on stderr (--no-progress: do not).
        dry_run: Print rows and tokens that the run would take, and stop.
        overwrite: Replace embeddings that were made with other options.
        options: Those of `EmbedOptions`.

    """
    with EmbedJob(pool, EmbedOptions(**options)) as job:
        if dry_run:
            print(describe_estimate(job))
        else:
            print(describe_embeddings(job.run(progress=progress, overwrite=overwrite), job))


def describe_estimate(job: EmbedJob) -> str:
    """Return what a run would do, as one line."""
    found = job.estimate()
    return (
        f"{found['left']:,} of {found['rows']:,} rows left to embed with {job.options.model}, about "
        f"{found['characters']:,} characters or {found['tokens']:,} tokens"
    )


def describe_embeddings(made: Embeddings, job: EmbedJob) -> str:
    """Return what was made, as a few lines."""
    found, rows = made.manifest, made.rows
    name = found["model"]["name"]
    exact = found["model"].get("commit") or found["model"].get("sha256")
    lines = [
        f"{rows.n:,} x {rows.d} {rows.dtype} in {job.path}",
        f"model    {name}" + (f" ({exact[:12]})" if exact else ""),
        f"text     {found['settings']['template']}",
        f"time     {format_seconds(found['seconds'])}",
    ]
    if "stand_in" in found["model"]:
        lines.append(f"note     {found['model']['stand_in']}")
    lines += [f"note     {line}" for line in notes(found)]
    return "\n".join(lines)
