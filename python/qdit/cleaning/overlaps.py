"""Words in a row that texts and evaluation rows have in common.

GPT-3 (Brown et al., arXiv 2005.14165, appendix C) calls 13 words an overlap, fewer where evaluation rows are
shorter, but at least 8; open-r1 takes 8.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .texts import words

Ids = NDArray[np.int64]
_BASE = np.uint64(0x9E3779B97F4A7C15)  # odd: hashes of a window wrap at 64 bits


@dataclass(frozen=True)
class Overlap:
    """What a text and an evaluation row have in common.

    Attributes:
        other: number of the evaluation row.
        words: how many words follow each other in both.
        text: these words.

    """

    other: int
    words: int
    text: str


class OverlapIndex:
    """Finds evaluation rows that share words in a row with a text.

    Attributes:
        indistinct: numbers of evaluation rows that have no words of their own: all are in too many others.

    """

    def __init__(self, texts: Sequence[str], ngram: int, shortest: int, common: int) -> None:
        """Take in evaluation rows.

        Args:
            texts: of the evaluation rows.
            ngram: words in a row that count.
            shortest: a text of fewer words counts if it is all there and has at least so many; one that is
                even shorter if a whole text is the same.
            common: words that are in more evaluation rows than this do not count.

        """
        self._numbers: dict[str, int] = {}  # of words, from 1
        self._texts = [self._learn(text) for text in texts]
        self._shortest = shortest
        grams: dict[int, dict[int, list[tuple[int, int]]]] = defaultdict(lambda: defaultdict(list))
        self._whole: dict[bytes, list[int]] = defaultdict(list)
        for other, ids in enumerate(self._texts):
            if len(ids) < shortest:
                if len(ids):
                    self._whole[ids.tobytes()].append(other)
                continue
            length = min(ngram, len(ids))
            for position, value in enumerate(_hashes(ids, length).tolist()):
                grams[length][value].append((other, position))
        own: set[int] = set()
        for found in grams.values():
            for value, places in list(found.items()):
                rows = {other for other, _ in places}
                if len(rows) > common:
                    del found[value]
                else:
                    own |= rows
        long = {other for other, ids in enumerate(self._texts) if len(ids) >= shortest}
        self.indistinct = sorted(long - own)
        self._grams = dict(grams)
        self._sorted = {
            length: np.sort(np.fromiter(values, np.uint64, len(values)))
            for length, values in grams.items()
            if values
        }

    def _learn(self, text: str) -> Ids:
        numbers = self._numbers
        return np.array([numbers.setdefault(word, len(numbers) + 1) for word in words(text)], np.int64)

    def find(self, texts: Sequence[Sequence[str]]) -> Iterator[list[Overlap]]:
        """Yield for each of some rows what it shares with evaluation rows, the longest first.

        texts: the texts of each row.
        """
        get = self._numbers.get
        pieces: list[Ids] = []
        row_of: list[int] = []
        for row, parts in enumerate(texts):
            for part in parts:
                pieces.append(np.array([*(get(word, 0) for word in words(part)), 0], np.int64))
                row_of.append(row)
        found: list[dict[int, tuple[int, Ids]]] = [{} for _ in texts]
        starts = np.cumsum([0, *map(len, pieces)])
        for row, piece in zip(row_of, pieces, strict=True):
            if 0 < len(piece) - 1 < self._shortest:
                for other in self._whole.get(piece[:-1].tobytes(), ()):
                    found[row].setdefault(other, (len(piece) - 1, piece[:-1]))
        ids = np.concatenate([np.empty(0, np.int64), *pieces])
        for length, known in self._sorted.items():
            for place, value in _candidates(ids, length, known):
                row = row_of[int(np.searchsorted(starts, place, side="right")) - 1]
                for other, position in self._grams[length][value]:
                    self._extend(ids, place, other, position, length, found[row])
        spelled = [""] * (len(self._numbers) + 1)
        for word, number in self._numbers.items() if any(found) else ():
            spelled[number] = word
        for mine in found:
            overlaps = [
                Overlap(one, count, " ".join(spelled[number] for number in run.tolist()))
                for one, (count, run) in mine.items()
            ]
            yield sorted(overlaps, key=lambda one: (-one.words, one.other))

    def _extend(
        self, ids: Ids, place: int, other: int, position: int, length: int, mine: dict[int, tuple[int, Ids]]
    ) -> None:
        """Note the longest run around a place if it is longer than what is known of this evaluation row."""
        text = self._texts[other]
        if not np.array_equal(ids[place : place + length], text[position : position + length]):
            return  # two windows of one hash
        shift, start, stop = position - place, place, place + length
        while stop < len(ids) and stop + shift < len(text) and ids[stop] == text[stop + shift]:
            stop += 1
        while start > 0 and start + shift > 0 and ids[start - 1] == text[start + shift - 1]:
            start -= 1
        if stop - start > mine.get(other, (0, ids))[0]:
            mine[other] = (stop - start, ids[start:stop])


def _hashes(ids: Ids, length: int) -> NDArray[np.uint64]:
    """Return a hash of every window of so many ids."""
    count = len(ids) - length + 1
    sums = np.zeros(max(0, count), np.uint64)
    for i in range(length if count > 0 else 0):
        sums = sums * _BASE + ids[i : i + count].astype(np.uint64)
    return sums


def _candidates(ids: Ids, length: int, known: NDArray[np.uint64]) -> Iterator[tuple[int, int]]:
    """Yield places and hashes of windows without a word that no evaluation row has, whose hash is known."""
    if len(ids) < length:
        return
    strange = np.concatenate([[0], np.cumsum(ids == 0)])
    places = np.flatnonzero(strange[length:] == strange[:-length])
    if not len(places):
        return
    values = _hashes(ids, length)[places]
    at = np.minimum(np.searchsorted(known, values), len(known) - 1)
    hits = known[at] == values
    yield from zip(places[hits].tolist(), values[hits].tolist(), strict=True)
