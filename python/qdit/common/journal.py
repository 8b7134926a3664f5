"""Answers of a judge, kept on disk as they come: what is paid for once is not asked for again."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Self

_SYNC_SECONDS = 2.0


class Rated(NamedTuple):
    """A rating, None if the answer could not be read, and the tokens it took."""

    rating: float | None
    prompt_tokens: int
    completion_tokens: int


class AnswerFile:
    """An append-only JSONL file of answers by key; use it as a context manager.

    A line: {"key": hash of the request, "answer": text, "prompt_tokens": int, "completion_tokens": int}.
    """

    def __init__(self, path: Path, parse: Callable[[str], float | None]) -> None:
        """Open or create; ValueError names a damaged line, one cut off at the end is dropped."""
        self._parse = parse
        self._rated: dict[str, Rated] = {}
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            os.ftruncate(self._handle, self._read(path))
        except BaseException:
            os.close(self._handle)
            raise
        self._synced = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.fsync(self._handle)
        os.close(self._handle)

    def __contains__(self, key: str) -> bool:
        return key in self._rated

    def __getitem__(self, key: str) -> Rated:
        return self._rated[key]

    def add(self, key: str, answer: str, prompt_tokens: int, completion_tokens: int) -> None:
        """Keep an answer."""
        line = {"key": key, "answer": answer}
        line |= {"prompt_tokens": prompt_tokens, "completion_tokens": completion_tokens}  # type: ignore[dict-item]
        rest = json.dumps(line).encode() + b"\n"
        while rest:
            rest = rest[os.write(self._handle, rest) :]
        self._rated[key] = Rated(self._parse(answer), prompt_tokens, completion_tokens)
        if time.monotonic() - self._synced >= _SYNC_SECONDS:
            os.fsync(self._handle)
            self._synced = time.monotonic()

    def forget_unparsable(self) -> None:
        """Leave out answers without a rating, so that they are asked for again; the file keeps them."""
        self._rated = {key: rated for key, rated in self._rated.items() if rated.rating is not None}

    def _read(self, path: Path) -> int:
        """Read the file; return the size of its whole lines."""
        size = 0
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if not line.endswith(b"\n"):
                    break
                try:
                    value = json.loads(line)
                    used = int(value["prompt_tokens"]), int(value["completion_tokens"])
                    self._rated[value["key"]] = Rated(self._parse(value["answer"]), *used)
                except (ValueError, KeyError, TypeError) as error:
                    raise ValueError(
                        f"{path}, line {number} is damaged ({error}); delete that line to ask for it again"
                    ) from error
                size += len(line)
        return size
