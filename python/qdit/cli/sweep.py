"""`qdit sweep`."""

import shutil
import time
from pathlib import Path
from typing import Any

from ..common.text import parse_numbers
from ..selection.api import run_sweep
from ..selection.tables import alpha_folder, format_sweep, save_sweep
from .select import CHECKPOINT, SourceOptions, check_new, open_source


def sweep_command(
    embeddings: str,
    alpha: str | float | list[float] = "0.1,0.3,0.5,0.7,0.9",
    out: str | None = None,
    *,
    progress: bool = True,
    overwrite: bool = False,
    **options: Any,
) -> None:
    """Choose rows for several values of alpha, one folder each, and a table of what they give.

    Args:
        embeddings: Pool directory, or .npy file of (n, d) float16, bfloat16, float32 or float64; raw with
            --shape and --dtype.
        alpha: Values from 0 (diversity only) to 1 (quality only), such as 0.1,0.5,0.9.
        out: Directory for a folder such as alpha-0.5 for each value, and sweep.csv.
        progress: Show progress bars on stderr (--no-progress: do not).
        overwrite: Replace selections that are there already.
        **options: Those of `SourceOptions`.

    """
    start, alphas = time.perf_counter(), parse_numbers("alpha", alpha, float)
    asked = SourceOptions(alpha=alphas[0], **options)
    folder = None if out is None else Path(out)
    if folder is not None:
        check_new([folder / alpha_folder(value) for value in alphas], overwrite)
    rows, chosen = open_source(embeddings, asked, alphas, progress)
    checkpoint = None if folder is None else folder / CHECKPOINT
    selections = run_sweep(rows, chosen, alphas, start, checkpoint=checkpoint, progress=progress)
    if folder is not None:
        save_sweep(selections, folder)
        shutil.rmtree(folder / CHECKPOINT)
    print(format_sweep(selections))
