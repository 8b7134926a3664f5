"""What ``qdit score`` does."""

from __future__ import annotations

from typing import Any

from ..models.asking import OPENAI_URL
from ..scoring.api import prepare
from ..scoring.describe import describe_estimates, describe_scores


def score_command(
    pool: str,
    by: str | list[str] = "reward",
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
    progress: bool = True,
    dry_run: bool = False,
    overwrite: bool = False,
) -> None:
    """Give every row of a pool a quality score.

    Args:
        pool: Pool directory. quality.npy and quality.json are written there; its folder "scoring" keeps what
            a repeated command goes on from.
        by: reward, alpagasus, deita-complexity, deita-quality (language model as judge), column, or the
            heuristics response-words, response-chars, lm-loss, lm-likelihood. Several, as a,b, are combined;
            deita is complexity times quality.
        combine: Of several scores: product or mean.
        missing: What rows without a score get: error (stop), lowest (the smallest score) or median.
        column: Numeric column of the rows, for by column.
        reward_model: Hub id or folder of a reward model; null for weqweasdas/hh_rlhf_rm_open_llama_3b.
        reward_revision: Branch, tag or commit of it.
        reward_template: human-assistant, chat, or a format string with {instruction}, {input}, {output} and
            {prompt} (instruction and input); null for the model's own.
        lm_model: Hub id or folder of a causal language model, for lm-loss and lm-likelihood.
        lm_revision: Branch, tag or commit of it.
        lm_template: What comes before the response: chat or a format string; null for the model's own.
        batch_size: Rows that a model runs at a time; halved when memory runs out.
        device: auto, or a torch device such as cuda:1 or cpu.
        dtype: auto, float32, bfloat16 or float16.
        max_length: Tokens beyond which a row is cut; null for what the model takes, at most 2048.
        judge_model: Name of the judge's model at the endpoint.
        base_url: OpenAI-compatible endpoint, such as http://localhost:8000/v1.
        key_env: Name of the environment variable with the key.
        judge_params: Fields of each request beside temperature 0 and max_tokens 64, such as
            {"max_tokens": 16}; null takes one out.
        dimension: What alpagasus rates, such as accuracy or helpfulness.
        concurrency: Requests at a time.
        retries: How often a failed request is repeated.
        timeout: Seconds that a request may take.
        price_in: Price of a million tokens of prompts, for --dry-run.
        price_out: Price of a million tokens of answers, for --dry-run.
        retry_unparsable: Ask again where an earlier answer held no rating.
        progress: Show a progress bar on stderr (--no-progress: do not).
        dry_run: Print rows, requests, tokens and cost that the run would take, and stop.
        overwrite: Replace other scores of the pool.

    """
    with prepare(
        pool,
        by,
        combine=combine,
        missing=missing,
        column=column,
        reward_model=reward_model,
        reward_revision=reward_revision,
        reward_template=reward_template,
        lm_model=lm_model,
        lm_revision=lm_revision,
        lm_template=lm_template,
        batch_size=batch_size,
        device=device,
        dtype=dtype,
        max_length=max_length,
        judge_model=judge_model,
        base_url=base_url,
        key_env=key_env,
        judge_params=judge_params,
        dimension=dimension,
        concurrency=concurrency,
        retries=retries,
        timeout=timeout,
        price_in=price_in,
        price_out=price_out,
        retry_unparsable=retry_unparsable,
    ) as job:
        if dry_run:
            print(describe_estimates(job.estimate()))
        else:
            print(describe_scores(job.run(progress=progress, overwrite=overwrite), job.directory))
