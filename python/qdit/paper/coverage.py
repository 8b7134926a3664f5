"""Robustness without a model: how near the chosen instructions come to those of the evaluation sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..common.checks import check_least
from ..common.text import parse_numbers
from ..common.types import JSON, Array, Floats, Indices
from ..evaluation.coverage.api import nearest
from ..evaluation.coverage.questions import EncoderOptions
from ..evaluation.stats import DRAWS
from ..evaluation.tables import Cell as TableCell
from ..evaluation.tables import Table
from ..generation.questions import Question, hash_questions
from .drawing import Line, draw_lines, png
from .methods import Method, qdit, random
from .options import FigureOptions, parse_sizes
from .paired import Sample, statistic
from .results import Result
from .shelf import Shelf

Cell = tuple[int, str]  # k, family of the method
Samples = Mapping[tuple[str, Cell, str], Sample]  # by set, cell and kind of statistic
Cells = dict[Cell, list[Floats]]  # similarities, (m,) for each seed
ALL = "all"
RANDOM = "random"
SHARES: Mapping[str, float | None] = {"mean": None, "worst 10%": 0.1}


@dataclass(frozen=True, kw_only=True)
class RobustnessOptions(FigureOptions, EncoderOptions):
    """What the table is made of.

    Attributes:
        k: Rows to choose, several as 3000,9000.
        alpha: Values of alpha.
        seeds: Random choices.
        draws: Bootstrap resamples of the questions.

    """

    k: int | Sequence[int] | str = "3000,9000"
    alpha: str | float | Sequence[float] = "0.1,0.3,0.5,0.7,0.9"
    seeds: int = 5
    draws: int = DRAWS

    def _check(self) -> None:
        parse_sizes(self.k)
        check_least("draws", self.draws, 1)


def coverage(
    shelf: Shelf,
    questions: Sequence[Question],
    vectors: Array,
    options: RobustnessOptions,
    *,
    encoder: JSON,
) -> Result:
    """Choose, find the nearest chosen row of every question, and compare with random choices.

    Args:
        shelf: the pool, and its selections.
        questions: of all sets.
        vectors: (m, d) embeddings of the questions, by the model of the pool's.
        options: what to compare.
        encoder: what the vectors were made with, for the record.

    Raises:
        ValueError: if a question has no direction: its vector is zero.

    """
    ks, draws, source = parse_sizes(options.k), options.draws, shelf.source
    alphas = parse_numbers("alpha", options.alpha, float)
    variants = [Method("quality"), Method("threshold"), Method("cluster", seed=0)]
    methods = [*random(options.seeds), *variants, *qdit(*alphas)]
    chosen = shelf.prefixes(methods, ks)
    cells: Cells = {}
    for (method, k), found in chosen.items():
        similarity, _ = nearest(source.rows, found, vectors)
        if np.isnan(similarity).any():
            bad = questions[int(np.flatnonzero(np.isnan(similarity))[0])]
            raise ValueError(f"questions: {bad.id!r} of {bad.set} has a vector of zeros; leave it out")
        cells.setdefault((k, method.family), []).append(similarity)
    labels = {method.family: method.label for method in methods}
    groups = groups_of(questions)
    samples = compare(cells, groups, draws)
    tables = {"" if name == ALL else f"-{name}": _table(name, samples, cells, labels) for name in groups}
    columns = {kind: _lines(samples, next(iter(groups)), kind, methods, ks) for kind in SHARES}
    shown = draw_lines(columns, "alpha (at 1: quality only)", "difference to random")
    return Result(
        "coverage",
        f"Similarity of evaluation questions to the nearest of k rows chosen from {source.name}",
        tables,
        {"-categories": _categories(questions, cells, labels), "-questions": _values(questions, cells)},
        {".png": png(shown, 10.5, 4.2)},
        inputs={**source.hashes, "questions": hash_questions(questions)},
        options={"ks": list(ks), "alphas": list(alphas), "seeds": options.seeds, "draws": draws},
        facts={
            "questions": {name: len(rows) for name, rows in groups.items()},
            "encoder": encoder,
            "range_over_random_seeds": _seeds(cells, groups),
        },
        notes=[
            f"Intervals: 95%, percentile bootstrap over questions, {draws:,} resamples; differences are "
            "paired by question. Random: each statistic averaged over the seeds, so intervals are over "
            "questions, not over seeds. Each is that of a single comparison, not corrected for their number. "
            "The worst 10% are chosen anew for every selection and resample.",
            *getattr(questions, "notes", ()),
        ],
    )


def groups_of(questions: Sequence[Question]) -> dict[str, Indices]:
    """Return the numbers of the questions of each set, before them those of all if there are several."""
    sets = np.array([question.set for question in questions])
    groups = {name: np.flatnonzero(sets == name) for name in dict.fromkeys(sets.tolist())}
    return {ALL: np.arange(len(questions)), **groups} if len(groups) > 1 else groups


def compare(cells: Cells, groups: Mapping[str, Indices], draws: int) -> Samples:
    """Return each statistic of each cell over each group of questions."""
    return {
        (name, cell, kind): Sample([run[rows] for run in runs], share, draws=draws)
        for name, rows in groups.items()
        for cell, runs in cells.items()
        for kind, share in SHARES.items()
    }


def _table(
    name: str,
    samples: Samples,
    cells: Cells,
    labels: Mapping[str, str],
) -> Table:
    rows: list[list[TableCell]] = []
    for cell in cells:
        k, family = cell
        label = labels[family] if len(cells[cell]) == 1 else f"{labels[family]}, mean of {len(cells[cell])}"
        own = [samples[name, cell, kind] for kind in SHARES]
        to_random = [samples[name, (k, RANDOM), kind] for kind in SHARES]
        less = [None if family == RANDOM else a.less(b) for a, b in zip(own, to_random, strict=True)]
        rows.append([label, k, *(one.interval() for one in own), *less])
    columns = ["choice", "k", *SHARES, *(f"{kind}, less random" for kind in SHARES)]
    count = next(iter(samples[name, cell, kind].n for cell in cells for kind in SHARES))
    return Table(columns, rows, f"{'All sets' if name == ALL else name}, {count} questions", digits=4)


def _lines(
    samples: Samples,
    name: str,
    kind: str,
    methods: Sequence[Method],
    ks: Sequence[int],
) -> list[Line]:
    lines = []
    for i, k in enumerate(ks):
        families = {method.family: method.alpha for method in methods if method.greedy}
        ends = {**families, "quality": 1.0}
        points = [samples[name, (k, family), kind].less(samples[name, (k, RANDOM), kind]) for family in ends]
        x = [float(alpha or 0.0) + 0.012 * i for alpha in ends.values()]  # aside, so that bars do not overlap
        style = "qdit" if i == 0 else "random"
        lines.append(Line(f"k = {k:,}", style, x, points))
    return lines


def _seeds(cells: Cells, groups: Mapping[str, Indices]) -> dict[str, dict[str, list[float]]]:
    """Return the least and the largest of each statistic over random seeds, by group and k."""
    found: dict[str, dict[str, list[float]]] = {}
    for name, rows in groups.items():
        for (k, family), runs in cells.items():
            if family == RANDOM:
                for kind, share in SHARES.items():
                    values = [statistic(run[rows], share) for run in runs]
                    found.setdefault(name, {})[f"k {k}, {kind}"] = [min(values), max(values)]
    return found


def _categories(questions: Sequence[Question], cells: Cells, labels: Mapping[str, str]) -> Table:
    """Return the mean of every category of every set, seeds averaged; without intervals: most are small."""
    named = sorted({(question.set, question.category) for question in questions if question.category})
    rows = []
    for name, category in named:
        members = [i for i, q in enumerate(questions) if (q.set, q.category) == (name, category)]
        for (k, family), runs in cells.items():
            value = float(np.mean([run[members].mean() for run in runs]))
            rows.append([name, category, len(members), labels[family], k, round(value, 5)])
    return Table(["set", "category", "questions", "choice", "k", "mean"], rows)


def _values(questions: Sequence[Question], cells: Cells) -> Table:
    """Return every question's similarity, seeds averaged."""
    means = {cell: np.mean(runs, axis=0) for cell, runs in cells.items()}
    rows = [
        [question.set, question.id, *(round(float(mean[i]), 4) for mean in means.values())]
        for i, question in enumerate(questions)
    ]
    return Table(["set", "id", *(f"{family} k{k}" for k, family in cells)], rows)
