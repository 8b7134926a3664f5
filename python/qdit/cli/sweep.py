"""`qdit sweep`."""

from __future__ import annotations

import shutil
from pathlib import Path

from ..common.files import write_atomic
from ..selection.sweep import alpha_folder, sweep
from .select import CHECKPOINT, check_new, open_inputs
from .tables import format_sweep, sweep_csv
from .words import parse_alphas


def sweep_command(
    embeddings: str,
    quality: str | None = None,
    alpha: str | float | list[float] = "0.1,0.3,0.5,0.7,0.9",
    out: str | None = None,
    k: int | float | None = None,
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
    device: int = 0,
    precision: str = "auto",
    per_source: int | dict[str, int] | None = None,
    budget_tokens: float | None = None,
    tokenizer: str | None = None,
    shape: str | list[int] | None = None,
    dtype: str | None = None,
    progress: bool = True,
    overwrite: bool = False,
) -> None:
    """Choose rows for several values of alpha, one folder each, and a table of what they give.

    Args:
        embeddings: Pool directory, or .npy file of (n, d) float16, bfloat16, float32 or float64; raw with
            --shape and --dtype.
        quality: .npy file of n scores, larger is better; null for the pool's own. Needed unless alpha is 0.
        alpha: Values from 0 (diversity only) to 1 (quality only), such as 0.1,0.5,0.9.
        out: Directory for a folder such as alpha-0.5 for each value, and sweep.csv.
        k: Number of rows, or a fraction of them such as 0.05; null as in select.
        method: As in select.
        backend: auto (cuda where there is a device, else cpu), cpu, cuda or reference.
        metric: cosine or dot.
        floor: Similarity that every row starts with; null for none.
        gain_scale: sum or per_k (gain times k / n).
        quality_scale: raw, minmax, zscore or rank.
        given: .npy file of row numbers, or of rows outside the pool, that are already chosen.
        epsilon: What method stochastic may lose, between 0 and 1.
        seed: Seed of method stochastic.
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
        device: Number of the CUDA device.
        precision: As in select.
        shape: Shape n,d of a raw file; n may be -1.
        dtype: Dtype of a raw file; bfloat16 also reads a .npy file of 2-byte items as bfloat16.
        progress: Show progress bars on stderr (--no-progress: do not).
        overwrite: Replace selections that are there already.

    """
    alphas = parse_alphas(alpha)
    folder = None if out is None else Path(out)
    if folder is not None and not overwrite:
        check_new([folder / alpha_folder(value) for value in alphas])
    inputs = open_inputs(
        embeddings,
        shape,
        dtype,
        alpha=alphas,
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
    selections = sweep(
        alphas=alphas,
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
        device=device,
        precision=precision,
        checkpoint=None if folder is None else folder / CHECKPOINT,
        progress=progress,
    )
    if folder is not None:
        for value, selection in selections.items():
            selection.save(folder / alpha_folder(value))
        write_atomic(folder / "sweep.csv", [sweep_csv(selections).encode()])
        shutil.rmtree(folder / CHECKPOINT)
    print(format_sweep(selections))
