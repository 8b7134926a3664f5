"""`qdit measure`."""

import math
from pathlib import Path
from typing import Any

from ..common import files
from ..common.files import check_writable
from ..engine.rows import open_embeddings
from ..measuring.api import MEASURES, Measured, Reading, measure_sets
from ..measuring.options import MeasureOptions
from ..selection.pool import is_pool
from .words import parse_shape

RESULT = "measures.json"


def measure_command(
    embeddings: str,
    sets: str | list[str] | dict[str, str],
    out: str | None = None,
    *,
    shape: str | list[int] | None = None,
    dtype: str | None = None,
    progress: bool = True,
    **options: Any,
) -> None:
    """Measure any sets of rows beside their pool, and beside random sets of the same size.

    Args:
        embeddings: Pool directory, or .npy file of (n, d) embeddings.
        sets: Selections or .npy files of row numbers, such as chosen or old=old.npy,new=chosen.
        out: Directory for measures.json.
        shape: Shape n,d of a raw file; n may be -1.
        dtype: Dtype of a raw file, or bfloat16.
        progress: Show a progress bar on stderr (--no-progress: do not).
        options: Those of `MeasureOptions`.

    """
    asked = MeasureOptions(**options)
    if out is not None:
        check_writable(Path(out))
    source: Any = embeddings
    if not is_pool(embeddings):
        source = open_embeddings(embeddings, shape=parse_shape(shape), dtype=dtype)
    found = measure_sets(source, sets, asked, progress)
    for label, one in found.items():
        print(
            f"{label}: {one.rows:,} rows, beside {asked.random_sets} random sets of as many\n{table(one)}\n"
        )
    if out is not None:
        Path(out).mkdir(parents=True, exist_ok=True)
        settings = {name: getattr(asked, name) for name in MeasureOptions.names() if name != "quality"}
        record = {"format": "qdit-measures", "format_version": 1, "settings": settings, "measures": MEASURES}
        sets_found = {label: one.json() for label, one in found.items()}
        files.write_json(Path(out) / RESULT, {**record, "sets": sets_found})
        print(f"saved  {Path(out) / RESULT}")


def table(measured: Measured) -> str:
    """Return the numbers of a set as lines."""
    lines = [f"{'':<18}{'set':>12}{'random':>12}   one more random set"]
    for name, one in measured.readings.items():
        lines.append(f"{name:<18}{_number(one.value):>12}{_number(one.mean):>12}   {_interval(one)}".rstrip())
    return "\n".join(lines)


def _interval(one: Reading) -> str:
    return "" if math.isnan(one.low) else f"{_number(one.low)} to {_number(one.high)}"


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:,.6g}"
