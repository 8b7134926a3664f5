"""What ``qdit export``, ``qdit explain`` and ``qdit verify`` do."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

from ..common.files import read_json
from ..common.text import format_table
from ..exporting.choice import EXPORT_FORMAT
from ..exporting.explainer import Explanation, explain
from ..exporting.exporter import export
from ..exporting.verifier import verify
from ..records import Row
from ..selection.selection import MANIFEST

_WIDTH = 100
_FILES: Any = {"subsequent_indent": " " * 10, "break_on_hyphens": False}
_TEXT = 600  # characters of a row that are shown


def export_command(
    selection: str,
    out: str,
    *,
    pool: str | None = None,
    format: str | list[str] = "jsonl",
    columns: bool = False,
    decisions: str = "auto",
    final_gains: str = "auto",
    name: str | None = None,
    license: str | None = None,
    push_to_hub: str | None = None,
    private: bool = True,
    quality: str | None = None,
    given: str | None = None,
    threads: int | None = None,
    progress: bool = True,
    overwrite: bool = False,
) -> None:
    """Write the chosen rows, unchanged and in pick order, with the evidence.

    Args:
        selection: Directory of a selection.
        out: Directory for the export.
        pool: Pool directory; null for the one that the selection names.
        format: jsonl, json, parquet or hf, or several such as jsonl,parquet.
        columns: Add qdit_rank, qdit_gain and qdit_quality to every row.
        decisions: Why each row of the pool was kept or not: parquet, jsonl, auto or none.
        final_gains: What each row would add at the end: all, none, or auto (all up to 100,000 rows).
        name: Name of the data set; null for the name of out.
        license: License identifier for the card, such as cc-by-nc-4.0.
        push_to_hub: Repository such as user/dataset to upload to; the token is that of HF_TOKEN or hf auth.
        private: Make a new repository private (--no-private: public).
        quality: .npy file of the scores the selection was made with, if not the pool's own.
        given: .npy file of rows that were given to select.
        threads: Number of threads; null for all processors.
        progress: Show progress bars on stderr (--no-progress: do not).
        overwrite: Replace an export in out.

    """
    path = export(
        selection,
        out,
        pool=pool,
        format=format,
        columns=columns,
        decisions=decisions,
        final_gains=final_gains,
        name=name,
        license=license,
        push_to_hub=push_to_hub,
        private=private,
        quality=quality,
        given=given,
        threads=threads,
        overwrite=overwrite,
        progress=progress,
    )
    record = read_json(path / MANIFEST, EXPORT_FORMAT)
    files = [name for name in record["files"] if "/" not in name]
    rows = {
        "exported": f"{record['rows']:,} of {record['records']['n']:,} rows, in pick order",
        "files": textwrap.fill(", ".join([*files, "selection/"]), _WIDTH, **_FILES),
        "seconds": f"{record['seconds']:.1f}",
        "saved": str(path),
    }
    if push_to_hub is not None:
        rows["pushed"] = push_to_hub
    print(format_table(rows))


def explain_command(
    row: str,
    selection: str,
    *,
    pool: str | None = None,
    quality: str | None = None,
    given: str | None = None,
    threads: int | None = None,
) -> None:
    """Say why a row of the pool was chosen, or why not.

    Args:
        row: Row number in the pool, or an id; id:7 is the id 7.
        selection: Directory of a selection or an export.
        pool: Pool directory; null for the one that the selection names.
        quality: .npy file of the scores the selection was made with, if not the pool's own.
        given: .npy file of rows that were given to select.
        threads: Number of threads; null for all processors.

    """
    found = explain(row, selection, pool=pool, quality=quality, given=given, threads=threads)
    print(format_explanation(found))


def verify_command(
    directory: str,
    *,
    pool: str | None = None,
    steps: int = 20,
    candidates: int = 4096,
    tolerance: float = 1e-6,
    seed: int = 0,
    quality: str | None = None,
    given: str | None = None,
    threads: int | None = None,
    progress: bool = True,
) -> None:
    """Check the hashes of an export or a selection, and replay its picks.

    Args:
        directory: An export or a selection.
        pool: Pool directory; null for the one that the selection names.
        steps: Picks to compare with other candidates; 0 for none.
        candidates: Rows evaluated at each of them.
        tolerance: By what part of its score a pick may be beaten.
        seed: Of the sampled picks and candidates.
        quality: .npy file of the scores the selection was made with, if not the pool's own.
        given: .npy file of rows that were given to select.
        threads: Number of threads; null for all processors.
        progress: Show progress bars on stderr (--no-progress: do not).

    """
    found = verify(
        directory,
        pool=pool,
        steps=steps,
        candidates=candidates,
        tolerance=tolerance,
        seed=seed,
        quality=quality,
        given=given,
        threads=threads,
        progress=progress,
    )
    width = max(len(check.name) for check in found.checks)
    for check in found.checks:
        print(f"{check.status:<12} {check.name:<{width}}  {check.detail}")
    if not found.ok:
        first = found.failures[0]
        raise RuntimeError(f"verify: {Path(directory)} failed: {first.name}: {first.detail}")


def format_explanation(found: Explanation) -> str:
    """Return an explanation as text."""
    rows = {
        "row": f"{found.row.index} (id {found.row.id}, source {found.row.source})",
        "status": found.status,
    }
    for name in ("rank", "gain", "score", "quality", "final_gain", "final_score", "last_score"):
        value = getattr(found, name)
        if value is not None:
            rows[name.replace("_", " ")] = f"{value:,}" if isinstance(value, int) else f"{value:.6g}"
    parts = [format_table(rows), textwrap.fill(found.reason, _WIDTH), _text_of(found.row)]
    for near in found.nearest:
        head = f"similarity {near.similarity:.4f} to row {near.row.index}, pick {near.rank:,}:"
        parts.append(f"{head}\n{_text_of(near.row)}")
    return "\n\n".join(parts)


def _text_of(row: Row) -> str:
    text = "\n".join(f"{role}: {said}" for role, said in row.turns)
    text = "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text)
    text = text if len(text) <= _TEXT else text[: _TEXT - 3] + "..."
    return textwrap.indent(text, "  | ")
