"""What the command line prints about scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..common.text import format_seconds
from .job import QUALITY, Scores


def describe_estimates(estimates: Sequence[Mapping[str, Any]]) -> str:
    """Return a table of what `ScoreJob.estimate` says."""
    lines = []
    for one in estimates:
        lines.append(f"{one['by']:<17} {one['left']:,} of {one['rows']:,} rows to score")
        if "prompt_tokens" in one:
            lines[-1] = f"{one['by']:<17} {one['left']:,} requests for {one['rows']:,} rows"
            lines.append(f"  prompt tokens   about {one['prompt_tokens']:,} (4 bytes a token)")
            most = one["completion_tokens_at_most"]
            lines.append(f"  answer tokens   {'no limit is set' if most is None else f'at most {most:,}'}")
            lines.append(
                f"  cost            about {one['cost_at_most']:,.2f} at most"
                if "cost_at_most" in one
                else "  cost            pass --price-in and --price-out, per million tokens"
            )
    return "\n".join(lines)


def describe_scores(scores: Scores, directory: Path) -> str:
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
    lines.append(f"{'saved':<17} {directory / QUALITY}")
    return "\n".join(lines)


def _notes(one: Mapping[str, Any]) -> list[str]:
    notes = []
    for name, text in (("failed", "requests failed"), ("unparsable", "answers without a rating")):
        if one.get(name):
            notes.append(f"  {one[name]:,} {text}")
    if one.get("truncated"):
        notes.append(f"  {one['truncated']:,} rows were cut to the longest that the model takes")
    if "prompt_tokens" in one:
        notes.append(f"  {one['prompt_tokens']:,} prompt tokens, {one['completion_tokens']:,} answer tokens")
    return notes
