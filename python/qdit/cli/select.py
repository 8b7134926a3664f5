"""`qdit select`."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

from ..common.identity import OtherRunError
from ..engine.rows import open_embeddings
from ..selection.api import run_job
from ..selection.pool import PoolInputs, is_pool, pool_inputs
from ..selection.run import Job, prepare
from ..selection.selection import MANIFEST, Selection
from .select_ray import select_by_ray
from .tables import describe_estimate, describe_selection
from .words import parse_shape

CHECKPOINT = "checkpoint"  # the folder in --out that keeps an unfinished run


def select_command(
    embeddings: str,
    quality: str | None = None,
    alpha: float = 0.7,
    k: int | float | None = None,
    out: str | None = None,
    *,
    method: str = "auto",
    backend: str = "auto",
    metric: str = "cosine",
    floor: float | None = None,
    gain_scale: str = "sum",
    quality_scale: str = "raw",
    given: str | None = None,
    epsilon: float = 0.01,
    seed: int = 0,
    threads: int | None = None,
    memory_budget: int | str | None = None,
    zero_rows: str = "error",
    costs: str | None = None,
    budget: float | None = None,
    groups: str | None = None,
    quota: int | dict[str, int] | None = None,
    quota_mode: str = "at_most",
    per_source: int | dict[str, int] | None = None,
    budget_tokens: float | None = None,
    tokenizer: str | None = None,
    tau: float = 0.5,
    shortfall: str = "fill",
    clusters: int = 100,
    device: int = 0,
    precision: str = "auto",
    checkpoint: str | None = None,
    ray: str | None = None,
    actors: int | None = None,
    shape: str | list[int] | None = None,
    dtype: str | None = None,
    progress: bool = True,
    dry_run: bool = False,
    overwrite: bool = False,
) -> None:
    """Choose rows of an embedding file that are both good and diverse.

    Args:
        embeddings: Pool directory, or .npy file of (n, d) float16, bfloat16, float32 or float64; raw with
            --shape and --dtype.
        quality: .npy file of n scores, larger is better; null for the pool's own. Needed unless alpha is 0.
        alpha: From 0 (diversity only) to 1 (quality only).
        k: Number of rows, or a fraction of them such as 0.05; null for 10000, or for what budget or exact
            quotas allow.
        out: Directory for the result. An unfinished run is kept in its folder "checkpoint" and goes on
            when the command is repeated.
        method: auto (exact where it fits, sparse above 250000 rows), exact, lazy, naive, sparse, stochastic,
            quality, random, threshold or cluster.
        backend: auto (cuda where there is a device, else cpu), cpu, cuda or reference.
        metric: cosine or dot.
        floor: Similarity that every row starts with; null for none.
        gain_scale: sum or per_k (gain times k / n).
        quality_scale: raw, minmax, zscore or rank.
        given: .npy file of row numbers, or of rows outside the pool, that are already chosen.
        epsilon: What method stochastic may lose, between 0 and 1.
        seed: Seed of methods stochastic, sparse, random and cluster.
        threads: Number of threads; null for all processors.
        memory_budget: Memory beside the embeddings, such as 512MB or 2GiB.
        zero_rows: error, or ignore to leave rows of zeros out.
        costs: .npy file of what each row costs, such as tokens.
        budget: What the costs of the chosen rows may add up to.
        groups: .npy file of each row's group, integers or strings.
        quota: The most rows of each group, a number or {"group": number}.
        quota_mode: at_most, or exact for exactly so many of each group.
        per_source: The most rows of each source of a pool, a number or {"source": number}.
        budget_tokens: What the tokens of the chosen rows of a pool may add up to.
        tokenizer: Name or path of the tokenizer that counts them; null estimates 4 bytes a token.
        tau: Largest similarity of two rows under method threshold.
        shortfall: When threshold leaves fewer than k: fill with the best others, stop or error.
        clusters: Number of clusters of method cluster.
        device: Number of the CUDA device.
        precision: Products on CUDA: float16, split (two float16 an item), auto (split for float32, float64).
        checkpoint: Directory that keeps an unfinished run, instead of the one in --out; it stays when done.
        ray: Select by Ray actors: local, auto, or the address of a cluster. Embeddings are one .npy file, or
            a folder with a .npy or .parquet file for each actor; methods auto, exact, lazy, sparse, quality.
        actors: How many actors share one file; null for the CPUs of the cluster.
        shape: Shape n,d of a raw file; n may be -1.
        dtype: Dtype of a raw file; bfloat16 also reads a .npy file of 2-byte items as bfloat16.
        progress: Show a progress bar on stderr (--no-progress: do not).
        dry_run: Print memory and time that the run would take, and stop.
        overwrite: Replace the selection in --out, or an unfinished run of other options there.

    """
    if ray is not None:
        only_here = {"costs": costs, "budget": budget, "groups": groups, "quota": quota, "dry_run": dry_run}
        only_here |= {"per_source": per_source, "budget_tokens": budget_tokens, "tokenizer": tokenizer}
        only_here |= {"device": device or None, "precision": None if precision == "auto" else precision}
        _select_by_ray(
            embeddings,
            out,
            checkpoint,
            overwrite,
            quality=quality,
            alpha=alpha,
            k=k,
            address=ray,
            actors=actors,
            unknown=only_here | {"shape": shape, "dtype": dtype},
            method=method,
            backend=backend,
            metric=metric,
            floor=floor,
            gain_scale=gain_scale,
            quality_scale=quality_scale,
            given=given,
            seed=seed,
            threads=threads,
            memory_budget=memory_budget,
            zero_rows=zero_rows,
            progress=progress,
        )
        return
    if actors is not None:
        raise ValueError(f"actors: got {actors} without ray; pass --ray local or an address")
    start = time.perf_counter()
    inputs = open_inputs(
        embeddings,
        shape,
        dtype,
        alpha=alpha,
        quality=quality,
        costs=costs,
        budget=budget,
        groups=groups,
        quota=quota,
        per_source=per_source,
        budget_tokens=budget_tokens,
        tokenizer=tokenizer,
        progress=progress,
    )
    job = prepare(
        alpha=alpha,
        k=k,
        **vars(inputs),
        method=method,
        backend=backend,
        metric=metric,
        floor=floor,
        gain_scale=gain_scale,
        quality_scale=quality_scale,
        given=given,
        epsilon=epsilon,
        seed=seed,
        threads=threads,
        memory_budget=memory_budget,
        zero_rows=zero_rows,
        quota_mode=quota_mode,
        tau=tau,
        shortfall=shortfall,
        clusters=clusters,
        device=device,
        precision=precision,
    )
    if dry_run:
        print(describe_estimate(job))
        return
    if out is not None and not overwrite:
        check_new([Path(out)])
    if out is None or checkpoint is not None:
        selection = run_job(job, start, checkpoint=checkpoint, progress=progress)
    else:
        selection = _run_in(Path(out) / CHECKPOINT, job, start, progress, overwrite)
    if out is not None:
        selection.save(out)
        if checkpoint is None:
            shutil.rmtree(Path(out) / CHECKPOINT)
    print(describe_selection(selection, out))


def _select_by_ray(
    embeddings: str, out: str | None, checkpoint: str | None, overwrite: bool, **options: Any
) -> None:
    folder = None if out is None else Path(out) / CHECKPOINT
    if out is not None and not overwrite:
        check_new([Path(out)])
    where = folder if checkpoint is None else checkpoint
    try:
        selection = select_by_ray(embeddings, **options, checkpoint=where)
    except OtherRunError:
        if not overwrite or folder is None or checkpoint is not None:
            raise
        shutil.rmtree(folder)
        selection = select_by_ray(embeddings, **options, checkpoint=where)
    if out is not None:
        selection.save(out)
        if folder is not None and checkpoint is None:
            shutil.rmtree(folder)
    print(describe_selection(selection, out))


def open_inputs(
    embeddings: str, shape: str | list[int] | None, dtype: str | None, **options: Any
) -> PoolInputs:
    """Open a pool directory or an embedding file."""
    if is_pool(embeddings):
        return pool_inputs(embeddings, **options)
    for name in ("per_source", "budget_tokens", "tokenizer"):
        if options[name] is not None:
            raise ValueError(
                f"{name}: got {options[name]!r} for {embeddings}, which is no pool directory; use groups "
                "with quota, or costs with budget"
            )
    if Path(embeddings).is_dir():
        raise ValueError(
            f"embeddings: {embeddings} is a folder without records.json, so no pool; make one with: "
            "qdit import"
        )
    rows = open_embeddings(embeddings, shape=parse_shape(shape), dtype=dtype)
    named = ("quality", "costs", "budget", "groups", "quota")
    return PoolInputs(rows, **{name: options[name] for name in named})


def _run_in(checkpoint: Path, job: Job, start: float, progress: bool, overwrite: bool) -> Selection:
    try:
        return run_job(job, start, checkpoint=checkpoint, progress=progress)
    except OtherRunError:
        if not overwrite:
            raise
    shutil.rmtree(checkpoint)
    return run_job(job, start, checkpoint=checkpoint, progress=progress)


def check_new(folders: list[Path]) -> None:
    """Raise ValueError if one of the folders holds a selection."""
    for folder in folders:
        if (folder / MANIFEST).exists():
            raise ValueError(
                f"out: {folder} holds a selection already; pass --overwrite or another directory"
            )
