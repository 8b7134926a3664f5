"""Small pools for the tests of scoring, and what a judge makes of them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from helpers.openai_server import Request, rating
from qdit.records import Row, import_records, open_records
from qdit.scoring import Scores, score
from qdit.scoring.rubrics import Rubric

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


def rows_of(pool: Path) -> list[Row]:
    """Return the rows of a pool."""
    with open_records(pool) as records:
        return list(records.rows())


def prompt_of(row: Row) -> str:
    """Return a row's instruction and input."""
    return row.instruction + (f"\n\n{row.input}" if row.input else "")


def judged(pool: Path, server: Any, by: str = "alpagasus", **options: Any) -> Scores:
    """Score a pool with the judge behind a server."""
    options = {"judge_model": "m", "key_env": KEY_ENV, "base_url": server.url} | options
    return score(pool, by, **options)


def truth(pool: Path, rubric: Rubric, answer: Callable[[str], str] = rating) -> list[float | None]:
    """Return the ratings that an endless patience would get."""
    texts = ["\n".join(m["content"] for m in rubric.messages(row)) for row in rows_of(pool)]
    return [rubric.parse(answer(text)) for text in texts]


def some(fault: str, words: str = "bees") -> Callable[[Request], str | None]:
    """Return what gives requests about some rows a fault."""
    return lambda request: (
        fault if words in request.body["messages"][0]["content"].split("Response")[0] else None
    )


def assert_nowhere(secret: str, folder: Path, *texts: str) -> None:
    """Check that a secret is in no file under the folder and in none of the texts."""
    for root, _, names in os.walk(folder):
        for name in names:
            content = (Path(root) / name).read_bytes()
            assert secret.encode() not in content, f"{root}/{name}"
    for text in texts:
        assert secret not in text
