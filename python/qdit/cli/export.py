"""What ``qdit export``, ``qdit explain`` and ``qdit verify`` do."""

import textwrap
from pathlib import Path
from typing import Any

from ..common.text import format_table, printable, shorten
from ..exporting.choice import ChoiceOptions, open_choice, read_export
from ..exporting.explainer import Explanation, explain_choice, find_row
from ..exporting.exporter import ExportOptions, write_export
from ..exporting.forms import remarks
from ..exporting.replay import VerifyOptions
from ..exporting.verifier import check_directory
from ..records import Row

_WIDTH = 100
_TEXT = 600  # characters of a row that are shown


def export_command(
    selection: str, out: str, *, progress: bool = True, overwrite: bool = False, **options: Any
) -> None:
    """Write the chosen rows, unchanged and in pick order, with the evidence.

    Args:
        selection: Directory of a selection.
        out: Directory for the export.
        progress: Show progress bars on stderr (--no-progress: do not).
        overwrite: Replace an export in out.
        **options: Those of `ExportOptions`.

    """
    asked = ExportOptions(**options)
    path = write_export(selection, out, asked, overwrite, progress)
    record = read_export(path)
    files = [name for name in record["files"] if "/" not in name]
    rows = {
        "exported": f"{record['rows']:,} of {record['records']['n']:,} rows, in pick order",
        "files": ", ".join([*files, "selection/"]),
        "seconds": f"{record['seconds']:.1f}",
        "saved": str(path),
    }
    told = remarks(record["trainers"])
    rows |= told
    if asked.push_to_hub is not None:
        rows["pushed"] = asked.push_to_hub
    indent = " " * (max(map(len, rows)) + 2)
    for name in ("files", *told):
        rows[name] = textwrap.fill(rows[name], _WIDTH, subsequent_indent=indent, break_on_hyphens=False)
    print(format_table(rows))


def explain_command(row: str, selection: str, **options: Any) -> None:
    """Say why a row of the pool was chosen, or why not.

    Args:
        row: Row number in the pool, or an id; id:7 is the id 7.
        selection: Directory of a selection or an export.
        **options: Those of `ChoiceOptions`.

    """
    asked = ChoiceOptions(**options)
    with open_choice(selection, asked) as choice:
        print(format_explanation(explain_choice(choice, find_row(choice.pool.records, row))))


def verify_command(directory: str, *, progress: bool = True, **options: Any) -> None:
    """Check the hashes of an export or a selection, and replay its picks.

    Args:
        directory: An export or a selection.
        progress: Show progress bars on stderr (--no-progress: do not).
        **options: Those of `VerifyOptions`.

    """
    found = check_directory(directory, VerifyOptions(**options), progress)
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
    return textwrap.indent(shorten(printable(text), _TEXT), "  | ")
