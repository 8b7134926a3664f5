"""Why every row of the pool was chosen or not: one table, written in pieces."""

import importlib.util
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..common.files import new_file
from ..common.optional import require
from ..common.types import JSON, Floats, Indices
from ..records.store import to_json
from . import similar
from .choice import Choice

FORMATS = ("auto", "parquet", "jsonl", "none")
FINAL_GAINS = ("auto", "all", "none")
STATUSES = ("not chosen", "chosen", "given", "zero row")
_MOST_ROWS = 100_000  # "auto": evaluating all gains takes n x n products
_PIECE = 1 << 15

Phase = Callable[[str], Callable[[float], None]]


@dataclass(frozen=True, eq=False)
class Decisions:
    """What became of every row, arrays of shape (n,).

    Attributes:
        status: int8, a place in `STATUSES`.
        rank: 1 for the first pick, 0 for rows not chosen.
        nearest: row number of the most similar chosen row, for a chosen row of another one; -1 for none.
        similarity: with it; NaN for none.
        final_gain: what each row that was not chosen would add at the end; NaN where not known.
        final_score: with it, on the scale of the picks' scores.

    """

    status: NDArray[np.int8]
    rank: Indices
    nearest: Indices
    similarity: Floats
    final_gain: Floats
    final_score: Floats


def decide(choice: Choice, *, final_gains: str, phase: Phase) -> Decisions:
    """Work out the decisions of a selection.

    final_gains: "all", "none", or "auto", which is "all" up to 100,000 rows. phase(name): called as a part of
        the work begins; what it returns is called with the share that is done.
    """
    rows, chosen, n = choice.rows, choice.selection.indices, choice.rows.n
    how: JSON = {"metric": choice.metric, "threads": choice.threads}
    where, similarity = similar.nearest_chosen(rows, chosen, **how, tick=phase("nearest"))
    zero = where < 0
    where[chosen], similarity[chosen] = similar.nearest_other(rows, chosen, **how, tick=phase("picks"))
    nearest = np.where(where >= 0, chosen[where], -1)
    status = np.zeros(n, np.int8)
    status[zero] = STATUSES.index("zero row")
    status[chosen] = STATUSES.index("chosen")
    final_gain, final_score = np.full(n, np.nan), np.full(n, np.nan)
    if final_gains == "all" or (final_gains == "auto" and n <= _MOST_ROWS):
        problem = choice.problem
        status[problem.given] = STATUSES.index("given")
        rest = np.flatnonzero(status == 0)
        engine = similar.covering_engine(problem, chosen, choice.threads, phase("covering"))
        final_gain[rest] = similar.all_gains(engine, int(chosen[0]), phase("final gains"))[rest]
        final_score[rest] = choice.weight * final_gain[rest] + problem.bonus[rest]
    return Decisions(status, choice.ranks, nearest, similarity, final_gain, final_score)


def resolve_format(name: str) -> str:
    """Return the format that "auto" means here: Parquet where pyarrow is installed."""
    if name == "auto":
        return "parquet" if importlib.util.find_spec("pyarrow") is not None else "jsonl"
    return name


def write(path: Path, choice: Choice, decisions: Decisions, tick: Callable[[float], None]) -> None:
    """Write the table to a .parquet or .jsonl file, atomically, a piece of rows at a time."""
    with new_file(path) as temporary:
        if path.suffix == ".parquet":
            _write_parquet(temporary, choice, decisions, tick)
        else:
            with temporary.open("wb") as file:
                for piece in _pieces(choice, decisions, tick):
                    names = list(piece)
                    for values in zip(*(_plain(column) for column in piece.values()), strict=True):
                        file.write(to_json(dict(zip(names, values, strict=True))) + b"\n")


def _write_parquet(path: Path, choice: Choice, decisions: Decisions, tick: Callable[[float], None]) -> None:
    pa, pq = require("pyarrow", "data", "to write Parquet"), require("pyarrow.parquet", "data", "to write it")
    real, whole, words = pa.float64(), pa.int64(), pa.dictionary(pa.int32(), pa.string())
    types = {"id": pa.string(), "source": words, "status": words, "kept": pa.bool_()}
    types |= dict.fromkeys(("row", "rank", "nearest_row", "nearest_rank"), whole)
    writer: Any = None
    try:
        for piece in _pieces(choice, decisions, tick):
            if writer is None:
                schema = pa.schema([(name, types.get(name, real)) for name in piece])
                writer = pq.ParquetWriter(path, schema)
            columns = [pa.array(_plain(column), schema.field(name).type) for name, column in piece.items()]
            writer.write_table(pa.Table.from_arrays(columns, schema=schema))
    finally:
        if writer is not None:
            writer.close()


def _pieces(choice: Choice, decisions: Decisions, tick: Callable[[float], None]) -> Iterator[JSON]:
    """Yield columns of consecutive rows; missing numbers are NaN or None."""
    selection, n = choice.selection, len(decisions.rank)
    ids = iter(choice.pool.records.ids())
    codes, labels = choice.pool.records.sources()
    quality = choice.scores
    for start in range(0, n, _PIECE):
        part = slice(start, min(n, start + _PIECE))
        rank = decisions.rank[part]
        kept = rank > 0
        nearest = decisions.nearest[part]
        piece: JSON = {
            "row": np.arange(part.start, part.stop),
            "id": list(islice(ids, part.stop - part.start)),
            "source": [labels[code] for code in codes[part].tolist()],
            "kept": kept,
            "status": [STATUSES[code] for code in decisions.status[part].tolist()],
            "rank": _or_none(rank, kept),
            "gain": _at_pick(selection.gains, rank),
            "score": _at_pick(selection.scores, rank),
        }
        if quality is not None:
            piece["quality"] = quality[part]
        yield piece | {
            "nearest_row": _or_none(nearest, nearest >= 0),
            "nearest_rank": _or_none(decisions.rank[nearest], nearest >= 0),
            "similarity": decisions.similarity[part],
            "final_gain": decisions.final_gain[part],
            "final_score": decisions.final_score[part],
        }
        tick(part.stop / n)


def _at_pick(values: Floats, rank: Indices) -> Floats:
    return np.where(rank > 0, values[rank - 1], np.nan)


def _or_none(values: Indices, there: NDArray[np.bool_]) -> list[int | None]:
    return [value if is_there else None for value, is_there in zip(values.tolist(), there, strict=True)]


def _plain(column: Any) -> list[Any]:
    values = column.tolist() if isinstance(column, np.ndarray) else column
    return [None if isinstance(value, float) and math.isnan(value) else value for value in values]
