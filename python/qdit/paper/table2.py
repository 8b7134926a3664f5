"""Table 2: benchmark scores of models trained on what each method chose."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..common import files
from ..evaluation.results import FORMAT
from ..evaluation.tables import Cell as TableCell
from ..evaluation.tables import Table
from .cells import Runner
from .results import Result
from .scores import Group, group_of
from .table1 import describe, with_published

_RESULT = "result.json"


def table2(runner: Runner) -> Result:
    """Train, run the benchmarks, and tabulate: each score, and the mean of all."""
    cells = runner.study.cells()
    runner.run(cells, ["benchmarks"])
    found: dict[Group, list[dict[str, float]]] = {}
    for cell in cells:
        scores = read_scores(runner.place.model(cell) / "benchmarks")
        found.setdefault(group_of(cell), []).append(scores)
    result = Result(
        "table2",
        "Table 2: benchmarks of models trained on chosen rows",
        {"": benchmark_table(found)},
        **describe(runner),
        notes=[
            "Scores in percent, mean over seeds; per-row outputs and intervals are in the working folder."
        ],
    )
    return with_published(result)


def read_scores(folder: Path) -> dict[str, float]:
    """Return the score of each benchmark in a folder, in percent."""
    scores = {}
    for path in sorted(folder.glob(f"*/{_RESULT}")):
        record = files.read_json(path, FORMAT)
        value: Any = record["score"]["value"]
        number = value["mean"] if isinstance(value, Mapping) else value
        scores[str(record["settings"]["benchmark"])] = 100.0 * float(number)
    if not scores:
        raise FileNotFoundError(f"{folder}: no results of benchmarks")
    return scores


def benchmark_table(found: Mapping[Group, list[dict[str, float]]]) -> Table:
    """Return a row for each group: the mean over seeds of each benchmark, and the mean of these."""
    names = list(dict.fromkeys(name for runs in found.values() for scores in runs for name in scores))
    rows: list[list[TableCell]] = []
    for group, runs in found.items():
        means = [float(np.mean([scores[name] for scores in runs])) for name in names]
        rows.append([*group, len(runs), *means, float(np.mean(means))])
    return Table(["pool", "model", "k", "choice", "seeds", *names, "average"], rows, digits=2)
