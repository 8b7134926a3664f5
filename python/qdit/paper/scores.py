"""Numbers of a study, question by question, put together over seeds."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..common.types import Floats
from ..evaluation.results import ROWS
from ..evaluation.stats import Interval
from .cells import Runner
from .paired import Sample
from .study import Cell

Key = tuple[str, str]  # set and id of a question
Group = tuple[str, str, int, str]  # pool, model, k, family of the method
SHARE = 0.1  # of the questions that are called worst, or best
_OUTCOMES = {"won": 2.0, "tied": 1.0, "lost": 0.0}
_NUMBERS = {"hh": "reward", "loss": "loss", "judge": "outcome"}  # where a row has it


@dataclass(frozen=True, eq=False)
class Scores:
    """One number for each question and model.

    Attributes:
        evaluation: "hh" (reward), "judge" (winning score of the question: 0 lost, 1 tied, 2 won, the mean of
            both orders) or "loss" (nats).
        questions: set and id of those that every model has a number for.
        categories: category of each, or None.
        runs: (m,) numbers for each seed, by group.
        left_out: questions without a number for some model.

    """

    evaluation: str
    questions: Sequence[Key]
    categories: Sequence[str | None]
    runs: Mapping[Group, Sequence[Floats]]
    left_out: int

    @property
    def lower_is_better(self) -> bool:
        """Whether the worst are the largest."""
        return self.evaluation == "loss"

    def sample(self, group: Group, share: float | None, best: bool, rows: Sequence[int] | None) -> Sample:
        """Return the mean, or that of the worst or best share, over the questions or some of them.

        Signs are turned where that makes the wanted share the lowest; `value` turns them back.
        """
        runs = [values if rows is None else values[np.asarray(rows)] for values in self.runs[group]]
        return Sample([self._sign(best) * values for values in runs], share)

    def value(
        self,
        group: Group,
        *,
        share: float | None = None,
        best: bool = False,
        rows: Sequence[int] | None = None,
    ) -> Interval:
        """Return the statistic with its interval over questions, seeds averaged."""
        return self._turned(self.sample(group, share, best, rows).interval(), best)

    def less(self, group: Group, other: Group, *, share: float | None = None, best: bool = False) -> Interval:
        """Return the paired difference of two groups."""
        samples = [self.sample(one, share, best, None) for one in (group, other)]
        return self._turned(samples[0].less(samples[1]), best)

    def _sign(self, best: bool) -> float:
        return -1.0 if best != self.lower_is_better else 1.0

    def _turned(self, found: Interval, best: bool) -> Interval:
        if self._sign(best) > 0:
            return found
        return Interval(-found.mean, -found.high, -found.low, found.n)


def group_of(cell: Cell) -> Group:
    """Return what a cell has in common with those of other seeds."""
    return cell.pool, cell.model, cell.k, cell.method.family


def collect(runner: Runner, cells: Iterable[Cell], evaluation: str) -> Scores:
    """Read the rows that an evaluation left for each cell."""
    found: dict[Cell, dict[Key, float]] = {}
    categories: dict[Key, str | None] = {}
    for cell in cells:
        rows = runner.place.model(cell) / evaluation / ROWS
        found[cell] = read_rows(rows, evaluation, categories)
    common = [key for key in categories if all(key in numbers for numbers in found.values())]
    runs: dict[Group, list[Floats]] = {}
    for cell, numbers in found.items():
        runs.setdefault(group_of(cell), []).append(np.array([numbers[key] for key in common], np.float64))
    kept = [categories[key] for key in common]
    return Scores(evaluation, common, kept, runs, len(categories) - len(common))


def read_rows(path: Path, evaluation: str, categories: dict[Key, str | None]) -> dict[Key, float]:
    """Return the number of every question in a file of rows that has one, and note its category."""
    numbers: dict[Key, list[float]] = {}
    name = _NUMBERS[evaluation]
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        key = row["set"], row["id"]
        categories.setdefault(key, row["category"])
        number = _OUTCOMES.get(row[name]) if name == "outcome" else row[name]
        if number is not None:
            numbers.setdefault(key, []).append(float(number))
    # half a comparison favors whoever the judge favors by position
    both = 2 if name == "outcome" else 1
    return {key: sum(values) / both for key, values in numbers.items() if len(values) == both}
