"""Small pools with a selection, for the tests of export, explain, verify and report."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import qdit
from qdit.exporting import export
from qdit.records import import_records

N, D, K = 240, 12, 30

# lines as people write them: order of fields, spaces, escapes and numbers are the rows' own
ODD = [
    '{"output":"ok",  "instruction": "Say \\u00e9 or é" ,"input":"", "score": 1e5}',
    '{"instruction": "<script>alert(1)</script> & <b>b</b>", "input": "", "output": "\\"quote\\" $x$ | y"}',
    '{ "instruction": "Emoji \\ud83d\\ude00 and 語", "input": "a\\tb", "output": "line\\nline", "n": 1.50 }',
]


def lines(n: int = N) -> list[str]:
    """Return n Alpaca rows, the odd ones first."""
    verbs = ["Write", "Explain", "List", "Describe"]
    nouns = ["a poem", "the reason", "three facts", "an idea"]
    rows = [
        {
            "instruction": f"{verbs[i % 4]} {nouns[i // 4 % 4]} about topic {i}.",
            "input": "" if i % 3 else f"Input {i}",
            "output": f"Answer {i}.",
        }
        for i in range(len(ODD), n)
    ]
    return [*ODD, *(json.dumps(row) for row in rows)][:n]


@dataclass(frozen=True)
class Made:
    """A pool, a selection made from it, and both as arrays."""

    pool: Path
    chosen: Path
    x: np.ndarray
    q: np.ndarray
    lines: list[str]
    selection: qdit.Selection


def write_pool(folder: Path, source, x: np.ndarray, q: np.ndarray | None, **options) -> Path:
    """Import records and put arrays beside them."""
    pool = folder / "pool"
    import_records(source, pool, **options).close()
    np.save(pool / "embeddings.npy", x)
    if q is not None:
        np.save(pool / "quality.npy", q)
    return pool


def vectors(n: int = N, d: int = D, dtype=np.float16) -> np.ndarray:
    """Return rows in clusters, so that similarities differ."""
    rng = np.random.default_rng(3)
    centers = rng.standard_normal((12, d))
    return (centers[rng.integers(0, 12, n)] + 0.5 * rng.standard_normal((n, d))).astype(dtype)


def make(folder: Path, *, x: np.ndarray | None = None, source=None, **options) -> Made:
    """Make a pool and a selection; options: those of `qdit.select`."""
    x = vectors() if x is None else x
    q = np.random.default_rng(5).normal(size=len(x))
    text = lines(len(x))
    if source is None:
        source = folder / "rows.jsonl"
        source.write_text("\n".join(text) + "\n", encoding="utf-8")
    pool = write_pool(folder, source, x, q)
    settings = {"alpha": 0.6, "k": K, "threads": 1} | options
    selection = qdit.select(str(pool / "embeddings.npy"), q, **settings)
    selection.save(folder / "chosen")
    return Made(pool, folder / "chosen", x, q, text, selection)


def export_rows(
    folder: Path, sources: dict[str, list[dict]], k: int, reading: dict | None = None, **options
) -> tuple[Path, list[int]]:
    """Export k rows of a pool of these sources; return the folder and which rows they are.

    reading: options of the import, the others those of the export.
    """
    paths = {label: folder / f"{label}.jsonl" for label in sources}
    for label, rows in sources.items():
        paths[label].write_text("".join(json.dumps(row) + "\n" for row in rows))
    source = paths if len(paths) > 1 else next(iter(paths.values()))
    pool = write_pool(folder, source, vectors(sum(map(len, sources.values()))), None, **(reading or {}))
    chosen = qdit.select(str(pool / "embeddings.npy"), alpha=0, k=k, threads=1)
    chosen.save(folder / "chosen")
    return export(folder / "chosen", folder / "out", decisions="none", **options), chosen.indices.tolist()


def unit(x: np.ndarray) -> np.ndarray:
    """Return rows of length 1 as float64; rows of zeros stay."""
    x = x.astype(np.float64)
    norms = np.linalg.norm(x, axis=1, keepdims=True)
    return x / np.where(norms > 0, norms, 1)
