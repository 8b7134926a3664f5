"""`qdit.dedup_pool`: duplicates of a pool by text, embedding and MinHash, and the pool without them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..common.progress import ProgressLike
from ..common.text import shorten
from ..common.types import JSON, Floats, StrPath
from ..records.pool import PoolLike
from ..records.templates import make_template
from .duplicates import FORMAT, Duplicates, described, make_duplicates, resolve_keep, similar_rows
from .groups import GROUPINGS, ranks
from .job import CleaningJob
from .minhash import minhash_pairs
from .options import EMBEDDING, LONGEST, MINHASH, QUALITY, TEXT, PoolDedupOptions
from .pairs import PAIR, Pairs
from .texts import first_equals

Mask = NDArray[np.bool_]
_EXCERPT = 200  # characters of a row's text in the evidence


def dedup_pool(
    pool: PoolLike,
    out: StrPath | None = None,
    *,
    progress: ProgressLike = None,
    overwrite: bool = False,
    **options: Any,
) -> Duplicates:
    """Find duplicates in a pool, and write the pool without them.

    Nothing of the pool is deleted. A repeated call returns what is there where nothing changed; a killed one
    goes on where it stopped comparing.

    Args:
        pool: pool directory, or a `qdit.Pool`.
        out: folder for a pool of the rows that stay, with their embeddings, scores and token counts, and for
            the evidence; None for the evidence alone, in the folder "dedup" of the pool.
        progress: True for a bar on stderr, or a callable that takes a `qdit.Progress`.
        overwrite: replace what another call wrote there.
        **options: those of `qdit.cleaning.PoolDedupOptions`.

    Returns:
        Kept rows, groups, and all pairs that were found.

    Raises:
        FileNotFoundError: if there is no pool, or no embeddings where they are needed.
        ValueError: wrong options, more pairs than `max_pairs`, or something else is there.
        ImportError: if MinHash is asked for and datasketch is missing.

    """
    with DedupJob(pool, PoolDedupOptions.of("dedup_pool", options), out) as job:
        return job.run_phases(progress=progress, overwrite=overwrite)


class DedupJob(CleaningJob[Duplicates]):
    """A checked call of `dedup_pool`; use it as a context manager."""

    verb, format, evidence = "dedup", FORMAT, "duplicates.jsonl"

    def __init__(self, pool: PoolLike, options: PoolDedupOptions, out: StrPath | None) -> None:
        """Open the pool, and see whether it has what is needed."""
        self.options = options
        self.by: tuple[str, ...] = tuple(options.by)
        self.template = make_template(options.template)
        super().__init__(pool, out)
        if EMBEDDING in self.by and self.pool.embeddings is None:
            where = self.pool.directory
            raise FileNotFoundError(
                f"{where}: no embeddings.npy; make them with: qdit embed {where}, or pass by text"
            )
        self.keep = resolve_keep(options.keep, self.pool.quality is not None)

    def _used(self) -> list[str]:
        return ["embeddings"] * (EMBEDDING in self.by) + ["quality"] * (self.keep == QUALITY)

    def _identity(self) -> JSON:
        return {**self._base(), **described(self.options), "keep": self.keep}

    def estimate(self) -> JSON:
        """Return how many rows there are, and pairs to compare."""
        n = len(self.pool)
        return {"rows": n, "pairs": n * (n - 1) // 2 if EMBEDDING in self.by else 0}

    def _make(self, progress: object, overwrite: bool) -> Duplicates:
        n = len(self.pool)
        self.phases.enter("texts", n)
        rank = ranks(n, self._scores())
        equal = first_equals(self._texts(), rank) if TEXT in self.by else np.arange(n)
        pairs = self._pairs(equal != np.arange(n))
        self.phases.enter("groups")
        near = GROUPINGS[self.options.grouping](pairs, rank)
        found = make_duplicates(self.pool.embeddings, pairs, near, equal, self.identity)
        self.phases.enter("writing")
        counts = {name: int((found.by == name).sum()) for name in self.by}
        step = {
            **{"verb": self.verb, "rows": n, "kept": len(found.kept), "dropped": self.out is not None},
            **{"by": counts, "threshold": self.options.threshold, "keep": self.keep},
            "groups": len(np.unique(found.keeper)),
        }
        return self._publish(found.arrays(), self._lines(found), step)

    def _read(self, folder: Path, manifest: JSON) -> Duplicates:
        return Duplicates.load(folder)

    def _texts(self) -> Iterator[str]:
        return (self.template(row) for row in self.pool.records.rows())

    def _scores(self) -> Floats | None:
        if self.keep == LONGEST:
            lengths = (sum(len(text) for _, text in row.turns) for row in self.pool.records.rows())
            return np.fromiter(lengths, np.float64, len(self.pool))
        return self.pool.quality if self.keep == QUALITY else None

    def _pairs(self, gone: Mask) -> Pairs:
        """Return the pairs of rows that are similar, of those that are not gone."""
        found: list[Pairs] = []
        if EMBEDDING in self.by:
            assert self.pool.embeddings is not None
            self.phases.enter("pairs")
            found.append(
                similar_rows(
                    self.pool.embeddings,
                    self.options,
                    checkpoint=self.partial / "pairs",
                    keep=lambda pairs: pairs[~(gone[pairs["row"]] | gone[pairs["other"]])],
                    left_out=hashlib.sha256(np.packbits(gone).tobytes()).hexdigest(),
                    tick=self.phases.tick,
                )
            )
        if MINHASH in self.by:
            self.phases.enter("minhash", len(self.pool))
            texts = ((row, text) for row, text in enumerate(self._texts()) if not gone[row])
            found.append(minhash_pairs(texts, self.options, self.phases.tick, len(self.pool)))
        if not found:
            return Pairs.of(np.empty(0, PAIR), 1.0, TEXT)
        return found[0] if len(found) == 1 else found[0].joined(found[1])

    def _lines(self, found: Duplicates) -> Iterator[JSON]:
        """Yield a line of evidence for each group."""
        for keeper, members in found.members():
            row = self.pool.records.row(keeper)
            yield {
                "kept": {"row": keeper, "id": row.id, "text": shorten(self.template(row), _EXCERPT)},
                "dropped": [self._line(found, at) for at in members.tolist()],
            }

    def _line(self, found: Duplicates, at: int) -> JSON:
        row = self.pool.records.row(int(found.dropped[at]))
        return {
            **{"row": row.index, "id": row.id, "text": shorten(self.template(row), _EXCERPT)},
            **{"similarity": round(float(found.similarity[at]), 6), "by": str(found.by[at])},
        }
