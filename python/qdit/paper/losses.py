"""Held-out loss: how surprised models are by the references of questions, on average and at the worst."""

from ..evaluation.tables import Cell as TableCell
from ..evaluation.tables import Table
from .cells import Runner
from .results import Result
from .scores import SHARE, Scores
from .table1 import scored, study_result, with_differences


def losses(runner: Runner) -> Result:
    """Train, score the references that come with the questions, and tabulate; by category as CSV."""
    found = scored(runner, runner.study.cells(), ["loss"])
    title = "Loss on held-out references, nats a token (lower is better)"
    result = study_result(runner, "losses", title, found)
    result.data["-categories"] = category_table(found["loss"])
    return with_differences(result, found)


def category_table(scores: Scores) -> Table:
    """Return mean and worst share by set and category; a category of few questions says little."""
    members: dict[tuple[str, str], list[int]] = {}
    for i, ((name, _), category) in enumerate(zip(scores.questions, scores.categories, strict=True)):
        members.setdefault((name, "all"), []).append(i)
        if category is not None:
            members.setdefault((name, category), []).append(i)
    rows: list[list[TableCell]] = []
    for (name, category), numbers in sorted(members.items()):
        for group in scores.runs:
            values = [scores.value(group, share=share, rows=numbers) for share in (None, SHARE)]
            rows.append([name, category, len(numbers), *group, *values])
    columns = ["set", "category", "questions", "pool", "model", "k", "choice", "mean", f"worst {SHARE:.0%}"]
    return Table(columns, rows)
