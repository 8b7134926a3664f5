"""Rows that should not be there: duplicates, and rows that an evaluation set has too.

Nothing of a pool is deleted: what stays becomes a pool of its own, with embeddings, scores and token counts.

    options       DedupOptions, PoolDedupOptions, DecontaminateOptions
    pairs         all pairs of rows that are at least so similar, exact, part by part
    texts         texts as they are compared: normalized, and by their words
    minhash       pairs of texts that share most of their words
    groups        which row of several stands for the others
    duplicates    `dedup`: of embeddings, and its result
    job           base of the two below: a call on a pool, its folder, its smaller pool
    deduping      `dedup_pool`
    against       evaluation rows of any file, their texts and their vectors
    overlaps      words in a row that pool rows and evaluation rows have in common
    contaminated  `decontaminate`
    told          what cleaning did, in words, for the command line, cards and reports
"""

from .contaminated import Contamination, decontaminate
from .deduping import dedup_pool
from .duplicates import Duplicates, dedup
from .options import DecontaminateOptions, DedupOptions, PoolDedupOptions

__all__ = [
    "Contamination",
    "DecontaminateOptions",
    "DedupOptions",
    "Duplicates",
    "PoolDedupOptions",
    "decontaminate",
    "dedup",
    "dedup_pool",
]
