"""Small pools of instructions to embed."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from qdit.common.types import Array, Floats
from qdit.records import import_records
from qdit.records.pool import Pool

_VERBS = ("Describe", "Explain", "List", "Compare", "Summarize", "Translate", "Write", "Name")
_THINGS = (
    "the history of rivers",
    "a poem on autumn",
    "prime numbers",
    "Größe und Maß",
    "如何煮饭",
    "quick soups",
)


def write_pool(folder: Path, rows: Sequence[tuple[str, str]]) -> Path:
    """Make a pool of (instruction, input) rows."""
    source = folder / "rows.jsonl"
    lines = [json.dumps({"instruction": a, "input": b, "output": "ok"}) for a, b in rows]
    source.write_text("\n".join(lines) + "\n")
    import_records(source, folder / "pool").close()
    return folder / "pool"


def sample_rows(n: int, seed: int = 0) -> list[tuple[str, str]]:
    """Return n (instruction, input) rows of different lengths."""
    rng = random.Random(seed)
    rows = []
    for i in range(n):
        text = f"{rng.choice(_VERBS)} {rng.choice(_THINGS)} number {i}" + " and more" * rng.randrange(12)
        rows.append((text, rng.choice(("", f"about {rng.choice(_THINGS)}"))))
    return rows


def texts_of(pool: Path) -> list[str]:
    """Return what is embedded of each row of a pool."""
    with Pool.open(pool).records as records:
        return [f"{r.instruction}\n{r.input}" if r.input else r.instruction for r in records.rows()]


def cosines(a: Array, b: Array) -> Floats:
    """Return the cosines of the rows of a with those of b."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    found: Floats = (a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    return found
