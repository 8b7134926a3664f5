"""The built-in embedder: pinned bits, what it sees in texts, bounded memory."""

import hashlib
import math
import tracemalloc
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from qdit._core import hash_ngrams
from qdit.embedding import hashed
from qdit.embedding.hashed import HashEncoder
from qdit.embedding.options import BUILTIN, EmbedOptions

TEXTS = [
    "Name three primary colors.",
    "name THREE primary colors",
    "Name three primary colours, please!",
    "What is the capital of France?",
    "Größe und Maß — straße",
    "如何煮饭\uff1f",
    "emoji 🙂 and a lone surrogate \ud800",
    "a",
    "word " * 1000,
    "x" * 5000,
]


def encode(texts):
    return HashEncoder(EmbedOptions(model=BUILTIN)).encode(texts, range(len(texts)), lambda done: None)


def cosine(a, b):
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


M = (1 << 64) - 1
BASE = 0x9E3779B97F4A7C15


def mix(word):
    word = (word + BASE) & M
    word = (word ^ word >> 30) * 0xBF58476D1CE4E5B9 & M
    word = (word ^ word >> 27) * 0x94D049BB133111EB & M
    return word ^ word >> 31


def separates(c):
    if ord(c) < 128:
        return not c.isalnum()
    return any(
        a <= ord(c) <= b for a, b in ((0x80, 0xBF), (0x2000, 0x206F), (0x3000, 0x303F), (0xFF00, 0xFF0F))
    )


def plainly(text):
    """The same vector in plain Python, one n-gram after the other."""
    words = "".join(" " if separates(c) else c for c in text.lower()).split(" ")
    words = [word for word in words if word]
    padded = f" {' '.join(words)} " if words else " "

    def hash_of(part):
        return mix(sum(mix(ord(c)) * pow(BASE, i, M + 1) for i, c in enumerate(part)) & M)

    grams = Counter((0 if len(word) <= 3 else 1, hash_of(word)) for word in words)
    grams += Counter((2, mix((hash_of(a) + BASE * hash_of(b)) & M)) for a, b in pairwise(words))
    grams += Counter((3, hash_of(padded[i : i + 3])) for i in range(len(padded) - 2))
    row = [0] * 384
    for (kind, value), count in grams.items():
        key = value >> 20 << 2 | kind
        for block in range(8):
            word = mix(key + (block << 48))
            weight = round((8, 192, 32, 64)[kind] * math.sqrt(count))
            row[block * 48 + ((word >> 33) * 48 >> 31)] += weight if word & 1 else -weight
    return row


def test_equals_plain_python():
    np.testing.assert_array_equal(encode(TEXTS), [plainly(text) for text in TEXTS])


def test_bits_are_those_of_every_machine():
    rows = encode(TEXTS)
    assert rows.shape == (len(TEXTS), hashed.DIMENSIONS)
    assert (rows == np.rint(rows)).all()  # sums of whole numbers have no order
    digest = hashlib.sha256(rows.astype("<i8").tobytes()).hexdigest()
    assert digest == "8feba55e93f3ee0b760a6c5ae59bc22afd854211e9599226822847979d53fc28"


def test_a_row_does_not_depend_on_its_neighbors(monkeypatch):
    rows = encode(TEXTS)
    for i, text in enumerate(TEXTS):
        np.testing.assert_array_equal(encode([text])[0], rows[i])
    monkeypatch.setattr(hashed, "_CHARACTERS", 30)
    np.testing.assert_array_equal(encode(TEXTS), rows)


@pytest.mark.parametrize("threads", [2, 5])
def test_threads_do_not_show(threads, monkeypatch):
    texts = [f"{text} {i}" for i in range(200) for text in TEXTS[:8]]
    monkeypatch.setattr(hashed, "check_threads", lambda threads: 1)
    want = encode(texts)
    monkeypatch.setattr(hashed, "check_threads", lambda asked: threads)
    np.testing.assert_array_equal(encode(texts), want)


@pytest.mark.parametrize("ends", [[3, 2], [6], [-1]])
def test_positions_that_cannot_be_are_refused(ends):
    with pytest.raises(ValueError, match="ends"):
        hash_ngrams(np.zeros(5, np.uint32), np.array(ends), 1)


def test_no_threads_are_refused():
    with pytest.raises(ValueError, match="threads: got 0"):
        hash_ngrams(np.zeros(5, np.uint32), np.array([5]), 0)


def test_alike_texts_are_near():
    a, b, c, d = encode(TEXTS[:4])
    assert cosine(a, b) == 1  # case and punctuation do not count
    assert cosine(a, c) > 0.5
    assert cosine(a, d) < 0.2


def test_unrelated_texts_are_near_zero():
    """Random signs make the mean similarity of texts without common words about 0."""
    rng = np.random.default_rng(0)
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    rows = encode([" ".join("".join(rng.choice(letters, 9)) for _ in range(8)) for _ in range(300)])
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    similar = (rows @ rows.T)[np.triu_indices(300, 1)]
    assert abs(similar.mean()) < 0.02
    assert similar.std() < 0.1


@pytest.mark.parametrize("text", ["", "   ", "?!…", "\n\t"])
def test_no_letters_no_vector(text):
    assert not encode([text]).any()


def test_order_of_words_and_repetition_count():
    a, b, c = encode(["dog bites man", "man bites dog", "dog bites man dog bites man"])
    assert 0.8 < cosine(a, b) < 1
    assert 0.8 < cosine(a, c) < 1


def test_memory_is_that_of_the_rows_and_a_portion():
    texts = ["some words of a text " * 40] * 4000  # 3.4 MB of characters
    tracemalloc.start()
    rows = encode(texts)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak - rows.nbytes < 60e6
