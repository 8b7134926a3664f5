"""`qdit.dedup`: near-duplicates among embeddings, exactly."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..common import files
from ..common.progress import ProgressLike, open_phases
from ..common.shape import ENTRIES
from ..common.types import JSON, Array, Floats, Indices, StrPath
from ..engine.backend import open_engine, resolve_backend, resolve_precision
from ..engine.rows import EmbeddingsLike, Rows, open_embeddings, subset, to_float64
from ..selection.options import Column, Machine
from ..selection.quality import open_quality
from ..selection.record import describe_rows
from .groups import GROUPINGS, ranks
from .options import AUTO, EMBEDDING, FIRST, LONGEST, QUALITY, TEXT, DedupOptions
from .pairs import Found, Labels, Pairs, find_pairs

FORMAT, MANIFEST = "qdit-dedup", "dedup.json"
ARRAYS = ("kept", "dropped", "keeper", "similarity", "by", "pairs", "pair_similarity")
_BLOCK = 4096


@dataclass(frozen=True, eq=False, repr=False)
class Duplicates:
    """Which rows are duplicates of which, as `qdit.dedup` returns it.

    Attributes:
        kept: rows that stay, ascending.
        dropped: rows that go, ascending; (m,).
        keeper: for each of them the kept row that stands for it; (m,).
        similarity: for each of them its similarity to that row; (m,).
        by: for each of them what it was told by, "text", "embedding" or "minhash"; (m,).
        pairs: all pairs of rows that are similar, (p, 2), the smaller row number first; rows that left by
            text are in none.
        pair_similarity: of each pair; (p,).
        params: what was asked for.

    """

    kept: Indices
    dropped: Indices
    keeper: Indices
    similarity: Floats
    by: Labels
    pairs: Indices
    pair_similarity: Floats
    params: JSON = field(default_factory=dict)

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self.kept) + len(self.dropped)

    @property
    def groups(self) -> list[Indices]:
        """Groups of two rows or more: the kept row, then those that go for it, the most similar first."""
        return [np.concatenate([[keeper], self.dropped[members]]) for keeper, members in self.members()]

    def members(self) -> Iterator[tuple[int, Indices]]:
        """Yield for each group the kept row, and positions in `dropped`, the most similar first."""
        order = np.lexsort((self.dropped, -self.similarity, self.keeper))
        keepers, starts = np.unique(self.keeper[order], return_index=True)
        yield from zip(keepers.tolist(), np.split(order, starts[1:]) if len(order) else [], strict=True)

    def arrays(self) -> dict[str, Array]:
        """Return the arrays by name, as files keep them."""
        return {name: getattr(self, name) for name in ARRAYS}

    def save(self, directory: StrPath) -> Path:
        """Write a .npy file for each array, and dedup.json; return the directory."""
        path = Path(directory)
        with files.new_files(path, MANIFEST) as folder:
            entries = {
                f"{name}.npy": files.write_npy(folder / f"{name}.npy", array)
                for name, array in self.arrays().items()
            }
            record = {"format": FORMAT, "format_version": 1, "settings": self.params, "files": entries}
            files.write_json(folder / MANIFEST, record)
        return path

    @classmethod
    def load(cls, directory: StrPath) -> Duplicates:
        """Read what `save`, or `qdit dedup`, wrote, and check its hashes; ValueError if it is damaged."""
        path = Path(directory)
        record = files.read_json(path / MANIFEST, FORMAT, shape={"files": ENTRIES, "settings": {}})
        loaded = {
            name: files.load_verified(
                path, f"{name}.npy", record["files"][f"{name}.npy"], "find duplicates again"
            )
            for name in ARRAYS
        }
        return cls(**loaded, params=record["settings"])

    def __repr__(self) -> str:
        return (
            f"Duplicates(n={self.n:,}, kept={len(self.kept):,}, groups={len(np.unique(self.keeper)):,}, "
            f"pairs={len(self.pairs):,})"
        )


def dedup(
    embeddings: EmbeddingsLike,
    threshold: float = 0.95,
    quality: Column | None = None,
    *,
    checkpoint: StrPath | None = None,
    progress: ProgressLike = None,
    **options: Any,
) -> Duplicates:
    """Find near-duplicate rows, exactly: every pair of rows is compared, or ruled out by a rigorous bound.

    With grouping "star" no two kept rows are similar and every row that goes is similar to the one that
    stands for it, as in semhash; SemDeDup (Abbas et al., arXiv 2303.09540) does so within clusters.

    Args:
        embeddings: the pool, (n, d), as in `qdit.select`. Rows of zeros are nobody's duplicates.
        threshold: cosine similarity from which on two rows are duplicates.
        quality: (n,) scores, larger is better, which decide what is kept; None for the first of each group.
        checkpoint: folder that keeps an unfinished run; repeated, the call goes on from there.
        progress: True for a bar on stderr, or a callable that takes a `qdit.Progress`.
        **options: those of `qdit.cleaning.DedupOptions`: keep, grouping, max_pairs, backend, device,
            precision, threads.

    Returns:
        Kept rows, groups, and all pairs.

    Raises:
        TypeError, ValueError: as `qdit.select`; for more pairs than `max_pairs`; a checkpoint of another run.
        RuntimeError: if another run uses the checkpoint.

    """
    asked = DedupOptions.of("dedup", {"threshold": threshold, **options})
    rows = open_embeddings(embeddings)
    scores = open_quality(quality, rows.n)
    keep = resolve_keep(asked.keep, scores is not None)
    if keep == LONGEST:
        raise ValueError("keep: got 'longest' for embeddings, which have no texts; pass lengths as quality")
    rank = ranks(rows.n, scores if keep == QUALITY else None)
    with open_phases(progress, rows.n, 0) as phases:
        phases.enter("pairs")
        pairs = similar_rows(rows, asked, checkpoint=checkpoint, tick=phases.tick)
        phases.enter("groups")
        keeper = GROUPINGS[asked.grouping](pairs, rank)
        params = {**described(asked), "keep": keep}
        return make_duplicates(rows, pairs, keeper, np.arange(rows.n), params)


def resolve_keep(keep: str, scored: bool) -> str:
    """Return what decides which row is kept; "auto" is quality where there are scores, else the first."""
    if keep == QUALITY and not scored:
        raise ValueError(
            "keep: got 'quality' without scores; pass quality (of a pool: qdit score), or 'first'"
        )
    return (QUALITY if scored else FIRST) if keep == AUTO else keep


def described(asked: DedupOptions) -> JSON:
    """Return options as they are recorded."""
    left_out = {*Machine.names(), "max_pairs"}
    return {name: getattr(asked, name) for name in asked.names() if name not in left_out}


def similar_rows(
    rows: Rows,
    asked: DedupOptions,
    *,
    checkpoint: StrPath | None = None,
    keep: Callable[[Found], Found] = lambda found: found,
    left_out: str = "",
    tick: Callable[[float], None] = lambda share: None,
) -> Pairs:
    """Return the pairs of rows that are similar.

    keep, left_out: which pairs matter, and what tells runs of other such pairs apart.
    """
    placement = resolve_placement(asked, rows)
    if asked.backend == "auto" and rows.device is None:  # bounds are for cpu, and rule nearly all pairs out
        placement = {**placement, "backend": "cpu", "precision": None}
    engine = open_engine(rows, zero_rows="ignore", threads=asked.thread_count, **placement)
    identity = {"threshold": asked.threshold, "backend": placement["backend"], "left_out": left_out}
    if checkpoint is not None:
        identity["embeddings"] = describe_rows(rows)["sha256"]
    return find_pairs(
        engine,
        asked.threshold,
        by=EMBEDDING,
        most=asked.max_pairs,
        keep=keep,
        folder=checkpoint,
        identity=identity,
        tick=tick,
    )


def resolve_placement(asked: Machine, rows: Rows) -> JSON:
    """Return backend, device and precision of an `Engine` over rows."""
    backend = resolve_backend(asked.backend, asked.device, on_device=rows.device is not None)
    precision = resolve_precision(asked.precision, rows.dtype) if backend == "cuda" else None
    return {"backend": backend, "device": asked.device, "precision": precision}


def make_duplicates(
    rows: Rows | None, pairs: Pairs, near: Indices, equal: Indices, params: JSON
) -> Duplicates:
    """Return the result.

    Args:
        rows: where similarities that no pair has are worked out.
        pairs: of rows that are similar.
        near: for every row the one that stands for it by these pairs; (n,).
        equal: for every row the one with the same text that does not go for that; itself where there is none.
        params: what was asked for.

    """
    n = len(near)
    everyone = np.arange(n)
    keeper = near[equal]
    dropped = np.flatnonzero(keeper != everyone)
    of = keeper[dropped]
    like = equal[dropped]  # with their texts
    at = pairs.look_up(like, of)
    similarity, by = np.full(len(dropped), np.nan), np.full(len(dropped), EMBEDDING)
    by[at >= 0] = pairs.by[at[at >= 0]]
    similarity[at >= 0] = pairs.similarity[at[at >= 0]]
    by[like != dropped] = TEXT
    similarity[like == of] = 1.0
    unknown = np.flatnonzero(np.isnan(similarity)) if rows is not None else np.empty(0, np.int64)
    for start in range(0, len(unknown), _BLOCK):
        part = unknown[start : start + _BLOCK]
        similarity[part] = _cosines(rows, like[part], of[part])
    kept = np.flatnonzero(keeper == everyone)
    return Duplicates(kept, dropped, of, similarity, by, pairs.rows, pairs.similarity, params)


def _cosines(rows: Rows | None, which: Indices, others: Indices) -> Floats:
    assert rows is not None
    a, b = (to_float64(subset(rows, some), slice(None)) for some in (which, others))
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return np.asarray(np.einsum("ij,ij->i", a, b) / norms)
