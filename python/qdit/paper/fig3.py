"""Figure 3: performance by alpha."""

from collections.abc import Mapping

from .cells import Runner
from .drawing import Line, draw_lines, png
from .results import Result
from .scores import SHARE, Scores
from .table1 import NAMES, evaluations_of, scored, study_result, with_published


def fig3(runner: Runner) -> Result:
    """Train on what QDIT chooses for every alpha of the study, evaluate, and draw mean and worst tenth."""
    found = scored(runner, runner.study.alpha_cells(), evaluations_of(runner.study))
    columns = {NAMES[name]: alpha_lines(scores) for name, scores in found.items()}
    result = study_result(runner, "fig3", "Figure 3: performance by alpha", found)
    result.pictures[".png"] = png(draw_lines(columns, "alpha", "score"), 5.5 * len(columns), 4.2)
    return with_published(result)


def alpha_lines(scores: Scores) -> list[Line]:
    """Return a line of the mean and one of the worst tenth for each pool, model and k."""
    curves: dict[tuple[str, str, int], list[tuple[float, str]]] = {}
    for group in scores.runs:
        alpha = float(group[3].removeprefix("qdit-"))
        curves.setdefault(group[:3], []).append((alpha, group[3]))
    lines = []
    for start, points in curves.items():
        name = "" if len(curves) == 1 else f"{start[0]}, {start[1]}, k = {start[2]:,}: "
        kinds: Mapping[str, tuple[str, float | None]] = {
            "mean": ("qdit", None),
            f"worst {SHARE:.0%}": ("random", SHARE),
        }
        for kind, (color, share) in kinds.items():
            values = [scores.value((*start, family), share=share) for _, family in sorted(points)]
            lines.append(Line(name + kind, color, [alpha for alpha, _ in sorted(points)], values))
    return lines
