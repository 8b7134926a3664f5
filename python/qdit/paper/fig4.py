"""Figure 4: base models and numbers of rows."""

from .cells import Runner
from .drawing import Line, draw_lines, png
from .methods import parse
from .results import Result
from .scores import SHARE, Scores
from .study import Study
from .table1 import NAMES, scored, study_result


def fig4(runner: Runner) -> Result:
    """Train every model of the study on every number of rows, evaluate, and draw mean and worst tenth."""
    name = evaluation_of(runner.study)
    found = scored(runner, runner.study.cells(), [name])
    columns = {
        f"{model}, {kind}": size_lines(found[name], model, share)
        for model in runner.study.models
        for kind, share in (("mean", None), (f"worst {SHARE:.0%}", SHARE))
    }
    result = study_result(runner, "fig4", "Figure 4: base models and numbers of rows", found)
    drawn = draw_lines(columns, "rows chosen", NAMES[name])
    result.pictures[".png"] = png(drawn, 4.2 * len(columns), 4.2)
    return result


def evaluation_of(study: Study) -> str:
    """Return the evaluation that is drawn: the first of HH score, judge and loss that the study names."""
    return next((name for name in ("hh", "judge", "loss") if name in study.stages), "hh")


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
        lines.append(Line(label, method.kind, sorted(sizes), values))
    return lines
