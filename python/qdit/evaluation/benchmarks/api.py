"""Benchmarks by lm-eval: its own tasks and tasks by the protocol of InstructEval, each with its label."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ...common import files
from ...common.checks import check_int, check_seed
from ...common.lock import LOCK, Lock
from ...common.optional import require
from ..names import file_name
from ..results import Value, read_values, write_result
from ..tables import Table
from .data import describe_data
from .model import Model, open_model
from .run import LIBRARIES, RESULT, Run
from .tasks import Benchmark, check_known, code_allowed, find_benchmarks, quiet, task_manager

TOGETHER = "benchmarks.json"
DEFAULT = "instructeval_mmlu,instructeval_bbh,instructeval_drop"


@dataclass(frozen=True)
class Benchmarked:
    """What `run_benchmarks` measured.

    Attributes:
        values: scores by task (`Value.set`) and subtask (`Value.category`).
        records: what result.json of each benchmark says, in order.
        table: a row for each benchmark.

    """

    values: Sequence[Value]
    records: Sequence[Mapping[str, Any]]
    table: Table


def run_benchmarks(
    model: Any,
    out: str | os.PathLike[str],
    tasks: str | Sequence[str] = DEFAULT,
    *,
    data: str | os.PathLike[str] | None = None,
    include: Sequence[str] = (),
    shots: int | None = None,
    limit: int | None = None,
    label: str | None = None,
    revision: str | None = None,
    device: str = "auto",
    dtype: str = "auto",
    batch_size: int = 1,
    max_length: int | None = None,
    seed: int = 0,
    unsafe_code: bool = False,
    progress: bool = False,
    overwrite: bool = False,
) -> Benchmarked:
    """Run benchmarks on a model, one after the other.

    `out` gets a folder for each with result.json and samples.jsonl (every prompt, answer and score), and
    benchmarks.json and a table of all. A benchmark that is done is not run again; one that was interrupted
    goes on with the answers it has (sampled ones, as of HumanEval, begin again). With batch_size above 1
    that may change the last bits of what a model computes, as any other batch size does.

    Args:
        model: Hub id or folder of a causal language model or of adapters, or an
            `lm_eval.api.model.LM`.
        out: directory for the results.
        tasks: mmlu, bbh, drop, humaneval (lm-eval's own, with 5, 3, 3 and 0 examples), instructeval_mmlu,
            instructeval_bbh, instructeval_drop, instructeval_humaneval, or any task of lm-eval; a sequence,
            or text with commas.
        data: folder with the rows of the instructeval tasks (see `benchmarks.data`); None for the Hub.
        include: more folders with tasks for lm-eval.
        shots: examples in the prompts of other tasks; None for each task's own number.
        limit: the first so many rows of each subtask only, for a trial.
        label: name of the model in results; None for the last part of its path.
        revision: branch, tag or commit of a Hub model.
        device: "auto", or a torch device such as "cuda:1".
        dtype: "auto", "float32", "bfloat16" or "float16".
        batch_size: requests at a time.
        max_length: tokens of prompt and answer together; None for what the model takes.
        seed: of what is drawn at random.
        unsafe_code: run code that the model writes, as HumanEval needs.
        progress: show lm-eval's progress bars on stderr.
        overwrite: replace results that were made with other settings.

    Raises:
        ValueError: for unknown tasks, rows that are not as described, code without leave, or results of
            other settings in `out`.
        FileNotFoundError: if there is no such model or file.
        ImportError: without lm-eval.
        RuntimeError: in one process of several, or if another run uses `out`.

    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise RuntimeError("benchmarks run in one process; start them without accelerate launch or torchrun")
    if limit is not None and check_int("limit", limit) < 1:
        raise ValueError(f"limit: got {limit}, wanted at least 1")
    seed = check_seed(seed)
    asked = find_benchmarks(tasks, shots)
    where = None if data is None else os.fspath(data)
    sources = {one.name: describe_data(one.data, where) if one.data else None for one in asked}
    require("lm_eval", "eval", "to run benchmarks")
    manager = task_manager(asked, include, where)
    check_known(asked, manager, unsafe_code)
    folder = Path(out)
    with Lock(folder / LOCK, "writing benchmarks there"), code_allowed(unsafe_code), quiet(not progress):
        opened = open_model(
            model,
            label=label,
            revision=revision,
            device=device,
            dtype=dtype,
            batch_size=batch_size,
            max_length=max_length,
        )
        records = []
        for one in asked:
            settings = {
                "benchmark": one.name,
                "task": one.task,
                "protocol": one.protocol,
                "shots": one.shots,
                "model": dict(opened.identity),
                "data": sources[one.name],
                "limit": limit,
                "seed": seed,
                "lm_eval": version("lm-eval"),
            }
            place = folder / file_name(one.name)
            run = Run(one, opened, manager, settings, place, unsafe_code=unsafe_code)
            records.append(run.result(overwrite))
        return _together(folder, asked, opened, records)


def _together(
    folder: Path, asked: Sequence[Benchmark], model: Model, records: Sequence[Mapping[str, Any]]
) -> Benchmarked:
    """Write what all benchmarks of this call gave as one result and one table."""
    values: list[Value] = []
    cells: list[list[Any]] = []
    for one, record in zip(asked, records, strict=True):
        found = read_values(folder / file_name(one.name) / RESULT)
        values += found
        score = next(
            value
            for value in found
            if {"set": value.set, "metric": value.metric} == record["score"] and value.category is None
        )
        shots = "the task's" if one.shots is None else one.shots
        cells.append([one.name, one.protocol, shots, score.metric, score.value, record["rows"]])
    limit = records[0]["settings"]["limit"]
    trial = "" if limit is None else f" A trial: only the first {limit} rows of each subtask."
    table = Table(
        ["benchmark", "protocol", "shots", "metric", "score", "rows"],
        cells,
        f"Benchmarks of {model.label}; 95% bootstrap intervals over rows.{trial}",
    )
    for suffix, text in (("md", table.markdown()), ("tex", table.latex()), ("csv", table.csv())):
        files.write_atomic(folder / f"benchmarks.{suffix}", [text.encode()])
    settings = {one.name: record["settings"] for one, record in zip(asked, records, strict=True)}
    write_result(folder / TOGETHER, "benchmarks", settings, values, {}, LIBRARIES)
    return Benchmarked(values, records, table)
