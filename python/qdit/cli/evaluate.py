"""What ``qdit evaluate hh``, ``judge``, ``loss``, ``alpacaeval`` and ``table`` do."""

from pathlib import Path
from typing import Any

from ..common.checks import check_choice
from ..common.files import write_atomic
from ..common.text import format_seconds, names_of
from ..common.types import JSON
from ..evaluation.answers import REFERENCE, open_all, open_answers, references
from ..evaluation.hh import HHJob
from ..evaluation.job import EvaluationJob
from ..evaluation.judge.alpacaeval import (
    MismatchError,
    compare,
    comparison_table,
    find_row,
    read_leaderboard,
    win_rate,
    win_rate_table,
)
from ..evaluation.judge.job import JudgeJob, JudgeOptions
from ..evaluation.loss import LossJob, LossOptions
from ..evaluation.results import TableOptions, read_values, value_table
from ..evaluation.sets import open_questions
from ..scoring.reward import RewardOptions
from .tables import describe_estimates

FORMATS = ("markdown", "latex", "csv")


def hh_command(
    answers: str | list[str],
    out: str | None = None,
    *,
    progress: bool = True,
    dry_run: bool = False,
    overwrite: bool = False,
    **options: Any,
) -> None:
    """Score the answers of models with a reward model: mean, worst 10% and best 10%.

    Args:
        answers: Files of answers, a.jsonl,b.jsonl or [a.jsonl, b.jsonl]; NAME=FILE names a model.
        out: Directory for hh.json, rows.jsonl, and what a repeated command goes on from.
        progress: Show a progress bar on stderr (--no-progress: do not).
        dry_run: Print how many answers the run would score, and stop.
        overwrite: Replace the result of another evaluation in out.
        options: Those of `RewardOptions`.

    """
    folder = _folder(out)
    job = HHJob(open_all(names_of(answers)), RewardOptions(**options), folder)
    result = _run(job, progress, dry_run, overwrite)
    for one in result["models"] if result else ():
        notes = [(one["cut_off"], "cut off"), (one["empty"], "empty"), (one["truncated"], "too long, cut")]
        _note(f"{one['name']}: {one['rows']:,} answers", notes)
    _show(job, result)


def judge_command(
    answers: str,
    baseline: str,
    out: str | None = None,
    *,
    progress: bool = True,
    dry_run: bool = False,
    overwrite: bool = False,
    **options: Any,
) -> None:
    """Let a language model compare the answers of two models, each question in both orders.

    Args:
        answers: File of answers of the model in question, or NAME=FILE.
        baseline: File of answers of the other model, NAME=FILE, or reference for those of the questions.
        out: Directory for judge.json, rows.jsonl, annotations.json (as alpaca_eval writes them), and the
            replies, which a repeated command goes on from.
        progress: Show a progress bar on stderr (--no-progress: do not).
        dry_run: Print requests, tokens and cost that the run would take, and stop.
        overwrite: Replace the result of another evaluation in out.
        options: Those of `JudgeOptions`.

    """
    folder, given = _folder(out), JudgeOptions(**options)
    model = open_answers(answers)
    other = references(model) if baseline == REFERENCE else open_answers(baseline)
    job = JudgeJob(model, other, given, folder)
    result = _run(job, progress, dry_run, overwrite)
    if result:
        counts = result["comparisons"][given.count]
        _note(f"{model.model} against {other.model}", [(number, name) for name, number in counts.items()])
        useless = [(number, why) for why, number in result["unreadable_why"].items()]
        _note("replies", [*useless, (result["failed"], "failed")])
    _show(job, result)


def loss_command(
    model: str,
    questions: str | list[str],
    out: str | None = None,
    *,
    limit: int | None = None,
    seed: int = 0,
    progress: bool = True,
    dry_run: bool = False,
    overwrite: bool = False,
    **options: Any,
) -> None:
    """Compute the loss of a model on the reference answers of questions: mean, worst 10%, by category.

    Args:
        model: Hub id or folder of a causal language model, or of adapters.
        questions: SET=FILE, or several such as self-instruct=a.jsonl,alpaca-eval=b.json; sets: self-instruct,
            alpaca-eval, sharegpt, jsonl, and others that have references.
        out: Directory for loss.json, rows.jsonl, and what a repeated command goes on from.
        limit: Draw so many questions of each set at random; null for all (sharegpt: 200).
        seed: Seed of that draw.
        progress: Show a progress bar on stderr (--no-progress: do not).
        dry_run: Print how many references the run would score, and stop.
        overwrite: Replace the result of another evaluation in out.
        options: Those of `LossOptions`.

    """
    folder = _folder(out)
    found = open_questions(questions, limit=limit, seed=seed)
    job = LossJob(found, LossOptions(model=model, **options), folder)
    result = _run(job, progress, dry_run, overwrite)
    if result:
        for text in found.notes:
            print(f"note: {text}")
        counts = result["questions"]
        notes = [(counts["without_reference"], "without a reference"), (counts["too_long"], "too long")]
        _note(f"{job.name}: {counts['rows']:,} references", [*notes, (result["truncated"], "cut")])
    _show(job, result)


def alpacaeval_command(annotations: str | list[str], leaderboard: str | None = None) -> None:
    """Compute win rates from annotations of alpaca_eval, and compare them with a leaderboard.

    Args:
        annotations: Annotation files, a.json,b.json or [a.json, b.json].
        leaderboard: CSV file of a leaderboard; the command fails where a number of it is another.

    """
    found = [win_rate(path) for path in names_of(annotations)]
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
    results: str | list[str], out: str | None = None, *, format: str = "markdown", **options: Any
) -> None:
    """Put the results of evaluations side by side.

    Args:
        results: Result files or their directories, a,b or [a, b].
        out: File for the table; null to print it.
        format: markdown, latex or csv.
        options: Those of `TableOptions`.

    """
    check_choice("format", format, FORMATS)
    values = [value for path in names_of(results) for value in read_values(path)]
    table = value_table(values, **vars(TableOptions(**options)))
    text: str = getattr(table, format)()
    if out is None:
        print(text, end="")
    else:
        write_atomic(Path(out), [text.encode()])


def _folder(out: str | None) -> Path:
    if out is None:
        raise ValueError("out: got none, wanted a directory for the result; pass --out")
    return Path(out)


def _run(job: EvaluationJob, progress: bool, dry_run: bool, overwrite: bool) -> JSON | None:
    """Return the result of a job; None for a dry run, which prints what the job would have to do."""
    if not dry_run:
        return job.run(progress=progress, overwrite=overwrite)
    print(describe_estimates(job.estimate()))
    return None


def _note(what: str, counts: list[tuple[int, str]]) -> None:
    told = ", ".join(f"{number:,} {name}" for number, name in counts if number)
    print(f"{what}: {told}" if told else what)


def _show(job: EvaluationJob, result: JSON | None) -> None:
    if result:
        print(f"\n{value_table(read_values(job.path), by='set').markdown()}")
        print(f"time   {format_seconds(result['seconds'])}\nsaved  {job.path}")
