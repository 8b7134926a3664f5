"""Benchmarks by lm-eval: its own tasks and tasks by the protocol of InstructEval, each with its label."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...common.lock import LOCK, Lock
from ...common.optional import check_installed
from ...common.types import JSON, StrPath
from ..results import Value, read_values, write_result, write_tables
from ..tables import Cell, Table
from .data import describe_data
from .model import DEFAULT, BenchmarkOptions, open_model
from .run import LIBRARIES, Run
from .tasks import check_known, code_allowed, find_benchmarks, quiet, task_manager

TOGETHER = "benchmarks.json"


@dataclass(frozen=True)
class Benchmarked:
    """What `run_benchmarks` measured.

    Attributes:
        values: scores by task (`Value.set`) and subtask (`Value.category`).
        records: what result.json of each benchmark says, in order.
        table: a row for each benchmark.

    """

    values: Sequence[Value]
    records: Sequence[JSON]
    table: Table


def run_benchmarks(
    model: Any,
    out: StrPath,
    tasks: str | Sequence[str] = DEFAULT,
    *,
    progress: bool = False,
    overwrite: bool = False,
    **options: Any,
) -> Benchmarked:
    """Run benchmarks on a model, one after the other.

    `out` gets a folder for each with result.json and samples.jsonl (every prompt, answer and score), and
    benchmarks.json and a table of all. A benchmark that is done is not run again; one that was interrupted
    goes on with the answers it has (sampled ones, as of HumanEval, begin again).

    Args:
        model: Hub id or folder of a causal language model or of adapters, or an
            `lm_eval.api.model.LM`.
        out: directory for the results.
        tasks: as in `BenchmarkOptions`.
        progress: show lm-eval's progress bars on stderr.
        overwrite: replace results that were made with other settings.
        options: the others of `BenchmarkOptions`.

    Raises:
        ValueError: for unknown tasks, rows that are not as described, code without leave, or results of
            other settings in `out`.
        FileNotFoundError: if there is no such model or file.
        ImportError: without lm-eval.
        RuntimeError: in one process of several, or if another run uses `out`.

    """
    given = BenchmarkOptions.of("run_benchmarks", {"tasks": tasks, **options})
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise RuntimeError("benchmarks run in one process; start them without accelerate launch or torchrun")
    asked = find_benchmarks(given.tasks, given.shots)
    sources = [describe_data(one.data, given.data) if one.data else None for one in asked]
    check_installed(given.packages())
    manager = task_manager(asked, given.include, given.data)
    check_known(asked, manager, given.unsafe_code)
    folder = Path(out)
    hold = Lock(folder / LOCK, "writing benchmarks there")
    with hold, code_allowed(given.unsafe_code), quiet(not progress):
        opened = open_model(model, given)
        runs = [
            Run(one, opened, manager, data, given, folder) for one, data in zip(asked, sources, strict=True)
        ]
        records = [run.run(overwrite=overwrite) for run in runs]
        return _together(folder, runs, records, f"Benchmarks of {opened.label}", given.limit)


def _together(
    folder: Path, runs: Sequence[Run], records: Sequence[JSON], title: str, limit: int | None
) -> Benchmarked:
    """Write what all benchmarks of this call gave as one result and one table."""
    values: list[Value] = []
    cells: list[list[Cell]] = []
    for run, record in zip(runs, records, strict=True):
        found = read_values(run.path)
        values += found
        score = next(
            value
            for value in found
            if {"set": value.set, "metric": value.metric} == record["score"] and value.category is None
        )
        shots = "the task's" if run.one.shots is None else run.one.shots
        cells.append([run.one.name, run.one.protocol, shots, score.metric, score.value, record["rows"]])
    trial = "" if limit is None else f" A trial: only the first {limit} rows of each subtask."
    columns = ("benchmark", "protocol", "shots", "metric", "score", "rows")
    table = Table(columns, cells, f"{title}; 95% bootstrap intervals over rows.{trial}")
    write_tables(folder, "benchmarks", {"benchmarks": table})
    settings = {run.one.name: record["settings"] for run, record in zip(runs, records, strict=True)}
    write_result(folder / TOGETHER, "benchmarks", settings, values, {}, LIBRARIES)
    return Benchmarked(values, records, table)
