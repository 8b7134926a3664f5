"""Small pools for the tests of scoring."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from qdit.records import import_records

TOPICS = ("rivers", "bread", "prime numbers", "bees", "tax law", "rust", "tides", "chess")
KEY = "sk-test-51-Qz/9+secret=="  # has what URLs and JSON quote
KEY_ENV = "QDIT_TEST_JUDGE_KEY"


def alpaca_rows(n: int) -> list[dict[str, Any]]:
    """Return rows of various lengths, some with an input; the score column has nulls."""
    return [
        {
            "instruction": f"Explain {TOPICS[i % len(TOPICS)]} in {i} words.",
            "input": f"For class {i}." if i % 3 == 0 else "",
            "output": " ".join(["It", "is", "so:"] + [TOPICS[(i * j) % len(TOPICS)] for j in range(i % 11)]),
            "score": None if i % 7 == 3 else i / 4 - 1,
        }
        for i in range(n)
    ]


def make_pool(folder: Path, rows: list[dict[str, Any]] | int = 12) -> Path:
    """Import rows into a pool directory and return it."""
    rows = alpaca_rows(rows) if isinstance(rows, int) else rows
    source = folder / "rows.jsonl"
    folder.mkdir(parents=True, exist_ok=True)
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    pool = folder / "pool"
    import_records(source, pool).close()
    return pool


def assert_nowhere(secret: str, folder: Path, *texts: str) -> None:
    """Check that a secret is in no file under the folder and in none of the texts."""
    for root, _, names in os.walk(folder):
        for name in names:
            content = (Path(root) / name).read_bytes()
            assert secret.encode() not in content, f"{root}/{name}"
    for text in texts:
        assert secret not in text
