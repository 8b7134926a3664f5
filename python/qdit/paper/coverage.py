"""Robustness without a model: how near the chosen instructions come to those of the evaluation sets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..common.checks import check_least
from ..common.text import parse_numbers
from ..common.types import JSON, Array, Floats, Indices
from ..evaluation.coverage.api import nearest
from ..evaluation.coverage.questions import EncoderOptions
from ..evaluation.stats import DRAWS, Interval
from ..evaluation.tables import Cell as TableCell
from ..evaluation.tables import Table
from ..generation.questions import Question, hash_questions
from .drawing import Line, draw_lines, png
from .methods import Method, qdit, random
from .options import FigureOptions, parse_sizes
from .paired import Sample, statistic
from .results import Result
from .shelf import Shelf

Group = tuple[int, str]  # k, family of the method
Runs = dict[Group, list[Floats]]  # similarities, (m,) for each seed
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
    shelf: Shelf, questions: Sequence[Question], vectors: Array, options: RobustnessOptions, *, encoder: JSON
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
    variants += [Method("k_center"), Method("kmq", seed=0), Method("mig", seed=0)]
    methods = [*random(options.seeds), *variants, *qdit(*alphas)]
    runs: Runs = {}
    for (method, k), found in shelf.prefixes(methods, ks).items():
        similarity, _ = nearest(source.rows, found, vectors)
        if np.isnan(similarity).any():
            bad = questions[int(np.flatnonzero(np.isnan(similarity))[0])]
            raise ValueError(f"questions: {bad.id!r} of {bad.set} has a vector of zeros; leave it out")
        runs.setdefault((k, method.family), []).append(similarity)
    labels = {method.family: method.label for method in methods}
    compared = Comparison(runs, by_set(questions), draws)
    alphas_of = {method.family: method.alpha for method in methods if method.greedy}
    lines = {kind: _lines(compared, kind, alphas_of) for kind in SHARES}
    shown = draw_lines(lines, "alpha (at 1: quality only)", "difference to random")
    return Result(
        "coverage",
        f"Similarity of evaluation questions to the nearest of k rows chosen from {source.name}",
        {"" if name == ALL else f"-{name}": _table(name, compared, labels) for name in compared.sets},
        {"-categories": _categories(questions, runs, labels), "-questions": _values(questions, runs)},
        {".png": png(shown, 10.5, 4.2)},
        inputs={**source.hashes, "questions": hash_questions(questions)},
        options={"ks": list(ks), "alphas": list(alphas), "seeds": options.seeds, "draws": draws},
        facts={
            "questions": {name: len(rows) for name, rows in compared.sets.items()},
            "encoder": encoder,
            "range_over_random_seeds": _seeds(compared),
        },
        notes=[
            f"Intervals: 95%, percentile bootstrap over questions, {draws:,} resamples; differences are "
            "paired by question. Random: each statistic averaged over the seeds, so intervals are over "
            "questions, not over seeds. Each is that of a single comparison, not corrected for their number. "
            "The worst 10% are chosen anew for every selection and resample.",
            *getattr(questions, "notes", ()),
        ],
    )


def by_set(questions: Sequence[Question]) -> dict[str, Indices]:
    """Return the numbers of the questions of each set, before them those of all if there are several."""
    sets = np.array([question.set for question in questions])
    found = {name: np.flatnonzero(sets == name) for name in dict.fromkeys(sets.tolist())}
    return {ALL: np.arange(len(questions)), **found} if len(found) > 1 else found


class Comparison:
    """Each statistic of each group over each set of questions, and what it is less that of random choices."""

    def __init__(self, runs: Runs, sets: Mapping[str, Indices], draws: int) -> None:
        self.runs, self.sets = runs, sets
        self._samples = {
            (name, group, kind): Sample([run[rows] for run in found], share, draws=draws)
            for name, rows in sets.items()
            for group, found in runs.items()
            for kind, share in SHARES.items()
        }

    def value(self, name: str, group: Group, kind: str) -> Interval:
        """Return a statistic with its interval."""
        return self._samples[name, group, kind].interval()

    def less_random(self, name: str, group: Group, kind: str) -> Interval:
        """Return its paired difference to random choices of as many rows."""
        return self._samples[name, group, kind].less(self._samples[name, (group[0], RANDOM), kind])


def _table(name: str, compared: Comparison, labels: Mapping[str, str]) -> Table:
    rows: list[list[TableCell]] = []
    for group, runs in compared.runs.items():
        k, family = group
        label = labels[family] if len(runs) == 1 else f"{labels[family]}, mean of {len(runs)}"
        own = [compared.value(name, group, kind) for kind in SHARES]
        less = [None if family == RANDOM else compared.less_random(name, group, kind) for kind in SHARES]
        rows.append([label, k, *own, *less])
    columns = ["choice", "k", *SHARES, *(f"{kind}, less random" for kind in SHARES)]
    title = f"{'All sets' if name == ALL else name}, {len(compared.sets[name])} questions"
    return Table(columns, rows, title, digits=4)


def _lines(compared: Comparison, kind: str, alphas: Mapping[str, float | None]) -> list[Line]:
    """Return a line over alpha for each k, of the first set; alphas: by family."""
    lines, name = [], next(iter(compared.sets))
    for i, k in enumerate(dict.fromkeys(k for k, _ in compared.runs)):
        ends = {**alphas, "quality": 1.0}
        points = [compared.less_random(name, (k, family), kind) for family in ends]
        x = [float(alpha or 0.0) + 0.012 * i for alpha in ends.values()]  # aside, so that bars do not overlap
        lines.append(Line(f"k = {k:,}", "qdit" if i == 0 else "random", x, points))
    return lines


def _seeds(compared: Comparison) -> dict[str, dict[str, list[float]]]:
    """Return the least and the largest of each statistic over random seeds, by set and k."""
    found: dict[str, dict[str, list[float]]] = {name: {} for name in compared.sets}
    for name, rows in compared.sets.items():
        for (k, family), runs in compared.runs.items():
            for kind, share in SHARES.items() if family == RANDOM else ():
                values = [statistic(run[rows], share) for run in runs]
                found[name][f"k {k}, {kind}"] = [min(values), max(values)]
    return found


def _categories(questions: Sequence[Question], runs: Runs, labels: Mapping[str, str]) -> Table:
    """Return the mean of every category of every set, seeds averaged; without intervals: most are small."""
    named = sorted({(question.set, question.category) for question in questions if question.category})
    rows = []
    for name, category in named:
        members = [i for i, q in enumerate(questions) if (q.set, q.category) == (name, category)]
        for (k, family), found in runs.items():
            value = float(np.mean([run[members].mean() for run in found]))
            rows.append([name, category, len(members), labels[family], k, round(value, 5)])
    return Table(["set", "category", "questions", "choice", "k", "mean"], rows)


def _values(questions: Sequence[Question], runs: Runs) -> Table:
    """Return every question's similarity, seeds averaged."""
    means = {group: np.mean(found, axis=0) for group, found in runs.items()}
    rows = [
        [question.set, question.id, *(round(float(mean[i]), 4) for mean in means.values())]
        for i, question in enumerate(questions)
    ]
    return Table(["set", "id", *(f"{family} k{k}" for k, family in runs)], rows)
