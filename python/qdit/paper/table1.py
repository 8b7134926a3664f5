"""Table 1: winning score and HH score of models trained on what each method chose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..evaluation.stats import Interval
from ..evaluation.tables import Table
from .cells import Runner
from .options import in_common
from .published import TABLE1, Published, published_table
from .results import Result
from .scores import SHARE, Group, Scores, collect
from .study import Cell, Study

NAMES = {"judge": "winning score", "hh": "HH score", "loss": "loss"}
_KINDS: Mapping[str, dict[str, Any]] = {
    "mean": {},
    f"worst {SHARE:.0%}": {"share": SHARE},
    f"best {SHARE:.0%}": {"share": SHARE, "best": True},
}
BASELINES = ("quality", "random")


def table1(runner: Runner) -> Result:
    """Train, generate, evaluate, and tabulate; the file of the study says which evaluations there are."""
    found = scored(runner, runner.study.cells(), steps_of(runner.study))
    result = Result(
        "table1",
        "Table 1: models trained on chosen rows",
        {"": score_table(found)},
        inputs=describe_inputs(runner),
        options=describe_study(runner),
        notes=notes_of(found),
    )
    differences = difference_table(found)
    if differences.rows:
        result.tables["-differences"] = differences
    return with_published(result, TABLE1)


def steps_of(study: Study) -> list[str]:
    """Return the evaluations of answers that a study names; "hh" if it names none, which then is missed."""
    return [step for step in ("judge", "hh") if step in study.stages] or ["hh"]


def scored(runner: Runner, cells: Sequence[Cell], steps: Sequence[str]) -> dict[str, Scores]:
    """Run evaluations and read their rows. A judge's baseline is compared with nothing, so it has none."""
    runner.run(cells, steps)
    return {step: collect(runner, runner.judged(cells) if step == "judge" else cells, step) for step in steps}


def score_table(found: Mapping[str, Scores]) -> Table:
    """Return a row for each group, with mean, worst and best of each evaluation."""
    columns = ["pool", "model", "k", "choice", "seeds"]
    columns += [f"{NAMES[step]}, {kind}" for step in found for kind in _KINDS]
    rows: list[list[Any]] = []
    for group in dict.fromkeys(group for scores in found.values() for group in scores.runs):
        cells: list[Any] = [*group, max(len(scores.runs.get(group, ())) for scores in found.values())]
        for scores in found.values():
            there = group in scores.runs
            cells += [scores.value(group, **kind) if there else None for kind in _KINDS.values()]
        rows.append(cells)
    return Table(columns, rows)


def difference_table(found: Mapping[str, Scores]) -> Table:
    """Return QDIT and its variants less each baseline, paired by question."""
    rows: list[list[Any]] = []
    for step, scores in found.items():
        for group in scores.runs:
            for baseline in BASELINES:
                other: Group = (*group[:3], baseline)
                if group[3] in BASELINES or other not in scores.runs:
                    continue
                values: list[Interval] = [scores.less(group, other, **kind) for kind in _KINDS.values()]
                rows.append([NAMES[step], *group, f"less {baseline}", *values])
    columns = ["score", "pool", "model", "k", "choice", "difference", *_KINDS]
    return Table(columns, rows, "Differences, paired by question")


def notes_of(found: Mapping[str, Scores]) -> list[str]:
    """Return what a reader must know of the numbers."""
    notes = [
        "Intervals: 95%, percentile bootstrap over questions, seeds averaged; not corrected for the number "
        "of comparisons. Worst and best are chosen for each model and resample."
    ]
    for step, scores in found.items():
        if scores.left_out:
            notes.append(
                f"{step}: {scores.left_out} questions have no number for some model and count for none."
            )
    return notes


def describe_inputs(runner: Runner) -> dict[str, Any]:
    """Return hashes of what a study is made of."""
    found: dict[str, Any] = {"models": runner.place.base_models}
    if runner.study.sets:
        found["questions"] = runner.place.questions.sha256
    return found


def describe_study(runner: Runner) -> dict[str, Any]:
    """Return the study as JSON values, without paths."""
    study = runner.study
    return {
        "pools": list(study.pools),
        "models": list(study.models),
        "sizes": list(study.sizes),
        "methods": [method.family for method in study.methods],
        "alphas": list(study.alphas),
        "seeds": list(study.seeds),
        "sets": list(study.sets),
        "select": in_common(study.select),
        "steps": {name: dict(options) for name, options in study.stages.items()},
    }


def with_published(result: Result, numbers: Sequence[Published]) -> Result:
    """Add what the paper reports."""
    result.tables["-paper"] = published_table(numbers)
    result.notes.append(
        "The paper's numbers (version 3: LLaMA-1 7B, a reward model trained on Anthropic HH, Claude 2 as "
        "judge) stand here for orientation; they are not comparable unless the study uses the same."
    )
    return result
