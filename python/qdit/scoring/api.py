"""`qdit.score`: a number for the quality of every row of a pool."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..models.asking import OPENAI_URL, Endpoint
from ..models.hub import ModelOptions
from .job import ScoreJob, Scores, make_scorer, parse_by


def score(
    pool: Any,
    by: str | Iterable[str] = "reward",
    *,
    progress: Any = None,
    overwrite: bool = False,
    **settings: Any,
) -> Scores:
    """Give every row of a pool a quality score; write quality.npy and quality.json into the pool.

    A repeated call goes on where an interrupted one stopped, and returns what is there where nothing changed.

    Args:
        pool: pool directory, or a `qdit.Pool`.
        by: what scores: "reward" (a reward model), "alpagasus", "deita-complexity" or "deita-quality" (a
            language model as judge), "column" (a numeric column of the rows), or the heuristics
            "response-words", "response-chars", "lm-loss" and "lm-likelihood". Several, as a list or "a,b",
            are combined; "deita" stands for complexity and quality.
        progress: None or False for nothing, True for a bar on stderr, or a callable that takes a
            `qdit.records.RowProgress`.
        overwrite: replace other scores of the pool.
        settings: the other options, those of `prepare`.

    Returns:
        Scores, (n,) float64, and the manifest.

    Raises:
        ValueError: wrong options or rows, or the pool holds other scores.
        FileNotFoundError: no pool there.
        ImportError: a package that the scorer needs is not installed.
        MissingScoresError: rows without a score, by policy "error"; all other scores are kept.
        EndpointError: the judge's endpoint refuses, or fails again and again; all answers so far are kept.

    """
    with prepare(pool, by, **settings) as job:
        return job.run(progress=progress, overwrite=overwrite)


def prepare(
    pool: Any,
    by: str | Iterable[str] = "reward",
    *,
    combine: str = "product",
    missing: str = "error",
    column: str | None = None,
    reward_model: str | None = None,
    reward_revision: str | None = None,
    reward_template: str | None = None,
    lm_model: str | None = None,
    lm_revision: str | None = None,
    lm_template: str | None = None,
    batch_size: int = 16,
    device: str = "auto",
    dtype: str = "auto",
    max_length: int | None = None,
    judge_model: str | None = None,
    base_url: str = OPENAI_URL,
    key_env: str = "OPENAI_API_KEY",
    judge_params: dict[str, Any] | None = None,
    dimension: str = "accuracy",
    concurrency: int = 8,
    retries: int = 5,
    timeout: float = 120.0,
    price_in: float | None = None,
    price_out: float | None = None,
    retry_unparsable: bool = False,
) -> ScoreJob:
    r"""Check every argument and return a job to run or estimate.

    Args:
        pool: pool directory, or a `qdit.Pool`.
        by: as in `score`.
        combine: of several scores: "product" (DEITA's), or "mean".
        missing: what rows without a score get, such as those with an answer that cannot be read: "error",
            "lowest" (the smallest score there is, so that they are never preferred) or "median". quality.npy
            holds a finite number for every row in any case.
        column: numeric column for by="column".
        reward_model: Hub id or folder of a sequence classifier with one output; default
            weqweasdas/hh_rlhf_rm_open_llama_3b.
        reward_revision: branch, tag or commit.
        reward_template: "human-assistant" ("###Human: ... ###Assistant: ..."), "chat" (the tokenizer's chat
            template), or a format string such as "Q: {prompt}\nA: {output}" with instruction, input, output
            and prompt. Default: human-assistant for the default model, chat for others that have one.
        lm_model: Hub id or folder of a causal language model for lm-loss and lm-likelihood.
        lm_revision: branch, tag or commit.
        lm_template: what comes before the response: "chat" or a format string; default "chat" where the model
            has one, else "{prompt}\n\n".
        batch_size: rows that a model runs at a time; halved when memory runs out. Results differ between
            batch sizes by rounding only.
        device: "auto", or a torch device such as "cuda:1" or "cpu".
        dtype: "auto", "float32", "bfloat16" or "float16".
        max_length: tokens beyond which a row is cut; default what the model takes, at most 2048.
        judge_model: name of the judge's model at the endpoint.
        base_url: OpenAI-compatible endpoint, such as http://localhost:8000/v1.
        key_env: name of the environment variable with the key. The key goes nowhere but to the endpoint.
        judge_params: fields of each request beside temperature 0 and max_tokens 64; None takes one out.
        dimension: what alpagasus rates: "accuracy", "helpfulness" and so on.
        concurrency: requests at a time.
        retries: how often a failed request is repeated, with growing pauses.
        timeout: seconds that a request may take.
        price_in: price of a million tokens of prompts, for estimates.
        price_out: price of a million tokens of answers.
        retry_unparsable: ask again where an earlier answer held no rating.

    """
    judge = Endpoint(
        judge_model,
        base_url,
        key_env,
        judge_params,
        concurrency,
        retries,
        timeout,
        price_in,
        price_out,
        retry_unparsable,
    )
    reward = ModelOptions(
        reward_model, reward_revision, reward_template, batch_size, device, dtype, max_length
    )
    lm = ModelOptions(lm_model, lm_revision, lm_template, batch_size, device, dtype, max_length)
    scorers = [
        make_scorer(name, column=column, dimension=dimension, judge=judge, reward=reward, lm=lm)
        for name in parse_by(by)
    ]
    return ScoreJob(pool, scorers, combine=combine, missing=missing)
