"""`qdit.select_dataset`: rows of a Hugging Face data set that are good and diverse, as a data set."""

import hashlib
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..common.optional import require
from ..common.progress import AnyProgressLike
from ..common.types import StrPath
from ..embedding import embed
from ..embedding.options import DEFAULT_MODEL
from ..engine.rows import EmbeddingsLike, open_embeddings
from ..exporting.writers import columns_of
from ..records import import_records
from ..records.records import MANIFEST
from ..selection.api import select
from ..selection.options import SelectOptions
from ..vectors.arrow import find_column, from_arrow, is_vectors

_EXTRA = "data"
_BY_COLUMN = ("quality", "costs", "groups", "labels")  # options that may name a column


@dataclass(frozen=True, kw_only=True)
class DatasetOptions(SelectOptions):
    """All options of `select_dataset`; quality, costs, groups and labels may name columns.

    Attributes:
        text: Column or columns to embed; several are joined by newlines.
        model: That embeds the text, as in `qdit.embed`.
        model_options: Other options of `qdit.embed`, such as {"device": "cuda", "batch_size": 128}; rows of
            zeros that {"zero_rows": "keep"} keeps are never chosen.
        cache: Folder that keeps embeddings of texts for a later call, and those done so far of a stopped one.
        columns: Add qdit_rank (1 for the first pick), qdit_gain and, if there is quality, qdit_quality.

    """

    text: str | Sequence[str] | None = None
    model: str = DEFAULT_MODEL
    model_options: Mapping[str, Any] | None = None
    cache: StrPath | None = None
    columns: bool = False


def select_dataset(
    dataset: Any,
    quality: str | Any = None,
    alpha: float = SelectOptions.alpha,
    k: int | float | None = SelectOptions.k,
    *,
    embeddings: str | EmbeddingsLike | None = None,
    checkpoint: StrPath | None = None,
    progress: AnyProgressLike = None,
    **options: Any,
) -> Any:
    """Select rows of a data set; return them in pick order, as `Dataset.select` does.

    Args:
        dataset: a `datasets.Dataset`.
        quality: a column of scores, or (n,) scores; None needs alpha=0.
        alpha: from 0 (diversity only) to 1 (quality only).
        k: number of rows, or a fraction of them; None as in `qdit.select`.
        embeddings: a column of vectors, or whatever `qdit.select` takes for embeddings. None takes the text,
            if given, else a column called embeddings, embedding or vector, or the only one of vectors.
        checkpoint: as in `qdit.select`.
        progress: True for bars on stderr.
        **options: the others of `DatasetOptions`: text, model, model_options, cache, columns, and those of
            `qdit.select`, of which costs, groups and labels may name columns.

    Returns:
        A `datasets.Dataset` of k rows.

    Raises:
        TypeError: for an IterableDataset or DatasetDict.
        ValueError: for a column that is not there or does not fit, and as `qdit.select`.
        ImportError: without datasets, or without what the model needs.

    """
    asked = DatasetOptions.of("select_dataset", {"quality": quality, "alpha": alpha, "k": k, **options})
    _check(dataset)
    columns = {name: getattr(asked, name) for name in _BY_COLUMN}
    named = {name: _values(dataset, name, of) for name, of in columns.items() if isinstance(of, str)}
    with ExitStack() as held:
        rows: Any = embeddings
        if embeddings is None and asked.text is not None:
            rows = _embedded(dataset, asked, held, progress)
        elif embeddings is None or isinstance(embeddings, str):
            rows = _vectors(dataset, embeddings)
        rows = open_embeddings(rows)
        if rows.n != len(dataset):
            raise ValueError(f"embeddings: got {rows.n} rows for {len(dataset)} of the data set")
        chosen = asked.only(SelectOptions, **named)
        found = select(rows, **vars(chosen), checkpoint=checkpoint, progress=progress)
    picked = dataset.select(found.indices.tolist())
    if asked.columns:
        for name, values in columns_of(found).items():
            if name in picked.column_names:
                raise ValueError(f"columns: the data set has a column {name!r} already; rename it")
            picked = picked.add_column(name, values)
    return picked


