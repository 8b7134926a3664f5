"""Selecting from a pool directory: its embeddings, its quality, limits by source and by tokens."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..records.pool import Pool
from ..records.records import MANIFEST
from .api import select
from .selection import Selection
from .sweep import sweep


@dataclass(frozen=True)
class PoolInputs:
    """What `qdit.select` takes, as a pool has it; see there."""

    embeddings: Any
    quality: Any
    costs: Any
    budget: float | None
    groups: Any
    quota: Any


def is_pool(path: Any) -> bool:
    """Return whether this is a pool or the directory of one."""
    if isinstance(path, Pool):
        return True
    return isinstance(path, str | os.PathLike) and (Path(path) / MANIFEST).is_file()


def pool_inputs(
    pool: Pool | str | os.PathLike[str],
    *,
    quality: Any = None,
    alpha: float | Iterable[float] = 0.7,
    costs: Any = None,
    budget: float | None = None,
    groups: Any = None,
    quota: Any = None,
    per_source: int | Mapping[str, int] | None = None,
    budget_tokens: float | None = None,
    tokenizer: str | None = None,
    progress: Any = None,
) -> PoolInputs:
    """Open a pool and fill in what it knows; arguments as in `select_pool`.

    Raises:
        FileNotFoundError, ValueError: if the pool has no embeddings, or no quality and alpha > 0; if files of
            it do not belong together; if an option is given twice, by its own name and by the pool's.

    """
    pool = pool if isinstance(pool, Pool) else Pool.open(pool)
    if pool.embeddings is None:
        raise FileNotFoundError(
            f"{pool.directory}: no embeddings.npy; make them with: qdit embed {pool.directory}"
        )
    alphas = list(alpha) if isinstance(alpha, Iterable) else [alpha]
    quality = pool.quality if quality is None else quality
    if quality is None and any(value > 0 for value in alphas):
        raise FileNotFoundError(
            f"{pool.directory}: no quality.npy with alpha {max(alphas)}; make it with: qdit score "
            f"{pool.directory}, or pass alpha=0 for diversity only"
        )
    _only_one("budget_tokens", budget_tokens, "costs", costs)
    _only_one("budget_tokens", budget_tokens, "budget", budget)
    _only_one("per_source", per_source, "groups", groups)
    _only_one("per_source", per_source, "quota", quota)
    if tokenizer is not None and budget_tokens is None:
        raise ValueError(f"tokenizer: got {tokenizer!r} without budget_tokens; pass what to spend")
    if budget_tokens is not None:
        costs = pool.token_costs(tokenizer, progress=progress)
        budget = budget_tokens
    if per_source is not None:
        groups, quota = pool.source_groups(), per_source
    return PoolInputs(pool.embeddings, quality, costs, budget, groups, quota)


def select_pool(
    pool: Pool | str | os.PathLike[str],
    alpha: float = 0.7,
    k: int | float | None = None,
    *,
    per_source: int | Mapping[str, int] | None = None,
    budget_tokens: float | None = None,
    tokenizer: str | None = None,
    progress: Any = None,
    **options: Any,
) -> Selection:
    """Select from a pool directory, by its own embeddings and quality.

    Args:
        pool: a pool, or its directory.
        alpha: from 0 (diversity only) to 1 (quality only).
        k: number of rows, or a fraction of them; None as in `qdit.select`.
        per_source: the most rows of each source (with quota_mode="exact": exactly so many), a number or
            {source: number}.
        budget_tokens: what the tokens of the chosen rows may add up to.
        tokenizer: that counts them, a name or path for transformers; None estimates 4 bytes a token.
        progress: as in `qdit.select`.
        **options: the other options of `qdit.select`; quality replaces the pool's own.

    Raises:
        FileNotFoundError, TypeError, ValueError, MemoryError: as `qdit.select`, and if the pool lacks what it
            takes.

    """
    inputs, rest = _split(pool, alpha, per_source, budget_tokens, tokenizer, progress, options)
    return select(k=k, alpha=alpha, progress=progress, **rest, **vars(inputs))


def sweep_pool(
    pool: Pool | str | os.PathLike[str],
    alphas: Iterable[float],
    k: int | float | None = None,
    *,
    per_source: int | Mapping[str, int] | None = None,
    budget_tokens: float | None = None,
    tokenizer: str | None = None,
    progress: Any = None,
    **options: Any,
) -> dict[float, Selection]:
    """`select_pool` for several values of alpha, with the work that they share done once."""
    alphas = list(alphas)
    inputs, rest = _split(pool, alphas, per_source, budget_tokens, tokenizer, progress, options)
    return sweep(k=k, alphas=alphas, progress=progress, **rest, **vars(inputs))


def _split(
    pool: Pool | str | os.PathLike[str],
    alpha: float | list[float],
    per_source: int | Mapping[str, int] | None,
    budget_tokens: float | None,
    tokenizer: str | None,
    progress: Any,
    options: dict[str, Any],
) -> tuple[PoolInputs, dict[str, Any]]:
    """Return what the pool gives, and the options that remain."""
    known = inspect.signature(select).parameters
    for name in options:
        if name not in known or name == "embeddings":
            raise TypeError(f"select_pool: got option {name!r}, which select does not have")
    mine = {name: options[name] for name in PoolInputs.__match_args__ if name in options}
    inputs = pool_inputs(
        pool,
        alpha=alpha,
        per_source=per_source,
        budget_tokens=budget_tokens,
        tokenizer=tokenizer,
        progress=progress,
        **mine,
    )
    return inputs, {name: value for name, value in options.items() if name not in mine}


def _only_one(name: str, value: object, other: str, given: object) -> None:
    if value is not None and given is not None:
        raise ValueError(f"{name}: got it together with {other}, wanted one of them")
