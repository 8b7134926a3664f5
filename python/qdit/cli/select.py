"""`qdit select`."""

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from ..common.files import check_writable
from ..common.identity import OtherRunError
from ..engine.rows import Rows, open_embeddings
from ..selection.api import run_job
from ..selection.options import SelectOptions
from ..selection.pool import PoolOptions, PoolSelectOptions, is_pool, open_pool
from ..selection.run import prepare
from ..selection.selection import MANIFEST, Selection
from .select_ray import refuse, select_by_ray
from .tables import describe_estimate, describe_selection
from .words import parse_shape

CHECKPOINT = "checkpoint"  # the folder in --out that keeps an unfinished run


@dataclass(frozen=True, kw_only=True)
class SourceOptions(PoolSelectOptions):
    """The options of the commands that choose, from a pool or a file.

    Attributes:
        shape: Shape n,d of a raw file; n may be -1.
        dtype: Dtype of a raw file; bfloat16 also reads a .npy file of 2-byte items as bfloat16.

    """

    shape: str | list[int] | None = None
    dtype: str | None = None


def select_command(
    embeddings: str,
    out: str | None = None,
    *,
    checkpoint: str | None = None,
    ray: str | None = None,
    actors: int | None = None,
    progress: bool = True,
    dry_run: bool = False,
    overwrite: bool = False,
    **options: Any,
) -> None:
    """Choose rows of an embedding file that are both good and diverse.

    Args:
        embeddings: Pool directory, or .npy file of (n, d) float16, bfloat16, float32 or float64; raw with
            --shape and --dtype.
        out: Directory for the result. An unfinished run is kept in its folder "checkpoint" and goes on
            when the command is repeated.
        checkpoint: Directory that keeps an unfinished run, instead of the one in --out; it stays when done.
        ray: Select by Ray actors: local, auto, or the address of a cluster. Embeddings are one .npy file, or
            a folder with a .npy or .parquet file for each actor; methods auto, exact, lazy, sparse, quality.
        actors: How many actors share one file; null for the CPUs of the cluster.
        progress: Show progress bars on stderr (--no-progress: do not).
        dry_run: Print memory and time that the run would take, and stop.
        overwrite: Replace the selection in --out, or an unfinished run of other options there.
        **options: Those of `SourceOptions`.

    """
    start = time.perf_counter()
    asked = SourceOptions(**options)
    run: Callable[..., Selection]
    if ray is not None:
        refuse("dry_run", dry_run, False)
        run = partial(select_by_ray, embeddings, asked, ray, actors)
    elif actors is not None:
        raise ValueError(f"actors: got {actors} without ray; pass --ray local or an address")
    else:
        rows, chosen = open_source(embeddings, asked, [asked.alpha], progress)
        job = prepare(rows, chosen)
        if dry_run:
            print(describe_estimate(job))
            return
        run = partial(run_job, job, start)
    if out is not None:
        check_new([Path(out)], overwrite)
    own = None if out is None or checkpoint is not None else Path(out) / CHECKPOINT
    run = partial(run, checkpoint=own or checkpoint, progress=progress)
    try:
        selection = run()
    except OtherRunError:
        if own is None or not overwrite:
            raise
        shutil.rmtree(own)
        selection = run()
    if out is not None:
        selection.save(out)
    if own is not None:
        shutil.rmtree(own)
    print(describe_selection(selection, out))


def open_source(
    embeddings: str, asked: SourceOptions, alphas: Sequence[float], progress: bool
) -> tuple[Rows, SelectOptions]:
    """Open a pool directory or an embedding file; return its rows and the options with what it knows."""
    if is_pool(embeddings):
        if asked.represent is not None:
            from ..evaluation.coverage.represented import represented

            asked = replace(asked, represent=represented(embeddings, asked.represent, progress))
        return open_pool(embeddings, asked, alphas, progress)
    for name in PoolOptions.names():
        if getattr(asked, name) is not None:
            raise ValueError(
                f"{name}: got {getattr(asked, name)!r} for {embeddings}, which is no pool directory; use "
                "groups with quota, or costs with budget"
            )
    if Path(embeddings).is_dir():
        raise ValueError(
            f"embeddings: {embeddings} is a folder without records.json, so no pool; make one with: "
            "qdit import"
        )
    rows = open_embeddings(embeddings, shape=parse_shape(asked.shape), dtype=asked.dtype)
    return rows, asked.only(SelectOptions)


def check_new(folders: list[Path], overwrite: bool) -> None:
    """Raise an error for a folder that cannot be written, or holds a selection that is to stay."""
    for folder in folders:
        check_writable(folder)
        if (folder / MANIFEST).exists() and not overwrite:
            raise ValueError(
                f"out: {folder} holds a selection already; pass --overwrite or another directory"
            )
