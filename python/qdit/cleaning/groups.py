"""Groups of rows that stand for one another, and which row of each is kept."""

from __future__ import annotations

import numpy as np

from ..common.types import Floats, Indices
from .pairs import Pairs


def ranks(n: int, scores: Floats | None) -> Indices:
    """Return the place of each row among all by falling score, then by row number; (n,)."""
    order = np.arange(n) if scores is None else np.lexsort((np.arange(n), -scores))
    place = np.empty(n, np.int64)
    place[order] = np.arange(n)
    return place


def star(pairs: Pairs, rank: Indices) -> Indices:
    """Return for every row the kept row that stands for it, itself where it is kept; (n,).

    Rows are looked at by rank: one is kept unless a kept row is similar to it. So no two kept rows are
    similar, and each row that is not kept is similar to one that is, the most similar of which stands for it.
    The same as a deduplicating index that is filled by rank (semhash).
    """
    n = len(rank)
    first, second = pairs.rows.T
    swap = rank[first] > rank[second]
    better, worse = np.where(swap, second, first), np.where(swap, first, second)
    order = np.argsort(rank[worse], kind="stable")
    kept = np.ones(n, bool)
    later, before = worse[order], better[order]
    bounds = np.flatnonzero(np.diff(later, prepend=-1, append=-1))
    for start, stop in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        if kept[before[start:stop]].any():
            kept[later[start]] = False
    keeper = np.arange(n)
    ends = [(first, second), (second, first)]
    row = np.concatenate([b[kept[a] & ~kept[b]] for a, b in ends])
    of = np.concatenate([a[kept[a] & ~kept[b]] for a, b in ends])
    near = np.concatenate([pairs.similarity[kept[a] & ~kept[b]] for a, b in ends])
    order = np.lexsort((rank[of], -near, row))
    row, of = row[order], of[order]
    fresh = np.diff(row, prepend=-1) != 0
    keeper[row[fresh]] = of[fresh]
    return keeper


def components(pairs: Pairs, rank: Indices) -> Indices:
    """Return for every row the best of all rows that a chain of pairs leads to, itself if it is that; (n,).

    What MinHash pipelines do (text-dedup, datatrove): two rows of a group may be unlike each other.
    """
    n = len(rank)
    first, second = pairs.rows.T
    label = rank.copy()  # the best rank seen so far
    by_rank = np.argsort(rank)
    while True:
        least, before = np.minimum(label[first], label[second]), label.copy()
        for end in (first, second):
            np.minimum.at(label, end, least)
            np.minimum.at(label, by_rank[before[end]], least)
        np.minimum(label, label[by_rank[label]], out=label)  # a row's best leads further
        if np.array_equal(label, before):
            return np.asarray(by_rank[label] if n else label)


GROUPINGS = {"star": star, "components": components}
