"""Small files for the tests of evaluation, and the real ones where they are."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from helpers.data_folder import data_folder
from qdit.generation.questions import Question

WORDS = [
    "rivers",
    "bread",
    "bees",
    "tides",
    "chess",
    "rust",
    "tax",
    "law",
    "prime",
    "numbers",
    "maps",
    "glass",
]


def write_jsonl(path: Path, rows: Iterable[Any]) -> Path:
    """Write rows as JSON Lines, compressed if the name says so."""
    text = "".join(json.dumps(row) + "\n" for row in rows).encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return path


def read_jsonl(path: Path) -> list[Any]:
    """Return the rows of a file."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def question(i: int, *, set: str = "s", categories: int = 3, reference: bool = True) -> Question:
    """Return one of a kind."""
    word = WORDS[i % len(WORDS)]
    said = f"{word.capitalize()} are {i} things." if reference else None
    return Question(set, f"q{i}", f"Explain {word} in {i} words.", f"c{i % categories}", i % 10 + 1, said)


def answer_row(asked: Question, model: str, output: str, finish: str = "stop") -> dict[str, Any]:
    """Return a row as `qdit generate` writes it."""
    return vars(asked) | {"model": model, "output": output, "finish": finish}


def write_answers(path: Path, model: str, n: int = 8, **options: Any) -> Path:
    """Write a model's answers to n questions."""
    rows = [
        answer_row(question(i, **options), model, f"{model} says {'so ' * (i % 4)}{i}.") for i in range(n)
    ]
    return write_jsonl(path, rows)


def real_file(*parts: str) -> Path:
    """Return a file of the folder with real data; skip where it is not there."""
    path = data_folder().joinpath(*parts)
    if not path.exists():
        pytest.skip(f"no {'/'.join(parts)} in {data_folder()}: set QDIT_DATA to the folder that has it")
    return path
