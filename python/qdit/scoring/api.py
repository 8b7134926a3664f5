"""`qdit.score`: a number for the quality of every row of a pool."""

from collections.abc import Iterable
from typing import Any

from ..common.progress import RowProgressLike
from ..records.pool import PoolLike
from .job import ScoreJob, Scores
from .options import ScoreOptions


def score(
    pool: PoolLike,
    by: str | Iterable[str] = "reward",
    *,
    progress: RowProgressLike = None,
    overwrite: bool = False,
    **options: Any,
) -> Scores:
    """Give every row of a pool a quality score; write quality.npy and quality.json into the pool.

    A repeated call goes on where an interrupted one stopped, and returns what is there where nothing changed.

    Args:
        pool: pool directory, or a `qdit.Pool`.
        by: what scores: "reward" (a reward model), "alpagasus", "deita-complexity" or "deita-quality" (a
            language model as judge), "column" (a numeric column of the rows), or the heuristics
            "response-words", "response-chars", "lm-loss" and "lm-likelihood". Several, as a list or "a,b",
            are combined; "deita" stands for complexity and quality.
        progress: None or False for nothing, True for a bar on stderr, or a callable that takes a
            `qdit.records.RowProgress`.
        overwrite: replace other scores of the pool.
        options: those of `ScoreOptions`.

    Returns:
        Scores, (n,) float64, and the manifest.

    Raises:
        ValueError: wrong options or rows, or the pool holds other scores.
        FileNotFoundError: no pool there.
        ImportError: a package that the scorer needs is not installed.
        MissingScoresError: rows without a score, by policy "error"; all other scores are kept.
        EndpointError: the judge's endpoint refuses, or fails again and again; all answers so far are kept.

    """
    with prepare(pool, by, **options) as job:
        return job.run(progress=progress, overwrite=overwrite)


def prepare(pool: PoolLike, by: str | Iterable[str] = "reward", **options: Any) -> ScoreJob:
    """Check every argument and return a job to run or estimate; arguments are those of `score`."""
    return ScoreJob(pool, by, ScoreOptions.of("score", options))
