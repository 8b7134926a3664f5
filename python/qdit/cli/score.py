"""What ``qdit score`` does."""

from __future__ import annotations

from typing import Any

from ..scoring.describe import describe_estimates, describe_scores
from ..scoring.job import ScoreJob
from ..scoring.options import ScoreOptions


def score_command(
    pool: str,
    by: str | list[str] = "reward",
    *,
    progress: bool = True,
    dry_run: bool = False,
    overwrite: bool = False,
    **options: Any,
) -> None:
    """Give every row of a pool a quality score.

    Args:
        pool: Pool directory. quality.npy and quality.json are written there; its folder "scoring" keeps what
            a repeated command goes on from.
        by: reward, alpagasus, deita-complexity, deita-quality (language model as judge), column, or the
            heuristics response-words, response-chars, lm-loss, lm-likelihood. Several, as a,b, are combined;
            deita is complexity times quality.
        progress: Show a progress bar on stderr (--no-progress: do not).
        dry_run: Print rows, requests, tokens and cost that the run would take, and stop.
        overwrite: Replace other scores of the pool.
        options: Of the scorers.

    """
    with ScoreJob(pool, by, ScoreOptions(**options)) as job:
        if dry_run:
            print(describe_estimates(job.estimate()))
        else:
            print(describe_scores(job.run(progress=progress, overwrite=overwrite), job.directory))
