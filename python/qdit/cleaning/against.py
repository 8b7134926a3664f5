"""Rows of evaluation sets: what is asked in each, from files of any layout, and their vectors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..common import files, npy
from ..common.identity import differences, digest
from ..common.types import JSON, Array
from ..embedding.encoder import Encoder
from ..embedding.job import encoder_class, finished
from ..embedding.options import EmbedOptions
from ..records.options import ImportOptions
from ..records.pool import Pool
from ..records.row import RowError
from ..records.schemas import make_decoders, read_rows
from ..records.sources import Source, find_files, resolve
from ..records.textfiles import read_file
from ..records.typed import open_batches
from .options import DecontaminateOptions

_QUESTIONS = (  # columns that hold what is asked, in lower case, the likelier first
    *("question", "problem", "instruction", "prompt", "query", "goal", "messages", "conversations", "turns"),
    *("text", "input"),
)
_MORE = ("input", "context")  # what an instruction is about
_SAID = ("content", "value", "text")
_ASKED_BY = ("user", "human")
_CHUNK = 512  # rows whose vectors are kept at a time
_OF_FILES = ("template", "chunk_rows", "window_rows", "zero_rows")  # of options: what decides no vector
_NO_VECTORS = "pass by ngram, or vectors (--vectors) with a .npy file for each set"


@dataclass(frozen=True)
class EvaluationRow:
    """A row of an evaluation set.

    Attributes:
        set: label of its set.
        row: its number there.
        text: what is asked.

    """

    set: str
    row: int
    text: str


def find_sets(asked: DecontaminateOptions) -> list[Source]:
    """Return the sets; FileNotFoundError for a file that is not there."""
    against: Any = asked.against
    if isinstance(against, str):
        against = [part.strip() for part in against.split(",") if part.strip()]
    return resolve(against, ImportOptions(split=asked.split, subset=asked.subset))


def describe_sets(sources: Sequence[Source]) -> list[JSON]:
    """Return what decides the rows of the sets: names, and hashes of files."""
    described = []
    for source in sources:
        found = find_files(source)
        hashes = [] if found is None else [files.sha256_file(path) for path in found.files if path.is_file()]
        described.append({"name": source.name, **source.describe(), "sha256": hashes})
    return described


def read_sets(sources: Sequence[Source], columns: Sequence[str] | str | None) -> list[EvaluationRow]:
    """Return the rows of all sets.

    columns: those whose texts are compared; None to look for the question.

    Raises:
        ValueError: that names set and row where there is no question, or no such column.

    """
    names = columns.split(",") if isinstance(columns, str) else columns
    rows: list[EvaluationRow] = []
    for source in sources:
        before = len(rows)
        for number, value in enumerate(_values(source)):
            where = f"against: {source.name}, row {number}"
            if isinstance(value, RowError) or not isinstance(value, Mapping):
                raise ValueError(f"{where}: {value}; mend the file") from None
            rows.append(EvaluationRow(str(source.name), number, _question(where, value, names)))
        if len(rows) == before:
            raise ValueError(f"against: {source.name} has no rows; pass a set with rows")
    return rows


def _values(source: Source) -> Iterator[Any]:
    found = find_files(source)
    if found is not None and found.kind == "text":
        for path in found.files:
            yield from (item.value if item.error is None else item.error for item in read_file(path))
    elif isinstance(source.location, list | tuple):
        yield from source.location
    else:
        batches = open_batches(source, found)
        decoders = make_decoders(batches.schema)
        for _, _, batch in batches:
            yield from read_rows(batch, decoders)


def _question(where: str, row: Mapping[str, Any], columns: Sequence[str] | None) -> str:
    if columns is not None:
        for name in columns:
            if name not in row:
                raise ValueError(f"{where}: no column {name!r}, wanted some of {', '.join(row)}; see columns")
        return "\n".join(filter(None, (_text(row[name]) for name in columns)))
    lower = {str(name).lower(): value for name, value in row.items()}
    asked = next((name for name in _QUESTIONS if _text(lower.get(name))), None)
    if asked is None:
        raise ValueError(
            f"{where}: no column that looks like a question among {', '.join(map(str, row))}; name those to "
            "compare with columns (--columns)"
        )
    more = [_text(lower.get(name)) for name in _MORE] if asked == "instruction" else []
    instances = lower.get("instances")  # of Self-Instruct
    if isinstance(instances, list) and instances and isinstance(instances[0], Mapping):
        more.append(_text(instances[0].get("input")))
    return "\n".join(filter(None, [_text(lower[asked]), *more]))


def _text(value: Any) -> str:
    """Return the text of a value: text, the first of several texts, or the first turn of a chat."""
    if isinstance(value, str):
        return value if value.strip() else ""
    if isinstance(value, Mapping):
        said = next((value[name] for name in _SAID if isinstance(value.get(name), str)), "")
        return str(said)
    if isinstance(value, list) and value:
        asked = [one for one in value if isinstance(one, Mapping) and _speaker(one) in _ASKED_BY]
        return _text((asked or value)[0])
    return ""


def _speaker(turn: Mapping[str, Any]) -> str:
    return str(turn.get("role", turn.get("from", ""))).lower()


def vector_files(paths: str | Path | Sequence[str]) -> list[Path]:
    """Return the files; FileNotFoundError for one that is not there."""
    given = paths.split(",") if isinstance(paths, str) else [paths] if isinstance(paths, Path) else paths
    found = [Path(path) for path in given]
    for path in found:
        if not path.is_file():
            raise FileNotFoundError(f"vectors: no such file: {path}")
    return found


def open_vectors(paths: str | Path | Sequence[str], rows: Sequence[EvaluationRow], d: int) -> Array:
    """Return vectors of evaluation rows that were made elsewhere, (m, d) float32.

    paths: .npy files, one for each set.
    """
    given = vector_files(paths)
    labels = list(dict.fromkeys(row.set for row in rows))
    if len(given) != len(labels):
        raise ValueError(f"vectors: got {len(given)} files for {len(labels)} sets, wanted one for each")
    parts = []
    for label, path in zip(labels, given, strict=True):
        array = npy.open_npy("vectors", path)
        count = sum(row.set == label for row in rows)
        if array.shape != (count, d) or array.dtype.kind != "f":
            raise ValueError(
                f"vectors: {path} has {array.dtype.name} of shape {array.shape}, wanted floats of "
                f"({count}, {d}), one row for each of {label} and as many columns as the pool's embeddings"
            )
        parts.append(np.asarray(array, np.float32))
    return np.concatenate(parts)


def embed_rows(
    pool: Pool,
    rows: Sequence[EvaluationRow],
    folder: Path,
    *,
    local_files_only: bool = False,
    tick: Callable[[float], None] = lambda share: None,
) -> Array:
    """Return vectors of evaluation rows by the model that made the pool's embeddings, (m, d) float32.

    folder: where those that are done are kept, chunk by chunk.

    Raises:
        ValueError: if the pool's embeddings were not made by qdit embed, or the model is another now.

    """
    manifest = pool.manifests.get("embeddings") or {}
    if "settings" not in manifest:
        raise ValueError(
            f"{pool.directory}: its embeddings were not made by qdit embed, so evaluation rows "
            f"cannot be compared with them; {_NO_VECTORS}"
        )
    known = {name: value for name, value in manifest["settings"].items() if value is not None}
    taken = {name: known[name] for name in EmbedOptions.names() if name in known and name not in _OF_FILES}
    options = EmbedOptions(**taken, local_files_only=local_files_only)
    parts = []
    with ExitStack() as stack:
        encoder: Encoder | None = None
        for start in range(0, len(rows), _CHUNK):
            texts = [row.text for row in rows[start : start + _CHUNK]]
            path = folder / f"{digest([manifest['model'], known, texts])[:32]}.npy"
            if not path.is_file():
                encoder = encoder or stack.enter_context(_same_encoder(pool, manifest["model"], options))
                vectors = encoder.encode(texts, list(range(start, start + len(texts))), lambda done: None)
                folder.mkdir(parents=True, exist_ok=True)
                files.write_npy(path, finished(np.asarray(vectors), options))
            parts.append(np.asarray(np.load(path, allow_pickle=False), np.float32))
            tick(min(1.0, (start + _CHUNK) / len(rows)))
    return np.concatenate(parts)


def _same_encoder(pool: Pool, then: JSON, options: EmbedOptions) -> Encoder:
    """Return what encodes; ValueError if it is not what made the pool's embeddings."""
    encoder = encoder_class(options)(options)
    changes = differences(then, encoder.identity(), "model")
    if changes:
        raise ValueError(f"{pool.directory}: {'; '.join(changes)}; embed the pool again")
    return encoder
