"""Figure 4: base models and numbers of rows."""

from __future__ import annotations

from .cells import Runner
from .drawing import Line, draw_lines, png
from .methods import parse
from .results import Result
from .scores import SHARE, Scores
from .study import Study
from .table1 import NAMES, describe_inputs, describe_study, notes_of, score_table, scored


def fig4(runner: Runner) -> Result:
    """Train every model of the study on every number of rows, evaluate, and draw mean and worst tenth."""
    study = runner.study
    step = step_of(study)
    found = scored(runner, study.cells(), [step])
    scores = found[step]
    columns = {
        f"{model}, {kind}": size_lines(scores, model, share)
        for model in study.models
        for kind, share in (("mean", None), (f"worst {SHARE:.0%}", SHARE))
    }
    return Result(
        "fig4",
        "Figure 4: base models and numbers of rows",
        {"": score_table(found)},
        pictures={".png": png(draw_lines(columns, "rows chosen", NAMES[step]), 4.2 * len(columns), 4.2)},
        inputs=describe_inputs(runner),
        options=describe_study(runner),
        notes=notes_of(found),
    )


def step_of(study: Study) -> str:
    """Return the evaluation that is drawn: the first of HH score, judge and loss that the study names."""
    return next((step for step in ("hh", "judge", "loss") if step in study.stages), "hh")


def size_lines(scores: Scores, model: str, share: float | None) -> list[Line]:
    """Return a line over k for each pool and method."""
    curves: dict[tuple[str, str], list[int]] = {}
    for pool, name, k, family in scores.runs:
        if name == model:
            curves.setdefault((pool, family), []).append(k)
    several = len({pool for pool, _ in curves}) > 1
    lines = []
    for (pool, family), sizes in curves.items():
        values = [scores.value((pool, model, k, family), share=share) for k in sorted(sizes)]
        method = parse(family.replace("-", ":"))
        label = f"{pool}: {method.label}" if several else method.label
        y = [(value.mean, value.low, value.high) for value in values]
        lines.append(Line(label, method.kind, sorted(sizes), y))
    return lines
