"""The rows to train on: of a file, of a selection or an export with its pool, or of a whole pool."""

import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..common import files
from ..common.types import JSON, StrPath
from ..exporting import open_choice
from ..exporting.choice import ChoiceOptions
from ..records import Records, Row, import_records, open_records
from ..records.records import MANIFEST as RECORDS
from ..selection.selection import MANIFEST as SELECTION
from ..selection.tables import SWEEP

DataLike = StrPath | Iterable[Any]  # a path, or rows in memory: what `import_records` takes


@dataclass(frozen=True, eq=False)
class Data:
    """Rows in the order in which they are numbered for training.

    Attributes:
        records: where they are.
        indices: which of them, in order.
        origin: where they come from, as JSON values for a manifest.

    """

    records: Records
    indices: Sequence[int]
    origin: JSON

    def __len__(self) -> int:
        return len(self.indices)

    def __iter__(self) -> Iterator[tuple[Row, int | None]]:
        """Yield every row with how many of its turns are a prompt, of which nothing is to be learnt.

        That is 0 for a chat, whose answers are all learnt, and None for a prompt that is a text.
        """
        codes, _ = self.records.sources()
        for i in self.indices:
            row, value = self.records.read(i)
            layout = self.records.parts[codes[i]].layout
            if layout.format == "prompt":
                completion = value[layout.columns["completion"]]
                yield row, None if isinstance(completion, str) else len(row.turns) - len(completion)
            else:
                yield row, 0


@contextmanager
def open_data(data: DataLike, pool: StrPath | None = None) -> Iterator[Data]:
    """Open what `qdit train` is given.

    Args:
        data: a file that `qdit import` reads (JSON, JSON Lines, CSV, Parquet; rows of instruction and output,
            of prompt and completion, or chats), such as data.jsonl or sft.jsonl of an export; the directory
            of a selection or an export, whose rows are read from its pool in pick order; a pool, all rows; or
            rows in memory, as in `import_records`.
        pool: the pool of a selection, where that is not where the selection says.

    Raises:
        FileNotFoundError: if there is nothing.
        ValueError: for a bad row, or files that do not belong together.

    """
    path = Path(data) if isinstance(data, str | os.PathLike) else None
    if path is not None and (path / RECORDS).is_file():
        with open_records(path) as records:
            yield Data(records, range(len(records)), _origin("pool", path, records))
    elif path is not None and path.is_dir() and _holds_selection(path):
        with open_choice(path, ChoiceOptions(pool=None if pool is None else Path(pool))) as choice:
            records, indices = choice.pool.records, choice.selection.indices
            origin = _origin("selection", path, records) | {"indices_sha256": files.sha256_array(indices)}
            yield Data(records, indices.tolist(), origin)
    else:
        if path is not None and not path.exists():
            raise FileNotFoundError(
                f"data: {path} does not exist; pass a file, a selection, an export or a pool"
            )
        with (
            tempfile.TemporaryDirectory(prefix="qdit-train-") as held,
            import_records(data, Path(held) / "pool") as records,
        ):
            origin = _origin("memory" if path is None else "file", path, records)
            yield Data(records, range(len(records)), origin)


def _holds_selection(path: Path) -> bool:
    return any((path / name).is_file() for name in (SELECTION, f"selection/{SELECTION}", SWEEP))


def _origin(kind: str, path: Path | None, records: Records) -> JSON:
    origin: JSON = {"kind": kind, "format": records.format}
    if path is not None:
        origin["path"] = str(path)
    if kind == "file" and path is not None and path.is_file():
        return origin | {"sha256": files.sha256_file(path)}
    return origin | {"records_sha256": records.sha256}
