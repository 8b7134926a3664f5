"""What ``qdit generate`` does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..common.text import format_seconds, format_table
from ..generation.api import prepare
from ..generation.job import Generated


def generate_command(
    questions: str | list[str],
    out: str,
    *,
    model: str,
    limit: int | None = None,
    questions_seed: int = 0,
    revision: str | None = None,
    template: str | None = None,
    max_new_tokens: int = 512,
    stop: str | list[str] | None = None,
    temperature: float = 0.0,
    top_p: float = 1.0,
    seed: int = 0,
    batch_size: int = 16,
    device: str = "auto",
    dtype: str = "auto",
    base_url: str | None = None,
    key_env: str = "OPENAI_API_KEY",
    params: dict[str, Any] | None = None,
    concurrency: int = 8,
    retries: int = 5,
    timeout: float = 120.0,
    price_in: float | None = None,
    price_out: float | None = None,
    overwrite: bool = False,
    progress: bool = True,
    dry_run: bool = False,
) -> None:
    """Write a model's answers to the questions of an evaluation set.

    Args:
        questions: SET=FILE, or several such as vicuna=a.jsonl,koala=b.jsonl; sets: self-instruct, wizardlm,
            vicuna, koala, lima, alpaca-eval, sharegpt, and jsonl for a file of one's own.
        out: JSONL file for the answers, and <out>.json for the manifest. A repeated command goes on where an
            interrupted one stopped.
        model: Hub id or folder of a causal language model, or with base_url its name there.
        limit: Draw so many questions of each set at random; null for all (sharegpt: 200).
        questions_seed: Of that draw.
        revision: Branch, tag or commit of a model on the Hub.
        template: alpaca, chat (the model's own), or a format string with {instruction}; null for alpaca here
            and chat for a server.
        max_new_tokens: Tokens after which an answer is cut.
        stop: Text, or a list of texts, before which an answer ends.
        temperature: 0 for the most likely token every time.
        top_p: Draw from the fewest tokens that have this probability together.
        seed: Of the draws.
        batch_size: Questions at a time; halved where memory runs out.
        device: auto, or a torch device such as cuda:1 or cpu.
        dtype: auto, float32, bfloat16 or float16.
        base_url: OpenAI-compatible endpoint, such as http://localhost:8000/v1; null for a model that runs
            here.
        key_env: Name of the environment variable with its key.
        params: Fields of each request beside temperature, top_p, max_tokens, stop and seed; null takes one
            out.
        concurrency: Requests at a time.
        retries: How often a failed request is repeated.
        timeout: Seconds that a request may take.
        price_in: Price of a million tokens of prompts, for --dry-run.
        price_out: Price of a million tokens of answers, for --dry-run.
        overwrite: Replace other answers in out.
        progress: Show a progress bar on stderr (--no-progress: do not).
        dry_run: Print how much there is to do, and stop.

    """
    # sets belong to the evaluation, which comes after this package
    from ..evaluation.sets import open_questions

    found = open_questions(questions, limit=limit, seed=questions_seed)
    for note in found.notes:
        print(f"note: {note}")
    job = prepare(
        found,
        out,
        model=model,
        revision=revision,
        template=template,
        max_new_tokens=max_new_tokens,
        stop=() if stop is None else stop,
        temperature=temperature,
        top_p=top_p,
        seed=seed,
        batch_size=batch_size,
        device=device,
        dtype=dtype,
        base_url=base_url,
        key_env=key_env,
        params=params,
        concurrency=concurrency,
        retries=retries,
        timeout=timeout,
        price_in=price_in,
        price_out=price_out,
    )
    if dry_run:
        print(_describe_estimate(job.estimate()))
    else:
        print(_describe(job.run(progress=progress, overwrite=overwrite)))


def _describe_estimate(estimate: Mapping[str, Any]) -> str:
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
    ends = {"stop": "ended by themselves", "length": "cut at max_new_tokens"}
    return format_table(
        {
            "answers": f"{record['questions']['n']:,} by {record['model']}",
            "ends": ", ".join(f"{count:,} {ends[name]}" for name, count in record["finish"].items()),
            "tokens": f"{record['prompt_tokens']:,} of prompts, {record['completion_tokens']:,} of answers",
            "time": format_seconds(record["seconds"]),
            "saved": str(made.path),
        }
    )
