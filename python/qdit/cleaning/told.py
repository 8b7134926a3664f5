"""What cleaning did, in words: for the command line, data set cards and reports."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..common import files
from ..common.types import JSON, Indices
from ..records.pool import Pool
from ..records.subset import steps
from .contaminated import Contamination, DecontaminateJob
from .deduping import DedupJob
from .duplicates import Duplicates
from .job import CleaningJob

_WAYS = {
    "text": "by equal text",
    "embedding": "by embedding",
    "minhash": "by MinHash",
    "ngram": "by words in a row",
}


_NAMED: dict[type[CleaningJob[Any]], str] = {
    DedupJob: "dropped",
    DecontaminateJob: "flagged",
}  # arrays of rows that are named, and still there


def cleaning_of(pool: Pool, chosen: Indices) -> dict[str, str]:
    """Return what was done to a pool, by name: steps by which rows left it, then those that only named rows.

    chosen: rows of it; how many of the named ones are among them is said.
    """
    found: dict[str, str] = {}
    for step in steps(pool):
        _add(found, step, "")
    for job, name in _NAMED.items():
        manifest = pool.directory / job.verb / f"{job.verb}.json"
        if not manifest.is_file():
            continue
        record = files.read_json(manifest, job.format, shape=job.shape)
        if record["settings"].get("records") == pool.records.sha256:
            rows = np.load(manifest.with_name(f"{name}.npy"), allow_pickle=False)
            _add(found, record["step"], f"; {int(np.isin(rows, chosen).sum()):,} of them are chosen")
    return found


def _add(found: dict[str, str], step: JSON, more: str) -> None:
    name, text = told_step(step)
    again = sum(other.startswith(name) for other in found)
    found[name + (f" ({again + 1})" if again else "")] = text + more


def told_step(step: JSON) -> tuple[str, str]:
    """Return the name of a step and what it did, for a table."""
    rows, gone = step["rows"], step["rows"] - step["kept"]
    left = "left out" if step["dropped"] else "named, and still there"
    ways = ", ".join(f"{count:,} {_WAYS[name]}" for name, count in step["by"].items())
    if step["verb"] == DedupJob.verb:
        how = f"similarity {step['threshold']:g} or more, kept: {step['keep']}"
        return "duplicates", f"{gone:,} of {rows:,} rows {left}: {ways} ({how})"
    sets = ", ".join(f"{one['set']} ({one['rows']:,} rows)" for one in step["against"])
    how = f"{step['ngram']} words, similarity {step['threshold']:g} or more"
    return "decontamination", f"{gone:,} of {rows:,} rows {left}: {ways} ({how}), against {sets}"


def told_duplicates(found: Duplicates, where: Path | None) -> str:
    """Return what `dedup` found, as a few lines."""
    groups = found.groups
    lines = [
        f"{len(found.kept):,} of {found.n:,} rows stay, {len(found.dropped):,} go in {len(groups):,} groups"
    ]
    for name in dict.fromkeys(found.by.tolist()):
        mine = found.by == name
        lowest = "" if name == "text" else f", similarity {found.similarity[mine].min():.4f} or more"
        lines.append(f"{int(mine.sum()):>12,} {_WAYS[name]}{lowest}")
    if groups:
        lines.append(f"{max(map(len, groups)):>12,} rows in the largest group")
    lines.append(f"{len(found.pairs):>12,} pairs of similar rows")
    return "\n".join([*lines, *([f"in {where}"] if where is not None else [])])


def told_contamination(found: Contamination, where: Path | None) -> str:
    """Return what `decontaminate` found, as a few lines."""
    step = found.step
    lines = [f"{len(found.flagged):,} of {step['rows']:,} rows are in an evaluation set"]
    lines += [f"{count:>12,} {_WAYS[name]}" for name, count in step["by"].items()]
    for one in step["against"]:
        sought = f"{one['found']:,} of {one['rows']:,} evaluation rows found"
        lines.append(f"{one['set']}: {sought}, in {one['in_rows']:,} rows")
    if step["indistinct"]:
        lines.append(
            f"{step['indistinct']:,} evaluation rows have no words of their own: not looked for by words"
        )
    return "\n".join([*lines, *([f"in {where}"] if where is not None else [])])
