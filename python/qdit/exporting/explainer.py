"""`qdit.explain`: why a row was chosen, or why not."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..common.types import StrPath
from ..engine.rows import to_float32
from ..records import Records, Row
from . import similar
from .choice import Choice, ChoiceOptions, open_choice

_NEAREST = 3


@dataclass(frozen=True)
class Neighbor:
    """A chosen row that is similar to another one.

    Attributes:
        row: the chosen row.
        rank: 1 for the first pick.
        similarity: to the row that is explained.

    """

    row: Row
    rank: int
    similarity: float


@dataclass(frozen=True)
class Explanation:
    """Why a row was chosen, or why not.

    Attributes:
        row: the row.
        status: "chosen", "not chosen", "given", "excluded" or "zero row".
        rank: 1 for the first pick, None if it was not chosen.
        gain: diversity gain at its pick, or None.
        score: with which it won, or None.
        quality: raw quality, or None if the selection knows none.
        nearest: the most similar chosen rows other than itself, the nearest first.
        final_gain: what it would add at the end, or None if it was chosen.
        final_score: with it, (1 - alpha) * gain_factor * final_gain + alpha * scaled quality.
        last_score: of the last pick, to compare with.
        reason: the above in words.

    """

    row: Row
    status: str
    rank: int | None
    gain: float | None
    score: float | None
    quality: float | None
    nearest: tuple[Neighbor, ...]
    final_gain: float | None
    final_score: float | None
    last_score: float
    reason: str


def explain(row: int | str, selection: StrPath, **options: Any) -> Explanation:
    """Say why a row of the pool was chosen, or why not.

    Args:
        row: its number in the pool, from 0, or its id; text of digits is a number, "id:7" the id "7".
        selection: directory of a selection or an export.
        **options: pool, quality, given, represent, weights, device, threads; see `ChoiceOptions`. Gains are
            found with the backend and precision that the selection was made with.

    Raises:
        FileNotFoundError, ValueError: if there is no such row, or files do not belong together.

    """
    with open_choice(selection, ChoiceOptions.of("explain", options)) as choice:
        return explain_choice(choice, find_row(choice.pool.records, row))


def find_row(records: Records, row: int | str) -> int:
    """Return the number of a row given by number or id; ValueError if there is none."""
    if isinstance(row, str) and not row.isdecimal():
        return records.index_of(row.removeprefix("id:"))
    number = int(row)
    if not 0 <= number < len(records):
        raise ValueError(f"row: got {number}, wanted 0 to {len(records) - 1}; for an id write id:{row}")
    return number


def explain_choice(choice: Choice, row: int) -> Explanation:
    """Explain row number `row` of an opened selection."""
    selection, problem, records = choice.selection, choice.problem, choice.pool.records
    rank = int(choice.ranks[row])
    zero = problem.metric == "cosine" and not to_float32(choice.rows, slice(row, row + 1)).any()
    is_given = bool((problem.given == row).any())
    status = "chosen" if rank else "zero row" if zero else "given" if is_given else "not chosen"
    if status == "not chosen" and (problem.excluded == row).any():
        status = "excluded"
    nearest = () if status == "zero row" else _nearest(choice, row)
    final_gain = final_score = None
    if status == "not chosen":
        engine = similar.covering_engine(problem, selection.indices, choice.threads)
        final_gain = float(similar.gains_of(engine, np.array([row]))[0])
        final_score = choice.weight * final_gain + float(problem.bonus[row])
    found = Explanation(
        row=records.row(row),
        status=status,
        rank=rank or None,
        gain=float(selection.gains[rank - 1]) if rank else None,
        score=float(selection.scores[rank - 1]) if rank else None,
        quality=None if problem.quality is None else float(problem.quality[row]),
        nearest=nearest,
        final_gain=final_gain,
        final_score=final_score,
        last_score=float(selection.scores[-1]),
        reason="",
    )
    return replace(found, reason=_reason(choice, found))


def _nearest(choice: Choice, row: int) -> tuple[Neighbor, ...]:
    chosen, problem = choice.selection.indices, choice.problem
    engine = problem.engine(threads=choice.threads)
    sims = engine.similarities(np.array([row]), chosen)[0] / engine.scale
    order = np.argsort(-sims, kind="stable")
    order = order[chosen[order] != row][:_NEAREST]
    records = choice.pool.records
    return tuple(Neighbor(records.row(int(chosen[i])), int(i) + 1, float(sims[i])) for i in order)


def _reason(choice: Choice, found: Explanation) -> str:
    selection = choice.selection
    method, k = choice.method, len(selection)
    if found.status == "chosen":
        return (
            f"It was pick {found.rank:,} of {k:,}: it raised the summed coverage by {found.gain:.6g}, which "
            f"gave the score {found.score:.6g}."
        )
    if found.status == "given":
        return "It was given as chosen already, so it counts as covered and is not picked again."
    if found.status == "excluded":
        return "It was excluded, so it could not be picked."
    if found.status == "zero row":
        return "Its embedding is zero, so it has no cosine similarity and was left out."
    assert found.final_gain is not None
    assert found.final_score is not None
    near = found.nearest[0] if found.nearest else None
    if "tau" in selection.params and near is not None and near.similarity > selection.params["tau"]:
        return (
            f"Its similarity {near.similarity:.4f} to row {near.row.index} (pick {near.rank:,}) is above tau "
            f"= {selection.params['tau']:g}."
        )
    if method is not None and method.why_not:
        last = None if selection.quality is None else selection.quality[-1]
        return method.why_not.format(quality=found.quality, last_quality=last)
    end = f"After all {k:,} picks it would add {found.final_gain:.6g}, which makes a score of " + (
        f"{found.final_score:.6g}; the last pick had {found.last_score:.6g}."
    )
    if method is None or not method.greedy:
        return f"Method {selection.params['method']} did not reach it. {end}"
    if found.final_score > found.last_score:
        missed = f"method {method.name} did not weigh all rows"
        why = f"the {' and '.join(choice.limits)}" if choice.limits else missed
        return f"{end} It was passed over: {why}."
    if near is None:
        return end
    return f"{end} The nearest chosen row is {near.row.index} (similarity {near.similarity:.4f})."
