"""How many tokens each row of a pool has: an estimate from its length, or a tokenizer's count."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..common import files
from ..common.failures import loading
from ..common.optional import require
from ..common.progress import RowProgressLike, RowTracker
from ..common.shape import ENTRIES
from ..common.types import JSON, Ints
from .records import Records
from .row import Row

FORMAT = "qdit-costs"
FORMAT_VERSION = 1
BYTES_PER_TOKEN = 4
COSTS = "costs.npy"
MANIFEST = "costs.json"
_BATCH_ROWS = 512

Count = Callable[[Sequence[str]], list[int]]
PACKAGE = ("transformers", "score", "to count the tokens of a tokenizer")


def count_tokens(
    directory: Path, records: Records, tokenizer: str | None, revision: str | None, progress: RowProgressLike
) -> Ints:
    """Return what costs.npy holds or, if it is not of these records and this tokenizer, write it anew.

    Tokens are those of the texts of all turns; what a chat template adds is not counted. Arguments and errors
    as in `qdit.Pool.token_costs`.
    """
    identity = {
        "records": {"n": len(records), "sha256": records.sha256},
        "tokenizer": tokenizer,
        "revision": revision,
        "estimate": tokenizer is None,
    }
    kept = _kept(directory, identity)
    if kept is not None:
        return kept
    count = _estimate if tokenizer is None else _tokenizer(tokenizer, revision)
    costs = np.empty(len(records), np.int64)
    with RowTracker(progress, "count tokens", len(records)) as tracker:
        done = 0
        for texts in _batches(records.rows()):
            costs[done : done + len(texts)] = count(texts)
            done += len(texts)
            tracker.update(done)
        tracker.done(done)
    np.maximum(costs, 1, out=costs)  # a row that costs nothing would never use up a budget
    with files.new_files(directory, MANIFEST) as folder:
        entries = {COSTS: files.write_npy(folder / COSTS, costs)}
        record = {"format": FORMAT, "format_version": FORMAT_VERSION, **identity, "files": entries}
        files.write_json(folder / MANIFEST, record)
    return costs


def _kept(directory: Path, identity: JSON) -> Ints | None:
    path = directory / MANIFEST
    if not path.is_file():
        return None
    found = files.read_json(path, FORMAT, shape={"files": ENTRIES})
    if {key: found.get(key) for key in identity} != identity:
        return None
    return files.load_verified(directory, COSTS, found["files"][COSTS], f"delete {MANIFEST}")


def _batches(rows: Iterator[Row]) -> Iterator[list[str]]:
    texts: list[str] = []
    for row in rows:
        texts.append("\n".join(text for _, text in row.turns))
        if len(texts) == _BATCH_ROWS:
            yield texts
            texts = []
    if texts:
        yield texts


def _estimate(texts: Sequence[str]) -> list[int]:
    return [-(-len(text.encode()) // BYTES_PER_TOKEN) for text in texts]


def load_tokenizer(name: str, revision: str | None = None) -> Any:
    """Return a tokenizer of the Hub or in a folder; FileNotFoundError or OSError says what to do."""
    auto = require(*PACKAGE).AutoTokenizer
    with loading(name):
        return auto.from_pretrained(name, revision=revision, trust_remote_code=False)


def _tokenizer(name: str, revision: str | None) -> Count:
    loaded = load_tokenizer(name, revision)

    def count(texts: Sequence[str]) -> list[int]:
        found = loaded(list(texts), add_special_tokens=False, return_attention_mask=False, verbose=False)
        return [len(ids) for ids in found["input_ids"]]

    return count
