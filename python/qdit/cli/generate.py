"""What ``qdit generate`` does."""

from typing import Any

from ..common.text import format_seconds, format_table
from ..common.types import JSON
from ..evaluation.sets import open_questions
from ..generation.job import Generated, GenerateJob
from ..generation.options import GenerateOptions


def generate_command(
    questions: str | list[str],
    out: str,
    *,
    limit: int | None = None,
    questions_seed: int = 0,
    progress: bool = True,
    dry_run: bool = False,
    overwrite: bool = False,
    **options: Any,
) -> None:
    """Write a model's answers to the questions of an evaluation set.

    Args:
        questions: SET=FILE, or several such as vicuna=a.jsonl,koala=b.jsonl; sets: self-instruct, wizardlm,
            vicuna, koala, lima, alpaca-eval, sharegpt, and jsonl for a file of one's own.
        out: JSONL file for the answers, and <out>.json for the manifest. A repeated command goes on where an
            interrupted one stopped.
        limit: Draw so many questions of each set at random; null for all (sharegpt: 200).
        questions_seed: Of that draw.
        progress: Show a progress bar on stderr (--no-progress: do not).
        dry_run: Print how much there is to do, and stop.
        overwrite: Replace other answers in out.
        options: Of the model and of its answers.

    """
    given = GenerateOptions(**options)
    found = open_questions(questions, limit=limit, seed=questions_seed)
    for note in found.notes:
        print(f"note: {note}")
    job = GenerateJob(found, out, given)
    if dry_run:
        print(_describe_estimate(job.estimate()))
    else:
        print(_describe(job.run(progress=progress, overwrite=overwrite)))


def _describe_estimate(estimate: JSON) -> str:
    most = estimate["completion_tokens_at_most"]
    rows = {
        "questions": f"{estimate['questions']:,}, of which {estimate['left']:,} have no answer yet",
        "prompt tokens": f"{estimate['prompt_tokens']:,}",
        "answer tokens": "no limit is set" if most is None else f"at most {most:,}",
    }
    if "cost_at_most" in estimate:
        rows["cost"] = f"about {estimate['cost_at_most']:,.2f} at most"
    return format_table(rows)


def _describe(made: Generated) -> str:
    record = made.manifest
    words = {"stop": "ended by themselves", "length": "cut at max_new_tokens"}
    ends = [f"{count:,} {words.get(name, f'ended with {name}')}" for name, count in record["finish"].items()]
    if record.get("empty"):
        ends.append(f"{record['empty']:,} without text")
    return format_table(
        {
            "answers": f"{record['questions']['n']:,} by {record['model']}",
            "ends": ", ".join(ends),
            "tokens": f"{record['prompt_tokens']:,} of prompts, {record['completion_tokens']:,} of answers",
            "time": format_seconds(record["seconds"]),
            "saved": str(made.path),
        }
    )
