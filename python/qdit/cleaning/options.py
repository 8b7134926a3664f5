"""The options of `qdit.dedup` and `qdit.decontaminate`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..common.checks import check_choice, check_float, check_least, check_seed
from ..common.optional import Package
from ..records.templates import make_template
from ..selection.options import Machine
from .groups import GROUPINGS

TEXT, EMBEDDING, MINHASH, NGRAM = "text", "embedding", "minhash", "ngram"
DATASKETCH: Package = ("datasketch", "dedup", "to find near-duplicates by MinHash")
DEDUP_BY = (TEXT, EMBEDDING, MINHASH)
DECONTAMINATE_BY = (NGRAM, EMBEDDING)
AUTO, QUALITY, LONGEST, FIRST = "auto", "quality", "longest", "first"
KEEP = (AUTO, QUALITY, LONGEST, FIRST)


def parse_by(by: str | Sequence[str], wanted: Sequence[str]) -> tuple[str, ...]:
    """Return the ways that "a,b" or a list names, in the order of `wanted`, each once."""
    names = by.split(",") if isinstance(by, str) else list(by)
    found = {check_choice("by", name.strip() if isinstance(name, str) else name, wanted) for name in names}
    if not found:
        raise ValueError(f"by: got nothing, wanted some of {', '.join(wanted)}")
    return tuple(name for name in wanted if name in found)


def _check_similarity(name: str, value: object) -> float:
    number = check_float(name, value)
    if not 0.0 < number <= 1.0:
        raise ValueError(f"{name}: got {number}, wanted a similarity above 0 and at most 1")
    return number


@dataclass(frozen=True, kw_only=True)
class DedupOptions(Machine):
    """Which rows are duplicates, and which of them are kept.

    Attributes:
        threshold: Cosine similarity from which on two rows are duplicates.
        keep: What is kept of duplicates: quality (the best score), longest (of a pool: the most letters),
            first (the smallest row number), or auto for quality where there are scores and first elsewhere.
            Ties go to the smaller row number.
        grouping: star (each row that goes is similar to the one that stays) or components (all that chains of
            similar rows lead to, as after MinHash; rows of a group may be unlike each other).
        max_pairs: The most pairs of similar rows that are kept in memory, 16 bytes each.

    """

    threshold: float = 0.95
    keep: str = AUTO
    grouping: str = "star"
    max_pairs: int = 100_000_000

    def _check(self) -> None:
        self._set("threshold", _check_similarity("threshold", self.threshold))
        check_choice("keep", self.keep, KEEP)
        check_choice("grouping", self.grouping, tuple(GROUPINGS))
        check_least("max_pairs", self.max_pairs, 1)


@dataclass(frozen=True, kw_only=True)
class PoolDedupOptions(DedupOptions):
    r"""All options of `qdit.dedup_pool`.

    Attributes:
        by: What duplicates are told by, one or more of text (equal but for case, spaces and forms of
            Unicode), embedding (the threshold) and minhash (shingles of five words, by datasketch); those of
            text leave first.
        template: The text of a row, as in embed: instruction, with_input, or a format string such as
            "{instruction}\n{output}".
        jaccard: Similarity of two sets of shingles from which on rows are duplicates by minhash.
        permutations: Length of a MinHash sketch.
        seed: Of the permutations.

    """

    by: str | Sequence[str] = f"{TEXT},{EMBEDDING}"
    template: str = "with_input"
    jaccard: float = 0.8
    permutations: int = 128
    seed: int = 0

    def _check(self) -> None:
        self._set("by", parse_by(self.by, DEDUP_BY))
        make_template(self.template)
        self._set("jaccard", _check_similarity("jaccard", self.jaccard))
        check_least("permutations", self.permutations, 2)
        check_seed(self.seed)

    def packages(self) -> tuple[Package, ...]:
        """Return what makes MinHash sketches, if it is asked to."""
        return (DATASKETCH,) if MINHASH in self.by else ()


@dataclass(frozen=True, kw_only=True)
class DecontaminateOptions(Machine):
    """What counts as a row that an evaluation set has too.

    Attributes:
        against: Files or folders of evaluation rows (JSON, JSON Lines, CSV, Parquet), ids of data sets on the
            Hub, one or several, in a list or between commas.
        by: What an overlap is told by, one or both of ngram (words that follow each other, of all turns of a
            row) and embedding (cosine similarity to an evaluation row, by the pool's own model).
        ngram: Words that a row and an evaluation row must have in common, one after the other.
        shortest: Evaluation rows of fewer than `ngram` words, but at least so many, count where a row has all
            their words one after the other; even shorter ones where a turn of a row is the same.
        common: Words that more than so many evaluation rows have are a form that all are written in, and no
            evidence.
        threshold: Similarity from which on a row is taken for an evaluation row in other words.
        columns: Columns of evaluation rows that are compared, joined by newlines; None for the question, as
            common layouts call it.
        split: Split of evaluation sets that have several, such as test; all by default.
        subset: Configuration of evaluation sets that have several.
        vectors: .npy files of vectors of the evaluation rows, one for each entry of `against`, where the
            pool's embeddings were not made by qdit embed.
        local_files_only: Do not ask the Hub for the pool's model.

    """

    against: str | Sequence[str] | Mapping[str, str]
    by: str | Sequence[str] = f"{NGRAM},{EMBEDDING}"
    ngram: int = 13
    shortest: int = 8
    common: int = 10
    threshold: float = 0.9
    columns: Sequence[str] | str | None = None
    split: str = "all"
    subset: str | None = None
    vectors: str | Path | Sequence[str] | None = None
    local_files_only: bool = False

    def _check(self) -> None:
        self._set("by", parse_by(self.by, DECONTAMINATE_BY))
        check_least("ngram", self.ngram, 2)
        check_least("shortest", self.shortest, 1)
        if self.shortest > self.ngram:
            raise ValueError(
                f"shortest: got {self.shortest}, more than the {self.ngram} words of ngram; pass at most that"
            )
        check_least("common", self.common, 1)
        self._set("threshold", _check_similarity("threshold", self.threshold))