def _check(dataset: Any) -> None:
    datasets = require("datasets", _EXTRA, "to select from a Hugging Face data set")
    if isinstance(dataset, datasets.IterableDataset):
        raise TypeError(
            "dataset: got an IterableDataset, wanted a Dataset, as greedy selection compares all rows; load "
            "it without streaming=True"
        )
    if isinstance(dataset, datasets.DatasetDict | datasets.IterableDatasetDict):
        raise TypeError(f"dataset: got a DatasetDict, wanted one of its splits: {', '.join(dataset)}")
    if not isinstance(dataset, datasets.Dataset):
        raise TypeError(f"dataset: got {type(dataset).__name__}, wanted a datasets.Dataset")


def _table(dataset: Any, names: list[str], argument: str) -> Any:
    for name in names:
        if name not in dataset.column_names:
            wanted = ", ".join(map(repr, dataset.column_names))
            raise ValueError(f"{argument}: the data set has no column {name!r}, wanted one of {wanted}")
    return dataset.select_columns(names).with_format("arrow")[:]


def _values(dataset: Any, argument: str, name: str) -> Any:
    column = _table(dataset, [name], argument).column(name)
    if column.null_count:
        row = int(np.argmin(column.is_valid().to_numpy(zero_copy_only=False)))
        raise ValueError(f"{argument}: row {row} of column {name!r} is null, wanted a value for each row")
    return column.to_numpy()


def _vectors(dataset: Any, name: str | None) -> Any:
    if name is None:
        schema = dataset.features.arrow_schema
        if not any(is_vectors(field.type) for field in schema):
            raise ValueError(
                "embeddings: the data set has no column of vectors; name the columns to embed with text=, or "
                "pass embeddings"
            )
        name = find_column(schema, None, "the data set")
    return from_arrow(_table(dataset, [name], "embeddings"), name)


def _folder(cache: StrPath | None, dataset: Any, names: list[str]) -> Any:
    """Return a context manager that gives the folder for the pool of texts."""
    if cache is None:
        return tempfile.TemporaryDirectory(prefix="qdit-")
    key = hashlib.sha256("\n".join([dataset._fingerprint, *names]).encode()).hexdigest()[:16]
    path = Path(cache) / key
    path.mkdir(parents=True, exist_ok=True)
    return nullcontext(path)


def _embedded(dataset: Any, asked: DatasetOptions, held: ExitStack, progress: AnyProgressLike) -> Any:
    """Return embeddings of texts, made in a pool directory, where what is done is kept.

    held: keeps the directory as long as the embeddings are read from it.
    """
    names = [asked.text] if isinstance(asked.text, str) else list(asked.text or ())
    folder = Path(held.enter_context(_folder(asked.cache, dataset, names)))
    if not (folder / MANIFEST).exists():
        pa = require("pyarrow", _EXTRA, "to read data sets")
        compute = require("pyarrow.compute", _EXTRA, "to read data sets")
        table = _table(dataset, names, "text")
        for name in names:
            kind = table.schema.field(name).type
            if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
                raise TypeError(f"text: column {name!r} is {kind}, wanted text")
        texts = compute.binary_join_element_wise(
            *(table.column(name).cast(pa.large_string()) for name in names),
            pa.scalar("\n", pa.large_string()),
            null_handling="skip",
        )
        empty = pa.array([""], pa.large_string()).take(pa.array(np.zeros(len(dataset), np.int64)))
        rows = pa.table({"prompt": texts, "completion": empty})
        import_records(rows, folder, format="prompt", progress=progress)
    options = {"template": "instruction", **(asked.model_options or {})}
    return embed(folder, asked.model, progress=progress, **options).rows
