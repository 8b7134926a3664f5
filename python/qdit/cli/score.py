"""What ``qdit score`` does."""

from pathlib import Path
from typing import Any

from ..common.text import format_seconds
from ..common.types import JSON
from ..scoring.job import ScoreJob, Scores
from ..scoring.options import ScoreOptions
from .tables import describe_estimates


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
            print(_describe(job.run(progress=progress, overwrite=overwrite), job.path))


def _describe(scores: Scores, saved: Path) -> str:
    """Return a table of what was scored."""
    value = scores.manifest
    lines = []
    for one, scorer in zip(value["results"], value["scorers"], strict=True):
        numbers = f", {one['min']:.4g} to {one['max']:.4g}, mean {one['mean']:.4g}" if "mean" in one else ""
        lines.append(f"{one['by']:<17} {scorer['kind']}, {one['rows'] - one['null']:,} rows{numbers}")
        lines += _notes(one)
    filled = value["filled"]
    if filled["filled"]:
        score = f"the {filled['policy']}, {filled['value']:.4g}"
        lines.append(f"{'filled':<17} {filled['filled']:,} rows without a score get {score}")
    lines.append(f"{'time':<17} {format_seconds(value['seconds'])}")
    lines.append(f"{'saved':<17} {saved}")
    return "\n".join(lines)


def _notes(one: JSON) -> list[str]:
    notes = []
    if one.get("failed"):
        notes.append(f"  {one['failed']:,} requests failed")
    why = one.get("unparsable_why", {"without a rating": one.get("unparsable", 0)})
    notes += [f"  {count:,} answers {text}" for text, count in why.items() if count]
    if one.get("left_out"):
        notes.append(f"  asked without {' and '.join(one['left_out'])}, which the endpoint refuses")
    if one.get("truncated"):
        notes.append(f"  {one['truncated']:,} rows were cut to the longest that the model takes")
    if "prompt_tokens" in one:
        notes.append(f"  {one['prompt_tokens']:,} prompt tokens, {one['completion_tokens']:,} answer tokens")
    return notes
