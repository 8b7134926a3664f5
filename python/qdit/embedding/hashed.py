"""A stand-in for a trained model: hashed n-grams, projected to 384 dimensions by random signs.

Texts that share words and pieces of words come out alike; meaning beyond that is not seen. It needs no
download and gives the same bits on every machine: all sums are of whole numbers until rows are normalized.

Every n-gram is hashed (Weinberger et al., "Feature Hashing for Large Scale Multitask Learning", ICML 2009)
and lands with a random sign in one dimension of each of 8 blocks, a sparse random projection (Kane & Nelson,
"Sparser Johnson-Lindenstrauss Transforms", JACM 2014).
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..common.types import JSON, Floats, Indices, Ints
from ..engine.shuffle import GOLDEN, Words, splitmix64
from .encoder import Encoder, Tick
from .options import BUILTIN, BUILTIN_ROWS, EmbedOptions

DIMENSIONS = 384
STAND_IN = "stand-in for a trained model: hashed n-grams, sees shared words, not meaning"

_VERSION = 1  # of the arithmetic; vectors of different versions do not mix
_BLOCKS = 8
_BLOCK = DIMENSIONS // _BLOCKS
_GRAM = 3  # characters
# kinds of n-grams and their weights: words of up to three letters (most of them function words), other words,
# pairs of words, n-grams of characters
_SHORT, _WORD, _PAIR, _PIECE = range(4)
_WEIGHTS = np.array([8, 192, 32, 64])
_KIND_BITS, _HASH_BITS = 2, 44  # a sort key is the row, bits of the hash, the kind
_CHARACTERS = 1 << 17  # taken at once: bounds the memory, changes nothing
_SPACE = 32
# Latin-1, general, CJK and full-width punctuation; all else beyond ASCII counts as letters
_PUNCTUATION = (0x80, 0xBF), (0x2000, 0x206F), (0x3000, 0x303F), (0xFF00, 0xFF0F)
_LETTER = re.compile(f"[0-9A-Za-z]|[^\\x00-\\x7f{''.join(f'{chr(a)}-{chr(b)}' for a, b in _PUNCTUATION)}]")
_INVERSE = np.uint64(pow(int(GOLDEN), -1, 1 << 64))  # it is odd, so there is one


class HashEncoder(Encoder):
    """The encoder "builtin:hash"."""

    def __init__(self, options: EmbedOptions) -> None:
        """Take whole chunks, whatever batch is asked for: the vector of a text depends on it alone."""
        super().__init__(options)
        self.batch_size = BUILTIN_ROWS

    @staticmethod
    def has_vector(text: str) -> bool:
        """Return whether there is a letter or a digit."""
        return _LETTER.search(text) is not None

    def identity(self) -> JSON:
        """Return name, version and size, and that this is a stand-in."""
        return {
            "kind": "builtin",
            "name": f"{BUILTIN} (stand-in)",
            "version": _VERSION,
            "dimension": DIMENSIONS,
            "stand_in": STAND_IN,
        }

    def encode(self, texts: Sequence[str], numbers: Sequence[int], tick: Tick) -> Floats:
        """Return whole numbers, (len(texts), 384) float64; a text without letters or digits gives zeros."""
        rows = np.zeros((len(texts), DIMENSIONS))
        for start, stop in _portions(texts):
            rows[start:stop] = _project(_features(texts[start:stop]), stop - start)
            tick(stop)
        return rows


def _portions(texts: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Yield ranges of texts that hold about `_CHARACTERS` characters each."""
    start, held = 0, 0
    for i, text in enumerate(texts):
        held += len(text) + 2
        if held >= _CHARACTERS:
            yield start, i + 1
            start, held = i + 1, 0
    if start < len(texts):
        yield start, len(texts)


