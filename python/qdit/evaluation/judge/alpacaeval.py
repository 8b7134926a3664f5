"""Win rates from alpaca_eval's annotation files, and beside those of its leaderboards."""

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ...common.types import StrPath
from ...records.formats import text_of
from ...records.row import RowError
from ..fields import Object, read_rows
from ..printed import passes
from ..tables import Table
from .pairwise import Outcome

_TIE = 1.5


class MismatchError(RuntimeError):
    """A recomputed number is not the published one."""


@dataclass(frozen=True)
class Annotation:
    """A judge's preference between two outputs.

    Attributes:
        dataset: part of the evaluation set, or None.
        preference: from 1 (output_1, the reference, is better) to 2 (output_2, the model's, is better); None
            if there is none.
        length: characters of output_2.

    """

    dataset: str | None
    preference: float | None
    length: int

    @property
    def outcome(self) -> Outcome:
        """Return 1, 0 or -1 for the model; None without a preference."""
        return None if self.preference is None else (self.preference > _TIE) - (self.preference < _TIE)


@dataclass(frozen=True)
class WinRate:
    """What a leaderboard says of a model, as alpaca_eval computes it, to the last bit.

    Attributes:
        model, reference: generators of output_2 and output_1.
        win_rate: in percent, the mean of preference - 1 over annotations that have one; a tie (0, as older
            files write it, or 1.5) counts half.
        standard_error: in percent, of that mean, with n - 1; NaN for n = 1.
        discrete_win_rate: in percent, wins and half the draws.
        n_wins, n_wins_base, n_draws, n_total: annotations above, below and at 1.5, and all three.
        n_null: annotations without a preference; they count nowhere else.
        avg_length: characters of output_2 on average over all annotations, rounded down.

    """

    model: str
    reference: str
    win_rate: float
    standard_error: float
    discrete_win_rate: float
    n_wins: int
    n_wins_base: int
    n_draws: int
    n_total: int
    n_null: int
    avg_length: int

    @property
    def winning_score(self) -> float:
        """(won - lost) / total + 1, twice the discrete win rate as a share."""
        return (self.n_wins - self.n_wins_base) / self.n_total + 1


def read_annotations(path: StrPath) -> tuple[str, str, list[Annotation]]:
    """Return the model, its reference, and the annotations of a file.

    Args:
        path: JSON array or JSON Lines, plain or compressed, of objects with preference (1 to 2, 0 for a
            tie, or null), output_2, generator_1 and generator_2, perhaps dataset.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: that names file, row and field.

    """
    rows = read_rows("annotations", path, _annotation).values()
    generators = {(model, reference) for model, reference, _ in rows}
    if len(generators) != 1:
        raise ValueError(f"{path}: got {len(generators)} pairs of generators, wanted one")
    model, reference = generators.pop()
    return model, reference, [annotation for _, _, annotation in rows]


def win_rate(path: StrPath) -> WinRate:
    """Return the win rate of a file of annotations; errors as in `read_annotations`."""
    model, reference, found = read_annotations(path)
    shares = [one.preference - 1 for one in found if one.preference is not None]
    n = len(shares)
    if n == 0:
        raise ValueError(f"{path}: none of {len(found)} annotations has a preference")
    outcomes = [one.outcome for one in found]
    wins, losses, draws = (outcomes.count(one) for one in (1, -1, 0))
    values = np.array(shares, np.float64)
    # in pandas' order of operations (Series.mean, Series.sem), on which the last digits depend
    mean = float(values.sum()) / n
    variance = float(((mean - values) ** 2).sum()) / (n - 1) if n > 1 else math.nan
    return WinRate(
        model=model,
        reference=reference,
        win_rate=mean * 100,
        standard_error=math.sqrt(variance) / math.sqrt(n) * 100,
        discrete_win_rate=(wins + draws / 2) / n * 100,
        n_wins=wins,
        n_wins_base=losses,
        n_draws=draws,
        n_total=n,
        n_null=len(found) - n,
        avg_length=sum(one.length for one in found) // len(found),
    )


