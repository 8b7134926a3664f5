"""What reward models and language models have in common: rows in chunks, chunks in a file."""

import math
from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..common.appended import AppendedFile
from ..common.checks import check_least
from ..common.failures import running
from ..common.identity import digest
from ..common.progress import RowProgressLike, RowTracker
from ..common.types import JSON, Floats
from ..models.hub import HubModel, Tick
from ..models.options import ModelOptions
from ..records import Row
from .scorer import RowSource, Scored, Scorer

_FIELDS = 2  # of a row in a chunk file: score, tokens
_ROW_BYTES = _FIELDS * 8
_SMALLER = "pass a smaller max_length (--max-length), dtype bfloat16, another device, or a smaller model"
_BATCHES_PER_CHUNK = 16  # rows of a chunk are sorted by length; what a kill may lose


@dataclass(frozen=True, kw_only=True)
class ModelScorerOptions(ModelOptions):
    """How a model that scores rows is run.

    Attributes:
        max_length: Tokens beyond which a row is cut; by default what the model takes, at most 2048.

    """

    max_length: int | None = None

    def _check(self) -> None:
        if self.max_length is not None:
            check_least("max_length", self.max_length, 8)


class ChunkFile(AppendedFile):
    """(rows, 2) float64: score (NaN for none) and tokens of each row so far; use it as a context manager.

    Chunks are appended whole, so a run that goes on cuts the rows into the same chunks as an unbroken one.

    Attributes:
        rows: rows that are done.

    """

    def __init__(self, path: Path, n: int, chunk: int) -> None:
        """Open or create; what is left of a chunk cut off by a crash is dropped."""
        super().__init__(path)
        whole = done_rows(path, n)
        self.rows = whole if whole == n else whole - whole % chunk
        self.cut(self.rows * _ROW_BYTES)

    def append(self, values: Floats) -> None:
        """Append the (rows, 2) values of a chunk, durably."""
        self.add(values.astype("<f8").tobytes())
        self.sync()
        self.rows += len(values)

    def read(self) -> Floats:
        """Return all that is done, (rows, 2)."""
        return np.fromfile(self.path, "<f8", self.rows * _FIELDS).reshape(-1, _FIELDS)


def done_rows(path: Path, n: int) -> int:
    """Return how many of n rows are done, without opening for writing."""
    return min(n, path.stat().st_size // _ROW_BYTES) if path.exists() else 0


class ModelScorer(Scorer):
    """Scores rows with a model that runs here, and goes on where it stopped."""

    libraries = ("numpy", "torch", "transformers", "tokenizers")

    def __init__(self, hub: HubModel) -> None:
        self.hub = hub
        self.chunk = hub.batch_size * _BATCHES_PER_CHUNK

    @property
    @abstractmethod
    def template(self) -> str:
        """What the model is given of a row; ValueError if it cannot be given that."""

    def identity(self) -> JSON:
        """Return model, revision, dtype, length limit and template."""
        return self.hub.identity() | {"template": self.template}

    @abstractmethod
    def score_chunk(self, rows: list[Row], tick: Tick) -> tuple[Floats, Floats]:
        """Return scores (NaN for none) and numbers of tokens before cutting, both (len(rows),).

        tick is told how many rows are done.
        """

    def estimate(self, records: RowSource, folder: Path) -> JSON:
        """Return rows and rows left."""
        done = done_rows(self._path(records, folder), len(records))
        return {"rows": len(records), "left": len(records) - done}

    def run(self, records: RowSource, folder: Path, progress: RowProgressLike) -> Scored:
        """Score the rows that are not in the file yet."""
        n = len(records)
        with ChunkFile(self._path(records, folder), n, self.chunk) as file:
            before = file.rows
            with RowTracker(progress, f"score: {self.name}", n - before) as tracker:
                while file.rows < n:
                    start = file.rows
                    rows = list(records.rows(start, min(n, start + self.chunk)))
                    where = f"rows {start} to {start + len(rows) - 1}"
                    with running(self.hub.name, where, _SMALLER):
                        values = self.score_chunk(rows, tracker.after(start - before))
                    self._check(*values, start)
                    file.append(np.stack(values, axis=1))
                tracker.done(n - before)
            scores, tokens = file.read().T
        self._check(scores, tokens)  # earlier versions kept scores that are not finite
        report = {
            "device": self.hub.device,
            "batch_size": self.hub.batch_size,
            "truncated": int((tokens > self.hub.max_length).sum()),
            "tokens": int(tokens.sum()),
        }
        return Scored(scores.copy(), report)

    def _path(self, records: RowSource, folder: Path) -> Path:
        key = digest([self.identity(), records.sha256])
        return folder / f"{self.name}-{key[:12]}.f64"

    def _check(self, scores: Floats, tokens: Floats, first: int = 0) -> None:
        bad = np.flatnonzero(np.isinf(scores) | (np.isnan(scores) & (tokens > 0)))
        if len(bad):
            raise RuntimeError(
                f"{self.name}: {len(bad)} scores are not finite, the first of row {first + bad[0]} "
                f"({scores[bad[0]]}, dtype {self.hub.dtype}); pass dtype float32 (--dtype float32), or "
                "another model"
            )


def unscored(count: int) -> Floats:
    """Return scores of none."""
    return np.full(count, math.nan)
