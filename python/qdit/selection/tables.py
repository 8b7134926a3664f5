"""What selections reached, as text, and the folders of a sweep."""

from collections.abc import Mapping
from pathlib import Path

from ..common.files import write_atomic
from .selection import Selection

SWEEP = "sweep.csv"


def format_values(selection: Selection) -> dict[str, str]:
    """Return coverage, mean quality (if any) and objective as text."""
    values = {"coverage": selection.coverage, "mean quality": selection.mean_quality}
    values["objective"] = selection.objective
    return {name: f"{value:.6f}" for name, value in values.items() if value is not None}


def covered(selection: Selection) -> str:
    """Return what coverage is a mean over, in words."""
    params = selection.params
    rows = int(params.get("represented_rows", params["n"]))
    named = f"{rows:,} represented rows" if "represented_rows" in params else "all rows"
    return named + (", weighted" if params.get("total_weight", rows) != rows else "")


def is_of_pool(selection: Selection) -> bool:
    """Return whether coverage is a mean over all rows of the pool."""
    return "total_weight" not in selection.params


def format_sweep(selections: Mapping[float, Selection]) -> str:
    """Return a table of what each alpha gives."""
    lines = ["alpha   coverage   mean quality        objective"]
    for alpha, chosen in selections.items():
        quality = "-" if chosen.mean_quality is None else f"{chosen.mean_quality:.6f}"
        lines.append(f"{alpha:<5g}{chosen.coverage:>11.6f}{quality:>15}{chosen.objective:>17.6f}")
    return "\n".join(lines)


def sweep_csv(selections: Mapping[float, Selection]) -> str:
    """Return the table as CSV, numbers with all their digits."""
    lines = ["alpha,coverage,mean_quality,objective"]
    for alpha, chosen in selections.items():
        quality = "" if chosen.mean_quality is None else repr(chosen.mean_quality)
        lines.append(f"{alpha!r},{chosen.coverage!r},{quality},{chosen.objective!r}")
    return "\n".join(lines) + "\n"


def alpha_folder(alpha: float) -> str:
    """Return the name of the folder of one alpha."""
    return f"alpha-{float(alpha)!r}"


def save_sweep(selections: Mapping[float, Selection], directory: Path) -> None:
    """Write a folder for each alpha, and then sweep.csv."""
    for alpha, selection in selections.items():
        selection.save(directory / alpha_folder(alpha))
    write_atomic(directory / SWEEP, [sweep_csv(selections).encode()])
