"""`qdit.decontaminate`: rows of a pool that an evaluation set has too, and the pool without them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from ..common import files
from ..common.identity import as_read
from ..common.progress import ProgressLike
from ..common.text import shorten
from ..common.types import JSON, Indices, StrPath
from ..engine.backend import open_engine
from ..records.pool import PoolLike
from ..records.row import Row
from ..selection.options import Machine
from .against import (
    EvaluationRow,
    describe_sets,
    embed_rows,
    find_sets,
    open_vectors,
    read_sets,
    vector_files,
)
from .duplicates import resolve_placement
from .job import CleaningJob
from .options import EMBEDDING, NGRAM, DecontaminateOptions
from .overlaps import OverlapIndex

_BATCH = 512  # rows whose words are looked up at a time
_VECTORS = 4096  # evaluation rows that the pool is compared with at a time
_EXCERPT = 300  # characters of texts in the evidence
_ROUNDING = 2.0**-20
_LEFT_OUT = {*Machine.names(), "against", "vectors", "local_files_only"}


@dataclass(frozen=True, eq=False, repr=False)
class Contamination:
    """Which rows an evaluation set has too, as `qdit.decontaminate` returns it.

    Attributes:
        kept: rows that stay, ascending.
        flagged: rows that an evaluation set has too, ascending.
        evidence: for each of them its row, id and text, and a list of overlaps: set, row and text of the
            evaluation row, and by "ngram" the words in common, by "embedding" the similarity.
        step: counts, in all and by evaluation set.
        params: what was asked for.

    """

    kept: Indices
    flagged: Indices
    evidence: Sequence[Mapping[str, Any]]
    step: JSON = field(default_factory=dict)
    params: JSON = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"Contamination(n={len(self.kept) + len(self.flagged):,}, flagged={len(self.flagged):,})"


def decontaminate(
    pool: PoolLike,
    against: Any,
    out: StrPath | None = None,
    *,
    progress: ProgressLike = None,
    overwrite: bool = False,
    **options: Any,
) -> Contamination:
    """Find rows of a pool that evaluation sets have too, and write the pool without them.

    By words that follow each other (13, as for GPT-3: Brown et al., arXiv 2005.14165), case and punctuation
    aside, and by embeddings. Nothing of the pool is deleted.

    Args:
        pool: pool directory, or a `qdit.Pool`.
        against: evaluation sets: files or folders, ids of data sets on the Hub, one or several, as a list,
            between commas, or {label: file}.
        out: folder for a pool of the rows that stay, with their embeddings, scores and token counts, and for
            the evidence; None for the evidence alone, in the folder "decontaminate" of the pool.
        progress: True for a bar on stderr, or a callable that takes a `qdit.Progress`.
        overwrite: replace what another call wrote there.
        **options: those of `qdit.cleaning.DecontaminateOptions`.

    Returns:
        Kept and flagged rows, and the evidence.

    Raises:
        FileNotFoundError: if there is no pool, or no such evaluation set.
        ValueError: wrong options; evaluation rows without a question; embeddings that evaluation rows
            cannot be compared with; something else is there.

    """
    asked = DecontaminateOptions.of("decontaminate", {"against": against, **options})
    with DecontaminateJob(pool, asked, out) as job:
        return job.run_phases(progress=progress, overwrite=overwrite)


class DecontaminateJob(CleaningJob[Contamination]):
    """A checked call of `decontaminate`; use it as a context manager."""

    verb, format, evidence = "decontaminate", "qdit-decontamination", "overlaps.jsonl"

    def __init__(self, pool: PoolLike, options: DecontaminateOptions, out: StrPath | None) -> None:
        """Open the pool and the evaluation sets."""
        self.options = options
        self.by: tuple[str, ...] = tuple(options.by)
        super().__init__(pool, out)
        if EMBEDDING in self.by and self.pool.embeddings is None:
            where = self.pool.directory
            raise FileNotFoundError(
                f"{where}: no embeddings.npy; make them with: qdit embed {where}, or pass by ngram"
            )
        self.sets = find_sets(options)

    def _used(self) -> list[str]:
        return ["embeddings"] * (EMBEDDING in self.by)

    def _identity(self) -> JSON:
        asked = {name: getattr(self.options, name) for name in self.options.names() if name not in _LEFT_OUT}
        given = None if self.options.vectors is None else vector_files(self.options.vectors)
        vectors = None if given is None else [files.sha256_file(path) for path in given]
        return {**self._base(), **asked, "against": describe_sets(self.sets), "vectors": vectors}

    def estimate(self) -> JSON:
        """Return how many rows there are."""
        return {"rows": len(self.pool)}

    def _make(self, progress: object, overwrite: bool) -> Contamination:
        self.phases.enter("evaluation sets")
        others = read_sets(self.sets, self.options.columns)
        found: dict[int, list[JSON]] = {}
        indistinct = 0
        if NGRAM in self.by:
            indistinct = self._by_words(others, found)
        if EMBEDDING in self.by:
            self._by_vectors(others, found)
        self.phases.enter("writing")
        flagged = np.array(sorted(found), np.int64)
        kept = np.setdiff1d(np.arange(len(self.pool)), flagged)
        if not len(kept):
            raise ValueError(
                f"{self.pool.directory}: no row would stay; check against, or raise the threshold"
            )
        step = {
            **{"verb": self.verb, "rows": len(self.pool), "kept": len(kept), "dropped": self.out is not None},
            **{"ngram": self.options.ngram, "threshold": self.options.threshold, "by": self._count(found)},
            **{"against": self._by_set(others, found), "indistinct": indistinct},
        }
        return self._publish({"kept": kept, "flagged": flagged}, self._lines(found), step)

    def _read(self, folder: Path, manifest: JSON) -> Contamination:
        kept, flagged = (np.load(folder / f"{name}.npy", allow_pickle=False) for name in ("kept", "flagged"))
        with (folder / self.evidence).open(encoding="utf-8") as file:
            evidence = [json.loads(line) for line in file]
        return Contamination(kept, flagged, evidence, manifest["step"], as_read(manifest["settings"]))

    def _by_words(self, others: Sequence[EvaluationRow], found: dict[int, list[JSON]]) -> int:
        """Look for words in common; return how many evaluation rows have none of their own."""
        asked, n = self.options, len(self.pool)
        index = OverlapIndex([one.text for one in others], asked.ngram, asked.shortest, asked.common)
        self.phases.enter("words", n)
        rows = self.pool.records.rows()
        done = 0
        while batch := list(islice(rows, _BATCH)):
            for row, overlaps in zip(batch, index.find([_texts(row) for row in batch]), strict=True):
                for one in overlaps:
                    words = {"by": NGRAM, "words": one.words, "overlap": shorten(one.text, _EXCERPT)}
                    found.setdefault(row.index, []).append({**_named(others[one.other]), **words})
            done += len(batch)
            self.phases.tick(done / n)
        return len(index.indistinct)

    def _by_vectors(self, others: Sequence[EvaluationRow], found: dict[int, list[JSON]]) -> None:
        """Look for rows that are similar to an evaluation row."""
        rows = self.pool.embeddings
        assert rows is not None
        self.phases.enter("vectors", len(others))
        if self.options.vectors is not None:
            vectors = open_vectors(self.options.vectors, others, rows.d)
        else:
            vectors = embed_rows(
                self.pool,
                others,
                self.partial / "vectors",
                local_files_only=self.options.local_files_only,
                tick=self.phases.tick,
            )
        filled = np.flatnonzero(vectors.any(axis=1))
        self.phases.enter("similarities", rows.n)
        engine = open_engine(
            rows,
            zero_rows="ignore",
            threads=self.options.thread_count,
            **resolve_placement(self.options, rows),
        )
        nearest, similarity = np.zeros(rows.n, np.int64), np.full(rows.n, -np.inf)
        for start in range(0, len(filled), _VECTORS):
            part = filled[start : start + _VECTORS]
            ids, sims = engine.nearest(np.ascontiguousarray(vectors[part]))
            better = sims > similarity
            nearest[better], similarity[better] = part[ids[better]], sims[better]
            self.phases.tick(min(1.0, (start + _VECTORS) / len(filled)))
        similarity[engine.ignored] = -np.inf
        for row in np.flatnonzero(similarity >= self.options.threshold - _ROUNDING).tolist():
            near = {"by": EMBEDDING, "similarity": round(float(similarity[row]), 6)}
            found.setdefault(row, []).append({**_named(others[int(nearest[row])]), **near})

    def _count(self, found: Mapping[int, Sequence[JSON]]) -> dict[str, int]:
        return {
            name: sum(any(one["by"] == name for one in all) for all in found.values()) for name in self.by
        }

    def _by_set(self, others: Sequence[EvaluationRow], found: Mapping[int, Sequence[JSON]]) -> list[JSON]:
        """Return for each set its rows, how many of them were found, and in how many rows of the pool."""
        counts = []
        for label in dict.fromkeys(one.set for one in others):
            mine = {row: [one for one in all if one["set"] == label] for row, all in found.items()}
            seen = {one["row"] for all in mine.values() for one in all}
            rows = sum(bool(all) for all in mine.values())
            size = sum(one.set == label for one in others)
            counts.append({"set": label, "rows": size, "found": len(seen), "in_rows": rows})
        return counts

    def _lines(self, found: Mapping[int, Sequence[JSON]]) -> Iterator[JSON]:
        for number in sorted(found):
            row = self.pool.records.row(number)
            text = shorten(" ".join(row.instruction.split()), _EXCERPT)
            yield {"row": number, "id": row.id, "text": text, "overlaps": found[number]}


def _texts(row: Row) -> list[str]:
    """Return the texts of a row that words are looked for in: all turns, and the instruction alone."""
    texts = [text for _, text in row.turns]
    return texts if row.instruction in texts else [*texts, row.instruction]


def _named(other: EvaluationRow) -> JSON:
    return {"set": other.set, "row": other.row, "text": shorten(" ".join(other.text.split()), _EXCERPT)}
