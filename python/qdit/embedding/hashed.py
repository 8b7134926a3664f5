"""A stand-in for a trained model: hashed n-grams, projected to 384 dimensions by random signs.

Texts that share words and pieces of words come out alike; meaning beyond that is not seen. It needs no
download and gives the same bits on every machine: all sums are of whole numbers until rows are normalized.

Every n-gram is hashed (Weinberger et al., "Feature Hashing for Large Scale Multitask Learning", ICML 2009)
and lands with a random sign in one dimension of each of 8 blocks, a sparse random projection (Kane & Nelson,
"Sparser Johnson-Lindenstrauss Transforms", JACM 2014). That is done in csrc/text/ngrams.cpp.
"""

import re
from collections.abc import Iterator, Sequence

import numpy as np

from .._core import hash_ngrams
from ..common.checks import check_threads
from ..common.types import JSON, Floats
from .encoder import Encoder, Tick
from .options import BUILTIN, BUILTIN_ROWS, EmbedOptions

DIMENSIONS = 384
STAND_IN = "stand-in for a trained model: hashed n-grams, sees shared words, not meaning"

_VERSION = 1  # of the arithmetic; vectors of different versions do not mix
_CHARACTERS = 1 << 20  # taken at once: bounds the memory, changes nothing
# Latin-1, general, CJK and full-width punctuation; all else beyond ASCII counts as letters
_PUNCTUATION = (0x80, 0xBF), (0x2000, 0x206F), (0x3000, 0x303F), (0xFF00, 0xFF0F)
_LETTER = re.compile(f"[0-9A-Za-z]|[^\\x00-\\x7f{''.join(f'{chr(a)}-{chr(b)}' for a, b in _PUNCTUATION)}]")


class HashEncoder(Encoder):
    """The encoder "builtin:hash"."""

    def __init__(self, options: EmbedOptions) -> None:
        """Take whole chunks, whatever batch is asked for: the vector of a text depends on it alone."""
        super().__init__(options)
        self.batch_size = BUILTIN_ROWS
        self._threads = check_threads(None)

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
        rows = np.empty((len(texts), DIMENSIONS))
        for start, stop in _portions(texts):
            lower = [text.lower() for text in texts[start:stop]]
            ends = np.cumsum([len(text) for text in lower], dtype=np.int64)
            codes = np.frombuffer("".join(lower).encode("utf-32-le", "surrogatepass"), "<u4")
            rows[start:stop] = hash_ngrams(codes.astype(np.uint32, copy=False), ends, self._threads)
            tick(stop)
        return rows


def _portions(texts: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Yield ranges of texts that hold about `_CHARACTERS` characters each."""
    start, held = 0, 0
    for i, text in enumerate(texts):
        held += len(text)
        if held >= _CHARACTERS:
            yield start, i + 1
            start, held = i + 1, 0
    if start < len(texts):
        yield start, len(texts)
