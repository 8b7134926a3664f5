"""What ``qdit evaluate hh``, ``judge``, ``loss``, ``alpacaeval`` and ``table`` do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..common.checks import check_choice
from ..common.files import write_atomic
from ..common.text import format_seconds
from ..evaluation import hh, loss
from ..evaluation.answers import REFERENCE, open_all, open_answers, references
from ..evaluation.hh import HHJob
from ..evaluation.judge import job as judging_job
from ..evaluation.judge.alpacaeval import (
    MismatchError,
    compare,
    comparison_table,
    find_row,
    read_leaderboard,
    win_rate,
    win_rate_table,
)
from ..evaluation.judge.job import JudgeJob
from ..evaluation.judge.pairwise import SHARE
from ..evaluation.judge.prompts import get_prompt
from ..evaluation.loss import LossJob, LossOptions
from ..evaluation.results import read_values, value_table
from ..evaluation.sets import open_questions
from ..models.options import OPENAI_URL, JudgeEndpoint
from ..scoring.describe import describe_estimates
from ..scoring.reward import RewardOptions

FORMATS = ("markdown", "latex", "csv")


def hh_command(
    answers: str | list[str],
    out: str | None = None,
    *,
    reward_model: str | None = None,
    reward_revision: str | None = None,
    reward_template: str | None = None,
    batch_size: int = 16,
    device: str = "auto",
    dtype: str = "auto",
    max_length: int | None = None,
    progress: bool = True,
    dry_run: bool = False,
    overwrite: bool = False,
) -> None:
    """Score the answers of models with a reward model: mean, worst 10% and best 10%.

    Args:
        answers: Files of answers, a.jsonl,b.jsonl or [a.jsonl, b.jsonl]; NAME=FILE names a model.
        out: Directory for hh.json, rows.jsonl, and what a repeated command goes on from.
        reward_model: Hub id or folder of a reward model; null for weqweasdas/hh_rlhf_rm_open_llama_3b.
        reward_revision: Branch, tag or commit of it.
        reward_template: human-assistant, chat, or a format string with {instruction} and {output}; null for
            the model's own.
        batch_size: Rows that the model runs at a time; halved when memory runs out.
        device: auto, or a torch device such as cuda:1 or cpu.
        dtype: auto, float32, bfloat16 or float16.
        max_length: Tokens beyond which a row is cut; null for what the model takes, at most 2048.
        progress: Show a progress bar on stderr (--no-progress: do not).
        dry_run: Print how many answers the run would score, and stop.
        overwrite: Replace the result of another evaluation in out.

    """
    folder = _folder(out)
    options = RewardOptions(
        reward_model=reward_model,
        reward_revision=reward_revision,
        reward_template=reward_template,
        batch_size=batch_size,
        device=device,
        dtype=dtype,
        max_length=max_length,
    )
    job = HHJob(open_all(_listed(answers)), options, folder)
    if dry_run:
        print(describe_estimates(job.estimate()))
        return
    result = job.run(progress=progress, overwrite=overwrite)
    for one in result["models"]:
        notes = [(one["cut_off"], "cut off"), (one["empty"], "empty"), (one["truncated"], "too long, cut")]
        _note(f"{one['name']}: {one['rows']:,} answers", notes)
    _show(folder / hh.RESULT, result)


def judge_command(
    answers: str,
    baseline: str,
    out: str | None = None,
    *,
    judge_model: str | None = None,
    prompt: str = "scores",
    base_url: str = OPENAI_URL,
    key_env: str = "OPENAI_API_KEY",
    judge_params: dict[str, Any] | None = None,
    count: str = "orders",
    share: float = SHARE,
    failed: str = "error",
    concurrency: int = 8,
    retries: int = 5,
    timeout: float = 120.0,
    price_in: float | None = None,
    price_out: float | None = None,
    retry_unparsable: bool = False,
    progress: bool = True,
    dry_run: bool = False,
    overwrite: bool = False,
) -> None:
    """Let a language model compare the answers of two models, each question in both orders.

    Args:
        answers: File of answers of the model in question, or NAME=FILE.
        baseline: File of answers of the other model, NAME=FILE, or reference for those of the questions.
        out: Directory for judge.json, rows.jsonl, annotations.json (as alpaca_eval writes them), and the
            replies, which a repeated command goes on from.
        judge_model: Name of the judge's model at the endpoint.
        prompt: scores (both answers from 1 to 10) or better (which is better).
        base_url: OpenAI-compatible endpoint, such as http://localhost:8000/v1.
        key_env: Name of the environment variable with the key.
        judge_params: Fields of each request beside temperature 0 and max_tokens 64, such as
            {"max_tokens": 512}; null takes one out.
        count: What is a comparison: each of both orders, or one of each of the questions.
        share: Share of the categories that are called worst, or best.
        failed: When requests fail for good: error, or null to count them like replies without a verdict.
        concurrency: Requests at a time.
        retries: How often a failed request is repeated.
        timeout: Seconds that a request may take.
        price_in: Price of a million tokens of prompts, for --dry-run.
        price_out: Price of a million tokens of replies, for --dry-run.
        retry_unparsable: Ask again where an earlier reply held no verdict.
        progress: Show a progress bar on stderr (--no-progress: do not).
        dry_run: Print requests, tokens and cost that the run would take, and stop.
        overwrite: Replace the result of another evaluation in out.

    """
    folder = _folder(out)
    options = JudgeEndpoint(
        judge_model=judge_model,
        base_url=base_url,
        key_env=key_env,
        judge_params=judge_params,
        concurrency=concurrency,
        retries=retries,
        timeout=timeout,
        price_in=price_in,
        price_out=price_out,
        retry_unparsable=retry_unparsable,
    )
    model = open_answers(answers)
    other = references(model) if baseline == REFERENCE else open_answers(baseline)
    job = JudgeJob(model, other, get_prompt(prompt), options, folder)
    if dry_run:
        print(describe_estimates([{"by": "judge", **job.estimate()}]))
        return
    result = job.run(count=count, share=share, failed=failed, progress=progress, overwrite=overwrite)
    counts = result["comparisons"][count]
    notes = [(number, name) for name, number in counts.items()]
    _note(f"{model.model} against {other.model}", notes)
    _note("replies", [(result["unreadable"], "without a verdict"), (result["failed"], "failed")])
    _show(folder / judging_job.RESULT, result)


def loss_command(
    model: str,
    questions: str | list[str],
    out: str | None = None,
    *,
    name: str | None = None,
    revision: str | None = None,
    template: str = "alpaca",
    limit: int | None = None,
    seed: int = 0,
    batch_size: int = 16,
    device: str = "auto",
    dtype: str = "auto",
    max_length: int | None = None,
    progress: bool = True,
    dry_run: bool = False,
    overwrite: bool = False,
) -> None:
    """Compute the loss of a model on the reference answers of questions: mean, worst 10%, by category.

    Args:
        model: Hub id or folder of a causal language model; the folder may hold adapters.
        questions: SET=FILE, or several such as self-instruct=a.jsonl,alpaca-eval=b.json; sets: self-instruct,
            alpaca-eval, sharegpt, jsonl, and others that have references.
        out: Directory for loss.json, rows.jsonl, and what a repeated command goes on from.
        name: Name of the model in results; null for model.
        revision: Branch, tag or commit of a Hub model.
        template: What comes before the response, as in training: alpaca, chat or a format string.
        limit: How many questions of each set to draw; null for all (sharegpt: 200).
        seed: Seed of that draw.
        batch_size: Rows that the model runs at a time; halved when memory runs out.
        device: auto, or a torch device such as cuda:1 or cpu.
        dtype: auto, float32, bfloat16 or float16.
        max_length: Tokens beyond which a row is cut; null for what the model takes, at most 2048.
        progress: Show a progress bar on stderr (--no-progress: do not).
        dry_run: Print how many references the run would score, and stop.
        overwrite: Replace the result of another evaluation in out.

    """
    folder = _folder(out)
    found = open_questions(questions, limit=limit, seed=seed)
    options = LossOptions(
        model=model,
        revision=revision,
        template=template,
        batch_size=batch_size,
        device=device,
        dtype=dtype,
        max_length=max_length,
    )
    job = LossJob(found, options, folder, name=name)
    if dry_run:
        print(describe_estimates(job.estimate()))
        return
    result = job.run(progress=progress, overwrite=overwrite)
    for text in found.notes:
        print(f"note: {text}")
    counts = result["questions"]
    notes = [(counts["without_reference"], "without a reference"), (counts["too_long"], "too long")]
    _note(f"{job.name}: {counts['rows']:,} references", [*notes, (result["truncated"], "cut")])
    _show(folder / loss.RESULT, result)


def alpacaeval_command(annotations: str | list[str], leaderboard: str | None = None) -> None:
    """Compute win rates from annotations of alpaca_eval, and compare them with a leaderboard.

    Args:
        annotations: Annotation files, a.json,b.json or [a.json, b.json].
        leaderboard: CSV file of a leaderboard; the command fails where a number of it is another.

    """
    found = [win_rate(path) for path in _listed(annotations)]
    print(win_rate_table(found).markdown(), end="")
    if leaderboard is None:
        return
    rows = read_leaderboard(leaderboard)
    compared = [(one.model, compare(one, find_row(one.model, rows))) for one in found]
    print(f"\n{comparison_table(compared).markdown()}", end="")
    wrong = [(model, one) for model, columns in compared for one in columns if not one.same]
    if wrong:
        model, first = wrong[0]
        raise MismatchError(
            f"{leaderboard}: {len(wrong)} numbers differ, the first is {first.column} of {model}: got "
            f"{first.ours}, the leaderboard says {first.printed}"
        )


def table_command(
    results: str | list[str],
    out: str | None = None,
    *,
    by: str = "all",
    layout: str = "models",
    metrics: list[str] | None = None,
    format: str = "markdown",
    caption: str = "",
    digits: int = 3,
) -> None:
    """Put the results of evaluations side by side.

    Args:
        results: Result files or their directories, a,b or [a, b].
        out: File for the table; null to print it.
        by: The numbers over all questions, by set or by category.
        layout: A row for each of the models, or of the metrics.
        metrics: Which numbers, in this order; null for all.
        format: markdown, latex or csv.
        caption: Text above the table; CSV has none.
        digits: Digits after the point; CSV has all.

    """
    check_choice("format", format, FORMATS)
    values = [value for path in _listed(results) for value in read_values(path)]
    table = value_table(values, by=by, layout=layout, metrics=metrics, caption=caption, digits=digits)
    text: str = getattr(table, format)()
    if out is None:
        print(text, end="")
    else:
        write_atomic(Path(out), [text.encode()])


def _folder(out: str | None) -> Path:
    if out is None:
        raise ValueError("out: got none, wanted a directory for the result; pass --out")
    return Path(out)


def _listed(given: str | list[str]) -> list[str]:
    return [part.strip() for part in given.split(",")] if isinstance(given, str) else given


def _note(what: str, counts: list[tuple[int, str]]) -> None:
    told = ", ".join(f"{number:,} {name}" for number, name in counts if number)
    print(f"{what}: {told}" if told else what)


def _show(path: Path, result: dict[str, Any]) -> None:
    print(f"\n{value_table(read_values(path), by='set').markdown()}")
    print(f"time   {format_seconds(result['seconds'])}\nsaved  {path}")
