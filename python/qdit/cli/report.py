"""What ``qdit report`` does."""

from __future__ import annotations

from ..reporting.reporter import report


def report_command(
    directory: str,
    *,
    pool: str | None = None,
    out: str | None = None,
    sweep: str | None = None,
    title: str | None = None,
    sample: int = 20_000,
    random_seeds: int = 5,
    near: float = 0.95,
    verbs: bool = True,
    seed: int = 0,
    quality: str | None = None,
    given: str | None = None,
    threads: int | None = None,
    progress: bool = True,
) -> None:
    """Write a page that shows what a selection took, what it left out and how good it is.

    Args:
        directory: A selection, an export or a run.
        pool: Pool directory; null for the one that the selection names.
        out: Directory for report.html and the figures; null for the folder report in directory.
        sweep: Folder of a sweep to show the trade-off of; null looks beside the selection.
        title: Title of the page.
        sample: Rows of the pool that map, curves and worst regions are worked out on.
        random_seeds: Random selections to compare with.
        near: Similarity from which two picks count as nearly the same.
        verbs: Parse instructions for verbs and nouns, if spaCy is installed (--no-verbs: do not).
        seed: Seed of the sample and of the random selections.
        quality: .npy file of the scores the selection was made with, if not the pool's own.
        given: .npy file of rows that were given to select.
        threads: Number of threads; null for all processors.
        progress: Show progress bars on stderr (--no-progress: do not).

    """
    path = report(
        directory,
        pool=pool,
        out=out,
        sweep=sweep,
        title=title,
        sample=sample,
        random_seeds=random_seeds,
        near=near,
        verbs=verbs,
        seed=seed,
        quality=quality,
        given=given,
        threads=threads,
        progress=progress,
    )
    print(f"report  {path}")
