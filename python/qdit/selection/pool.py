"""Selecting from a pool directory: its embeddings, its quality, limits by source and by tokens."""

import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..common.optional import Package
from ..common.options import Options
from ..common.progress import AnyProgressLike
from ..common.types import StrPath
from ..engine.rows import Rows
from ..records import tokens
from ..records.pool import Pool
from ..records.records import MANIFEST
from .api import run_job, run_sweep
from .options import Quota, SelectOptions
from .run import prepare
from .selection import Selection


@dataclass(frozen=True, kw_only=True)
class PoolOptions(Options):
    """What a pool knows beside its embeddings and quality, as limits.

    Attributes:
        per_source: The most rows of each source of a pool, a number or {"source": number}, as quota.
        per_source_least: The fewest rows of each source, as quota_least.
        budget_tokens: What the tokens of the chosen rows of a pool may add up to.
        tokenizer: Name or path of the tokenizer that counts them; none estimates 4 bytes a token.
        exclude_ids: Ids of rows of a pool that are not to be picked: a list, or a file with one in each line.
        label_field: Field of a pool's records that holds the labels of each, one or a list, for method mig.

    """

    per_source: Quota | None = None
    per_source_least: Quota | None = None
    budget_tokens: float | None = None
    tokenizer: str | None = None
    exclude_ids: StrPath | Sequence[str] | None = None
    label_field: str | None = None

    def _check(self) -> None:
        if self.tokenizer is not None and self.budget_tokens is None:
            raise ValueError(f"tokenizer: got {self.tokenizer!r} without budget_tokens; pass what to spend")

    def packages(self) -> tuple[Package, ...]:
        """Return what counts tokens, if it is asked to."""
        return () if self.tokenizer is None else (tokens.PACKAGE,)


_INSTEAD = {  # what a pool knows, and what is passed for other embeddings
    "budget_tokens": ("costs", "budget"),
    "per_source": ("groups", "quota", "quota_least"),
    "per_source_least": ("groups", "quota", "quota_least"),
    "label_field": ("labels",),
    "exclude_ids": ("exclude",),
}


@dataclass(frozen=True, kw_only=True)
class PoolSelectOptions(SelectOptions, PoolOptions):
    """All options of `qdit.select_pool`."""

    def _check(self) -> None:
        for name, taken in _INSTEAD.items():
            for other in taken:
                if getattr(self, name) is not None and getattr(self, other) is not None:
                    raise ValueError(f"{name}: got it together with {other}, wanted one of them")


def is_pool(path: Any) -> bool:
    """Return whether this is a pool or the directory of one."""
    if isinstance(path, Pool):
        return True
    return isinstance(path, str | os.PathLike) and (Path(path) / MANIFEST).is_file()


def open_pool(
    pool: Pool | StrPath,
    options: PoolSelectOptions,
    alphas: Sequence[float],
    progress: AnyProgressLike = None,
) -> tuple[Rows, SelectOptions]:
    """Return the embeddings of a pool, and the options with what the pool knows filled in.

    alphas: all that will be asked for, in place of that of the options.

    Raises:
        FileNotFoundError, ValueError: if the pool has no embeddings, or no quality and an alpha is above 0;
            if files of it do not belong together.

    """
    pool = pool if isinstance(pool, Pool) else Pool.open(pool)
    if pool.embeddings is None:
        raise FileNotFoundError(
            f"{pool.directory}: no embeddings.npy; make them with: qdit embed {pool.directory}"
        )
    asked = options.represent
    if isinstance(asked, str | os.PathLike) and not os.fspath(asked).endswith(".npy"):
        raise ValueError(
            f"represent: got {asked}, wanted an array or a .npy file; make one of questions with "
            "qdit.embed_questions(pool, questions)"
        )
    filled: dict[str, Any] = {}
    if options.quality is None:
        filled["quality"] = pool.quality
        if pool.quality is None and any(alpha > 0 for alpha in alphas):
            raise FileNotFoundError(
                f"{pool.directory}: no quality.npy with alpha {max(alphas)}; make it with: qdit score "
                f"{pool.directory}, or pass alpha=0 for diversity only"
            )
    if options.budget_tokens is not None:
        filled["costs"] = pool.token_costs(options.tokenizer, progress=progress)
        filled["budget"] = options.budget_tokens
    if options.per_source is not None or options.per_source_least is not None:
        filled["groups"] = pool.source_groups()
        filled |= {"quota": options.per_source, "quota_least": options.per_source_least}
    if options.exclude_ids is not None:
        try:
            filled["exclude"] = pool.records.indices_of(_read_ids(options.exclude_ids))
        except ValueError as error:
            raise ValueError(f"exclude_ids: {error}") from None
    if options.label_field is not None:
        filled["labels"] = pool.field(options.label_field)
    return pool.embeddings, options.only(SelectOptions, **filled)


def _read_ids(ids: StrPath | Sequence[str]) -> list[str]:
    """Return ids as they are passed, or the lines of a file; blank lines are left out."""
    if not isinstance(ids, str | os.PathLike):
        return [str(one) for one in ids]
    lines = Path(ids).read_text(encoding="utf-8-sig").splitlines()
    return [line for line in lines if line.strip()]


def select_pool(
    pool: Pool | StrPath,
    alpha: float = 0.7,
    k: int | float | None = None,
    *,
    checkpoint: StrPath | None = None,
    progress: AnyProgressLike = None,
    **options: Any,
) -> Selection:
    """Select from a pool directory, by its own embeddings and quality.

    Args:
        pool: a pool, or its directory.
        alpha: from 0 (diversity only) to 1 (quality only).
        k: number of rows, or a fraction of them; None as in `qdit.select`.
        checkpoint: a directory, as in `qdit.select`.
        progress: as in `qdit.select`.
        **options: per_source, the most rows of each source (with quota_mode="exact": exactly so many), a
            number or {source: number}, and per_source_least, the fewest, as quota and quota_least;
            budget_tokens, what the tokens of the chosen rows may add up to; tokenizer, that counts them, a
            name or path for transformers, None estimates 4 bytes a token; exclude_ids, ids that are not to be
            picked, a list or a file with one in each line; label_field, the field of the records with the
            labels of method "mig"; and the other options of `qdit.select`, where quality replaces the pool's
            own.

    Raises:
        FileNotFoundError, TypeError, ValueError, MemoryError: as `qdit.select`, and if the pool lacks what it
            takes.

    """
    start = time.perf_counter()
    asked = PoolSelectOptions.of("select_pool", {"alpha": alpha, "k": k, **options})
    rows, chosen = open_pool(pool, asked, [asked.alpha], progress)
    return run_job(prepare(rows, chosen), start, checkpoint=checkpoint, progress=progress)


def sweep_pool(
    pool: Pool | StrPath,
    alphas: Iterable[float],
    k: int | float | None = None,
    *,
    checkpoint: StrPath | None = None,
    progress: AnyProgressLike = None,
    **options: Any,
) -> dict[float, Selection]:
    """`select_pool` for several values of alpha, with the work that they share done once."""
    start, alphas = time.perf_counter(), list(alphas)
    if "alpha" in options:
        raise TypeError("sweep_pool: got option 'alpha', wanted alphas")
    asked = PoolSelectOptions.of("sweep_pool", {"k": k, **options})
    rows, chosen = open_pool(pool, asked, alphas, progress)
    return run_sweep(rows, chosen, alphas, start, checkpoint=checkpoint, progress=progress)