def read_leaderboard(path: StrPath) -> list[dict[str, str]]:
    """Return the rows of a leaderboard, as text; ValueError if it is no CSV file with a column win_rate."""
    try:
        with Path(path).open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path}: is no CSV file in UTF-8 ({error}); wanted a leaderboard") from None
    if not rows or "win_rate" not in rows[0]:
        raise ValueError(f"{path}: got no rows with a column 'win_rate', wanted a leaderboard of alpaca_eval")
    return rows


def find_row(model: str, leaderboard: Sequence[Mapping[str, str]]) -> Mapping[str, str]:
    """Return a model's row: by its name, or by the folder of its outputs in the column samples.

    Raises:
        ValueError: if there is none, or more than one.

    """
    named = [row for row in leaderboard if model in (row.get("name"), row.get(""))]
    found = named or [row for row in leaderboard if f"/{model}/" in (row.get("samples") or "")]
    if len(found) != 1:
        raise ValueError(f"leaderboard: got {len(found)} rows of model {model!r}, wanted one")
    return found[0]


COLUMNS = (
    *("win_rate", "standard_error", "discrete_win_rate"),
    *("n_wins", "n_wins_base", "n_draws", "n_total", "avg_length"),
)


class Compared(NamedTuple):
    """A recomputed number, the published one as it is printed, and how often it was rewritten.

    Attributes:
        column: of the leaderboard.
        ours: the number that alpaca_eval's code gives.
        printed: the published one.
        passes: how often pandas read and wrote the file since, each of which may change the last digit
            (`qdit.evaluation.printed`); None if no number of passes explains a difference.

    """

    column: str
    ours: float
    printed: str
    passes: int | None

    @property
    def same(self) -> bool:
        """Whether the number is the published one, to the last printed digit."""
        return self.passes is not None


def compare(found: WinRate, row: Mapping[str, str]) -> list[Compared]:
    """Return a comparison for each column that both have."""
    compared = []
    for column in COLUMNS:
        printed = (row.get(column) or "").strip()
        if printed:
            ours = getattr(found, column)
            try:
                rewritten = passes(ours, printed)
            except (ValueError, ArithmeticError):
                raise ValueError(
                    f"leaderboard: {column} of {found.model!r} is {printed!r}, wanted a number"
                ) from None
            compared.append(Compared(column, ours, printed, rewritten))
    return compared


def comparison_table(compared: Sequence[tuple[str, Sequence[Compared]]]) -> Table:
    """Return a table of what `compare` found for each model."""
    columns = ("model", "column", "recomputed", "leaderboard", "difference", "agree")
    rows = []
    for model, found in compared:
        for one in found:
            off = f"{float(one.printed) - one.ours:.1g}"
            rows.append([model, one.column, str(one.ours), one.printed, off, _agreement(one)])
    return Table(columns, rows)


def win_rate_table(found: Sequence[WinRate]) -> Table:
    """Return a table of win rates."""
    columns = (*COLUMNS, "n_null", "winning_score")
    rows = [[one.model, one.reference, *(getattr(one, column) for column in columns)] for one in found]
    return Table(("model", "reference", *columns), rows, digits=2)


def _agreement(one: Compared) -> str:
    if one.passes:
        return f"yes, rewritten by pandas {'once' if one.passes == 1 else f'{one.passes} times'}"
    return "yes" if one.same else "NO"


def _annotation(_: int, value: Object) -> tuple[str, str, Annotation]:
    length = len(text_of(value, "output_2"))
    found = Annotation(value.get("dataset"), _preference(value), length)
    return text_of(value, "generator_2"), text_of(value, "generator_1"), found


def _preference(value: Object) -> float | None:
    found = value.get("preference", "missing")
    if found is None or (isinstance(found, float) and math.isnan(found)):
        return None
    if isinstance(found, int | float) and not isinstance(found, bool):
        if found == 0:
            return _TIE
        if 1 <= found <= 2:
            return float(found)
    raise RowError("preference", f"is {found!r}, wanted 1 to 2, 0 for a tie, or null")
