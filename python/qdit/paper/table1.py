"""Table 1: winning score and HH score of models trained on what each method chose."""

from collections.abc import Mapping, Sequence
from typing import Any

from ..common.types import JSON
from ..evaluation.stats import Interval
from ..evaluation.tables import Cell as TableCell
from ..evaluation.tables import Table
from .cells import Runner
from .options import in_common
from .published import published_table
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
    found = scored(runner, runner.study.cells(), evaluations_of(runner.study))
    result = study_result(runner, "table1", "Table 1: models trained on chosen rows", found)
    return with_published(with_differences(result, found))


def study_result(runner: Runner, name: str, title: str, found: Mapping[str, Scores]) -> Result:
    """Return a result with the table of scores, and the record of a study."""
    notes = notes_of(found)
    return Result(name, title, {"": score_table(found)}, **describe(runner), notes=notes)


def evaluations_of(study: Study) -> list[str]:
    """Return the evaluations of answers that a study names; "hh" if it names none, which then is missed."""
    return [name for name in ("judge", "hh") if name in study.stages] or ["hh"]


def scored(runner: Runner, cells: Sequence[Cell], names: Sequence[str]) -> dict[str, Scores]:
    """Run evaluations and read their rows. A judge's baseline is compared with nothing, so it has none."""
    runner.run(cells, names)
    return {name: collect(runner, runner.judged(cells) if name == "judge" else cells, name) for name in names}


def score_table(found: Mapping[str, Scores]) -> Table:
    """Return a row for each group, with mean, worst and best of each evaluation."""
    columns = ["pool", "model", "k", "choice", "seeds"]
    columns += [f"{NAMES[name]}, {kind}" for name in found for kind in _KINDS]
    rows: list[list[TableCell]] = []
    for group in dict.fromkeys(group for scores in found.values() for group in scores.runs):
        cells: list[TableCell] = [*group, max(len(scores.runs.get(group, ())) for scores in found.values())]
        for scores in found.values():
            there = group in scores.runs
            cells += [scores.value(group, **kind) if there else None for kind in _KINDS.values()]
        rows.append(cells)
    return Table(columns, rows)


def with_differences(result: Result, found: Mapping[str, Scores]) -> Result:
    """Add the differences to the baselines, if there are any."""
    table = difference_table(found)
    if table.rows:
        result.tables["-differences"] = table
    return result


def difference_table(found: Mapping[str, Scores]) -> Table:
    """Return QDIT and its variants less each baseline, paired by question."""
    rows: list[list[TableCell]] = []
    for name, scores in found.items():
        for group in scores.runs:
            for baseline in BASELINES:
                other: Group = (*group[:3], baseline)
                if group[3] in BASELINES or other not in scores.runs:
                    continue
                values: list[Interval] = [scores.less(group, other, **kind) for kind in _KINDS.values()]
                rows.append([NAMES[name], *group, f"less {baseline}", *values])
    columns = ["score", "pool", "model", "k", "choice", "difference", *_KINDS]
    return Table(columns, rows, "Differences, paired by question")


def notes_of(found: Mapping[str, Scores]) -> list[str]:
    """Return what a reader must know of the numbers."""
    notes = [
        "Intervals: 95%, percentile bootstrap over questions, seeds averaged; not corrected for the number "
        "of comparisons. Worst and best are chosen for each model and resample."
    ]
    for name, scores in found.items():
        if scores.left_out:
            notes.append(
                f"{name}: {scores.left_out} questions have no number for some model and count for none."
            )
    return notes


def describe(runner: Runner) -> JSON:
    """Return inputs, the hashes of what a study is made of, and options, the study without paths."""
    study = runner.study
    inputs: JSON = {"models": runner.place.base_models}
    if study.sets:
        inputs["questions"] = runner.place.questions.sha256
    options = {
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
    return {"inputs": inputs, "options": options}


def with_published(result: Result) -> Result:
    """Add what the paper reports."""
    result.tables["-paper"] = published_table(result.name)
    result.notes.append(
        "The paper's numbers (version 3: LLaMA-1 7B, a reward model trained on Anthropic HH, Claude 2 as "
        "judge) stand here for orientation; they are not comparable unless the study uses the same."
    )
    return result
