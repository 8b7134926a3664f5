"""Texts as they are compared: equal but for case, spaces and the like; and their words."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable

import numpy as np

from ..common.types import Indices

_SPACES = re.compile(r"\s+")
# runs of letters and digits; of writing without spaces (Thai, Lao, Burmese, Khmer, kana, Han) each letter
_SINGLE = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_WORD = re.compile(f"[{_SINGLE}]|[^\\W_{_SINGLE}]+")


def normalized(text: str) -> str:
    """Return a text without what two copies of it may differ in: case, spaces, forms of Unicode (NFKC).

    Punctuation stays: "2 + 2" and "2 - 2" are two texts.
    """
    return _SPACES.sub(" ", unicodedata.normalize("NFKC", text).casefold()).strip()


def words(text: str) -> list[str]:
    """Return the words of a text in lower case, without punctuation; letters of writing without spaces."""
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def first_equals(texts: Iterable[str], rank: Indices) -> Indices:
    """Return for every text the best-ranked row of those whose normalized text is the same; (n,)."""
    best: dict[bytes, int] = {}
    keys: list[bytes] = []
    for row, text in enumerate(texts):
        key = hashlib.blake2b(normalized(text).encode("utf-8", "surrogatepass"), digest_size=16).digest()
        keys.append(key)
        if rank[row] < rank[best.setdefault(key, row)]:
            best[key] = row
    return np.fromiter((best[key] for key in keys), np.int64, len(keys))
