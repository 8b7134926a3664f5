"""Means, tails and differences of coverage, and the tables of them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...common.types import Floats, Indices
from ...generation.questions import Question
from ..results import TAIL, Number, Value, tails
from ..sets import groups
from ..stats import mean_interval
from ..tables import Cell, Table

MEAN = "similarity"
WORST = f"{MEAN}, worst {TAIL:.0%}"
DIFFERENCE = "similarity minus {}"


@dataclass(frozen=True, eq=False)
class Measured:
    """Similarities of questions to selections.

    Attributes:
        questions: m questions.
        sizes: number of chosen rows by the label of each of s selections, in order.
        similarity: (s, m) float64, to the nearest chosen row; NaN for questions without a vector.
        nearest: (s, m) int64, that row; -1 for none.

    """

    questions: Sequence[Question]
    sizes: Mapping[str, int]
    similarity: Floats
    nearest: Indices

    @property
    def sets(self) -> list[str | None]:
        """Names of the sets, in order; None, which stands for all, first if there are several."""
        names = list(dict.fromkeys(question.set for question in self.questions))
        return [None, *names] if len(names) > 1 else list(names)

    def categories(self, name: str) -> list[str]:
        """Return the categories of a set, sorted."""
        found = {question.category for question in self.questions if question.set == name}
        return sorted(category for category in found if category is not None)


def coverage_values(measured: Measured, **options: Any) -> Iterator[Value]:
    """Yield the numbers of every selection: mean, worst and best tenth of each set, mean of each category.

    From the second selection on also its mean difference to the first, paired by question. Questions without
    a vector do not count.
    """
    there = [int(i) for i in np.flatnonzero(~np.isnan(measured.similarity[0]))]
    keys = {
        key: [there[number] for number in numbers]
        for key, numbers in groups(measured.questions[i] for i in there).items()
        if key != (None, None) or measured.sets[0] is None
    }
    first, *_ = measured.sizes
    for number, label in enumerate(measured.sizes):
        yield from tails(measured.similarity[number], MEAN, label, keys, **options)
        for (of_set, category), places in keys.items() if number else ():
            if category is None:
                difference = measured.similarity[number, places] - measured.similarity[0, places]
                interval = mean_interval(difference, **options)
                yield Value(label, DIFFERENCE.format(first), interval, of_set)


def coverage_tables(
    measured: Measured, values: Sequence[Value], categories: Sequence[str], level: float
) -> dict[str, Table]:
    """Return the tables that `Coverage` names."""
    found = {(one.metric, one.model, one.set, one.category): one.value for one in values}
    labels, sets = list(measured.sizes), measured.sets
    names = ["all" if name is None else name for name in sets]
    what = "Cosine similarity of each question to the nearest chosen instruction"
    ends = f"{level:.0%} bootstrap intervals over questions."

    def across(metric: str, label: str) -> list[Number]:
        return [found.get((metric, label, name, None)) for name in sets]

    captions = {"mean": (MEAN, f"{what}: mean"), "worst": (WORST, f"{what}: mean of the worst {TAIL:.0%}")}
    tables = {
        kind: Table(
            ["selection", "k", *names],
            [[label, measured.sizes[label], *across(metric, label)] for label in labels],
            f"{caption}; {ends}",
        )
        for kind, (metric, caption) in captions.items()
    }
    if len(labels) > 1:
        tables["difference"] = Table(
            ["selection", *names],
            [[label, *across(DIFFERENCE.format(labels[0]), label)] for label in labels[1:]],
            f"Mean similarity minus that of {labels[0]}, question by question; {ends}",
        )
    for name in categories:
        if measured.categories(name):
            tables[name] = Table(
                ["category", "n", *labels],
                [_by_category(measured, found, name, category) for category in measured.categories(name)],
                f"{what}: mean by category of {name}; {ends}",
            )
    return tables


def _by_category(measured: Measured, found: Mapping[Any, Number], name: str, category: str) -> list[Cell]:
    size = sum((question.set, question.category) == (name, category) for question in measured.questions)
    return [category, size, *(found.get((MEAN, label, name, category)) for label in measured.sizes)]
