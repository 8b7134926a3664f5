"""How near the chosen training instructions come to each question: a measure that needs no trained model."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...common import files
from ...common.progress import RowProgressLike
from ...common.text import names_of
from ...common.types import JSON, Floats, Indices, StrPath
from ...engine.rows import EmbeddingsLike, Rows, check_rows, open_embeddings, to_float32
from ...exporting.named import SelectionsLike, labelled, read_selection
from ...generation.questions import Question
from ...selection.problem import row_indices
from ...selection.selection import Selection
from ..results import Value, check_new, write_result, write_rows, write_tables
from ..sets import QuestionsLike, open_questions
from ..stats import Bootstrap
from ..tables import Table
from .questions import EncodingOptions, open_encoding, question_vectors
from .tables import Measured, coverage_tables, coverage_values

RESULT, ROWS = "coverage.json", "rows.jsonl"
_CHOSEN_BLOCK = 4096  # rows, so that a block of similarities stays within some 64 MB
_QUESTION_BLOCK = 2048


def nearest(
    embeddings: EmbeddingsLike, chosen: Selection | ArrayLike, questions_embeddings: ArrayLike
) -> tuple[Floats, Indices]:
    """Return for each question the cosine similarity to the nearest chosen row, and that row.

    In blocks and in float64; only chosen rows are read. Of equally near rows the first in `chosen` counts.

    Args:
        embeddings: the pool, (n, d) float16, bfloat16, float32 or float64, array or path, as in
            `qdit.select`; it need not be normalized.
        chosen: (k,) row numbers, or a `Selection`. Rows of zeros are near to nothing.
        questions_embeddings: (m, d) of the same model.

    Returns:
        Similarities, (m,) float64, and row numbers of the pool, (m,) int64; NaN and -1 for questions whose
        vector is zero.

    Raises:
        ValueError: for another number of dimensions, row numbers that are repeated or out of range, or if
            there is no chosen row but zeros.

    """
    rows = open_embeddings(embeddings)
    picked = row_indices("chosen", getattr(chosen, "indices", chosen), rows.n)
    asked = check_rows("questions_embeddings", questions_embeddings)
    if asked.d != rows.d:
        raise ValueError(
            f"questions_embeddings: got {asked.d} dimensions, the pool has {rows.d}; embed the "
            "questions with the model of the pool"
        )
    similarity = np.full(asked.n, -np.inf)
    row = np.full(asked.n, -1, np.int64)
    for start in range(0, len(picked), _CHOSEN_BLOCK):
        numbers = picked[start : start + _CHOSEN_BLOCK]
        unit, zero = _unit(rows, numbers)
        unit, numbers = unit[~zero], numbers[~zero]
        if len(numbers):
            _take_nearer(asked, unit, numbers, similarity, row)
    if (row < 0).all():
        raise ValueError("chosen: got no rows, or none but zeros; wanted at least one row with a direction")
    for first in range(0, asked.n, _QUESTION_BLOCK):
        part = slice(first, first + _QUESTION_BLOCK)
        none = _unit(asked, part)[1]
        similarity[part][none], row[part][none] = np.nan, -1
    return np.clip(similarity, -1.0, 1.0), row


def _take_nearer(asked: Rows, unit: Floats, numbers: Indices, similarity: Floats, row: Indices) -> None:
    """Update what is nearest to each question by a block of chosen rows, (b, d) of length 1."""
    for first in range(0, asked.n, _QUESTION_BLOCK):
        part = slice(first, first + _QUESTION_BLOCK)
        found = _unit(asked, part)[0] @ unit.T
        best = found.argmax(axis=1)
        value = found[np.arange(len(found)), best]
        better = value > similarity[part]
        similarity[part][better], row[part][better] = value[better], numbers[best[better]]


def _unit(rows: Rows, which: Indices | slice) -> tuple[Floats, NDArray[np.bool_]]:
    """Return some rows scaled to length 1, float64, and which of them are zero."""
    exact = rows.dtype == "float64"
    part = np.asarray(rows.array[which] if exact else to_float32(rows, which), np.float64)
    norms = np.sqrt(np.einsum("ij,ij->i", part, part))
    zero = norms == 0
    return part / np.where(zero, 1.0, norms)[:, None], zero


@dataclass(frozen=True, eq=False)
class Coverage:
    """What `evaluate_coverage` measured.

    Attributes:
        measured: questions, selections, similarities and nearest rows.
        values: means and tails, with intervals.
        tables: by name: "mean" and "worst" (rows: selections, columns: sets), "difference" (to the first
            selection, on the same questions; from two selections on), and for each set with categories asked
            for "<set>" (rows: categories, columns: selections).

    """

    measured: Measured
    values: Sequence[Value]
    tables: Mapping[str, Table]


@dataclass(frozen=True, kw_only=True)
class CoverageOptions(EncodingOptions, Bootstrap):
    """How questions are embedded, and what is told of them.

    Attributes:
        categories: Sets that get a table by category.
        cache: Folder that keeps embedded questions, by the hash of texts and model; by default the folder
            questions in out.

    """

    categories: str | Sequence[str] = "wizardlm"
    cache: StrPath | None = None

    def _check(self) -> None:
        self._set("categories", names_of(self.categories))


def evaluate_coverage(
    selections: SelectionsLike,
    questions: QuestionsLike,
    out: StrPath | None = None,
    *,
    vectors: ArrayLike | None = None,
    progress: RowProgressLike = None,
    overwrite: bool = False,
    **options: Any,
) -> Coverage:
    """Measure how near selections come to evaluation questions, several selections side by side.

    For each question it is the cosine similarity to the nearest chosen row; on average, and over the worst
    tenth of the questions of a set, for each selection its own.

    Args:
        selections: {label: directory, .npy file of row numbers, `Selection` or array}, or paths or
            "label=path" in a list or between commas.
        questions: {set: file} or "set=file" in a list or between commas, sets as in `load_questions`; or
            questions.
        out: directory for coverage.json, rows.jsonl (a line for each question) and the tables; None writes
            nothing.
        vectors: (m, d) embeddings of all questions in order, made elsewhere; then no model is needed.
        progress: True for a bar on stderr, or a callable that takes a `qdit.records.RowProgress`.
        overwrite: replace results that are in `out` already.
        options: those of `CoverageOptions`.

    Raises:
        FileNotFoundError, TypeError, ValueError: for what cannot be read, or does not belong together: a
            selection of another pool, another model, another dimension.

    """
    given = CoverageOptions.of("evaluate_coverage", options)
    start = time.perf_counter()
    folder = None if out is None else Path(out)
    asked = open_questions(questions)
    rows, encoding = open_encoding(given, needed=vectors is None)
    chosen = {label: read_selection(source, rows) for label, source in labelled(selections).items()}
    bootstrap = {name: getattr(given, name) for name in Bootstrap.names()}
    settings = {
        "selections": [
            {"label": label, "k": len(indices), "sha256": files.sha256_array(indices)}
            for label, indices in chosen.items()
        ],
        "questions": {"n": len(asked), "sha256": asked.sha256, "notes": list(asked.notes)},
        "embeddings": {"source": rows.source, "shape": [rows.n, rows.d], "dtype": rows.dtype},
        "model": "vectors made elsewhere" if encoding is None else encoding.describe(),
        "bootstrap": bootstrap,
    }
    if folder is not None:
        check_new(folder / RESULT, settings, overwrite)
    if encoding is not None:
        kept = folder / "questions" if given.cache is None and folder is not None else given.cache
        vectors = question_vectors(asked, encoding, kept, progress)
    assert vectors is not None  # given, or made here
    measured = _measure(asked, rows, chosen, vectors)
    values = list(coverage_values(measured, **bootstrap))
    coverage = Coverage(measured, values, coverage_tables(measured, values, given.categories, given.level))
    if folder is not None:
        _write(folder, coverage, settings, time.perf_counter() - start)
    return coverage


def _measure(
    asked: Sequence[Question], rows: Rows, chosen: Mapping[str, Indices], vectors: ArrayLike
) -> Measured:
    found = [nearest(rows, indices, vectors) for indices in chosen.values()]
    if len(found[0][0]) != len(asked):
        raise ValueError(f"vectors: got {len(found[0][0])} rows, wanted {len(asked)}, one a question")
    similarity, row = (np.stack(parts) for parts in zip(*found, strict=True))
    return Measured(asked, {label: len(indices) for label, indices in chosen.items()}, similarity, row)


def _write(folder: Path, coverage: Coverage, settings: JSON, seconds: float) -> None:
    """Write rows and tables, and last the result: where there is one, everything else is there too."""
    with files.new_files(folder, RESULT) as made:
        rows = write_rows(made / ROWS, _rows(coverage.measured))
        write_tables(made, "coverage", coverage.tables)
        report = {
            "questions_without_vector": int(np.isnan(coverage.measured.similarity[0]).sum()),
            "seconds": seconds,
            "files": {ROWS: rows},
        }
        write_result(made / RESULT, "coverage", settings, coverage.values, report)


def _rows(measured: Measured) -> Iterator[JSON]:
    for number, question in enumerate(measured.questions):
        near = {
            label: {"similarity": None if np.isnan(value) else float(value), "row": int(row)}
            for label, value, row in zip(
                measured.sizes, measured.similarity[:, number], measured.nearest[:, number], strict=True
            )
        }
        yield {**asdict(question), "nearest": near}
