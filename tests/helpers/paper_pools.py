"""Small pools and stand-ins for the tests of the study."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import yaml

from helpers.export_pools import K, N, lines, vectors, write_pool
from qdit.paper.shelf import Shelf
from qdit.paper.sources import Source, open_source
from qdit.selection.options import SelectOptions

OPTIONS = SelectOptions(clusters=6, threads=1)
QUESTIONS = [{"instruction": f"Say {i}", "category": f"c{i % 2}", "reference": f"{i}."} for i in range(6)]


def scores(n: int = N) -> np.ndarray:
    """Return n scores."""
    return np.random.default_rng(5).normal(size=n)


def make_pool(folder: Path, n: int = N) -> Path:
    """Write a pool of n Alpaca rows with embeddings and scores."""
    source = folder / "rows.jsonl"
    source.write_text("\n".join(lines(n)) + "\n", encoding="utf-8")
    return write_pool(folder, source, vectors(n), scores(n))


def make_source(folder: Path, n: int = N) -> Source:
    """Return an opened pool."""
    return open_source(make_pool(folder, n), name="small")


def make_shelf(source: Source, folder: Path, options: SelectOptions = OPTIONS) -> Shelf:
    """Return selections that are kept in a folder."""
    return Shelf(source, folder, options)


class FirstWords:
    """A parser without a model: the first word of a text is the verb, the last one its object."""

    def __init__(self):
        """Say which parser this is."""
        self.meta = {"lang": "en", "name": "first-words", "version": "1"}

    def pipe(self, texts, batch_size):
        """Yield a document for each text."""
        for text in texts:
            words = text.rstrip(".").split()
            noun = SimpleNamespace(dep_="dobj", lemma_=words[-1], children=[])
            root = SimpleNamespace(pos_="VERB", lemma_=words[0], children=[noun] if len(words) > 1 else [])
            yield SimpleNamespace(sents=[SimpleNamespace(root=root)])


def write_study(folder: Path, **changes) -> Path:
    """Write a study of a small pool, and its questions."""
    if not (folder / "pool").exists():
        make_pool(folder)
    (folder / "own.jsonl").write_text("".join(json.dumps(row) + "\n" for row in QUESTIONS))
    content = {
        "pools": {"small": "pool"},
        "models": {"tiny": "models/tiny"},
        "sizes": [K],
        "methods": ["random", "quality", "qdit:0.6"],
        "alphas": [0.1, 0.9],
        "seeds": [0, 1],
        "sets": {"jsonl": "own.jsonl"},
        "select": {"threads": 1},
        "train": {"epochs": 1.0},
        "generate": {},
        "hh": {},
    } | changes
    file = folder / "study.yaml"
    file.write_text(yaml.safe_dump({name: value for name, value in content.items() if value is not None}))
    return file