def _features(texts: Sequence[str]) -> Words:
    """Return a sort key for every n-gram of the texts."""
    codes, row_of = _characters(texts)
    spaces = np.flatnonzero(codes == _SPACE)
    begins, ends = spaces[:-1] + 1, spaces[1:]
    filled = ends > begins  # two spaces meet where a text ends
    begins, ends = begins[filled], ends[filled]

    hashes = _SegmentHashes(codes)
    words, rows = hashes(begins, ends), row_of[begins]
    together = rows[1:] == rows[:-1]
    pairs = splitmix64(words[:-1] + GOLDEN * words[1:])[together]

    at = np.arange(max(0, len(codes) - _GRAM + 1))
    at = at[row_of[at] == row_of[at + _GRAM - 1]]  # without those that cross from one text to the next
    pieces = hashes(at, at + _GRAM)
    return np.concatenate(
        [
            _keys(rows, words, np.where(ends - begins <= 3, _SHORT, _WORD)),
            _keys(rows[1:][together], pairs, _PAIR),
            _keys(row_of[at], pieces, _PIECE),
        ]
    )


def _keys(rows: Indices, hashes: Words, kinds: Any) -> Words:
    top: Words = rows.astype(np.uint64) << np.uint64(_HASH_BITS + _KIND_BITS)
    middle: Words = hashes >> np.uint64(64 - _HASH_BITS) << np.uint64(_KIND_BITS)
    low: Words = np.asarray(kinds, np.uint64)
    return top | middle | low


def _characters(texts: Sequence[str]) -> tuple[NDArray[np.uint32], Indices]:
    """Return the lower-case characters of all texts and the row of each.

    What is no letter or digit is a space, spaces do not repeat, and every text has one at both ends.
    """
    padded = [f" {text.lower()} " for text in texts]
    rows = np.repeat(np.arange(len(texts)), [len(text) for text in padded])
    codes = np.frombuffer("".join(padded).encode("utf-32-le", "surrogatepass"), "<u4").astype(np.uint32)
    codes[_is_separator(codes)] = _SPACE
    again = np.zeros(len(codes), bool)
    again[1:] = (codes[1:] == _SPACE) & (codes[:-1] == _SPACE) & (rows[1:] == rows[:-1])
    return codes[~again], rows[~again]


def _is_separator(codes: NDArray[np.uint32]) -> NDArray[np.bool_]:
    letter = np.array([chr(code).isalnum() for code in range(128)] + [True])
    separator: NDArray[np.bool_] = ~letter[np.minimum(codes, 128)]
    for low, high in _PUNCTUATION:
        separator |= (codes >= low) & (codes <= high)
    return separator


class _SegmentHashes:
    """Hashes of any stretches of a text, from polynomial hashes (modulo 2**64) of its prefixes."""

    def __init__(self, codes: NDArray[np.uint32]) -> None:
        powers = np.full(len(codes), GOLDEN)
        powers[:1] = 1
        self._inverses = np.full(len(codes), _INVERSE)
        self._inverses[:1] = 1
        np.cumprod(powers, out=powers)
        np.cumprod(self._inverses, out=self._inverses)
        self._sums = np.zeros(len(codes) + 1, np.uint64)
        np.cumsum(splitmix64(codes.astype(np.uint64)) * powers, out=self._sums[1:])

    def __call__(self, begins: Ints, ends: Ints) -> Words:
        """Return a hash of the characters from each begin to its end, wherever they stand."""
        return splitmix64((self._sums[ends] - self._sums[begins]) * self._inverses[begins])


def _project(keys: Words, n: int) -> Floats:
    """Add every n-gram to one dimension of each block, with a sign; sums of whole numbers, so exact."""
    keys, counts = np.unique(keys, return_counts=True)
    kinds = (keys & np.uint64((1 << _KIND_BITS) - 1)).astype(np.int64)
    weights = np.rint(_WEIGHTS[kinds] * np.sqrt(counts))
    bits = np.uint64(_HASH_BITS + _KIND_BITS)
    places = (keys >> bits).astype(np.int64) * _BLOCK
    hashes = keys & ((np.uint64(1) << bits) - np.uint64(1))
    total = np.empty((n, _BLOCKS, _BLOCK))
    for block in range(_BLOCKS):
        word = splitmix64(hashes + np.uint64(block << 48))
        dimension = ((word >> np.uint64(33)) * np.uint64(_BLOCK) >> np.uint64(31)).astype(np.int64)
        signed = np.where(word & np.uint64(1), weights, -weights)
        total[:, block] = np.bincount(places + dimension, signed, n * _BLOCK).reshape(n, _BLOCK)
    return total.reshape(n, DIMENSIONS)
