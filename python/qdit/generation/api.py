"""`qdit.generate`: answers of a model to the questions of an evaluation set."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from ..models.options import ChatEndpoint, ModelOptions
from ..models.prompts import ALPACA, CHAT
from .job import Generated, GenerateJob
from .local import LocalModel
from .questions import Asked, Settings
from .server import Server


def generate(
    questions: Sequence[Asked],
    out: str | os.PathLike[str],
    *,
    model: str,
    progress: Any = None,
    overwrite: bool = False,
    **settings: Any,
) -> Generated:
    """Write a model's answer to every question.

    A repeated call goes on where an interrupted one stopped, and returns what is there where nothing changed.
    Answers of a model that runs here do not depend on an interruption; those to other questions of a batch
    touch them by rounding only.

    Args:
        questions: such as `qdit.evaluation.sets.load_questions` returns.
        out: JSONL file for the answers; the manifest goes to <out>.json, unfinished answers to <out>.partial.
        model: Hub id or folder of a causal language model (what `qdit.train` wrote, adapters too), or with
            base_url the name that the server knows it by.
        progress: None or False for nothing, True for a bar on stderr, or a callable that takes a
            `qdit.records.RowProgress`.
        overwrite: replace other answers in `out`.
        settings: the other options, those of `prepare`.

    Returns:
        The path, and the manifest.

    Raises:
        ValueError: wrong options, a prompt that is too long, or `out` holds something else.
        FileNotFoundError: no such model.
        ImportError: names the package that is not installed.
        EndpointError: the server refuses, or fails again and again; all answers so far are kept.

    """
    job = prepare(questions, out, model=model, **settings)
    return job.run(progress=progress, overwrite=overwrite)


def prepare(
    questions: Sequence[Asked],
    out: str | os.PathLike[str],
    *,
    model: str,
    revision: str | None = None,
    template: str | None = None,
    max_new_tokens: int = 512,
    stop: str | Sequence[str] = (),
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
) -> GenerateJob:
    r"""Check every option and return a job to run or estimate.

    Args:
        questions: as in `generate`.
        out: as in `generate`.
        model: as in `generate`.
        revision: branch, tag or commit of a model on the Hub.
        template: "alpaca" (Stanford Alpaca's prompt), "chat" (the model's chat template; of a server, its
            own), or a format string such as "Q: {instruction}\nA:". Default: alpaca here, chat for a server.
        max_new_tokens: after which an answer is cut.
        stop: text, or several, before which an answer ends.
        temperature: 0 for the most likely token every time.
        top_p: draw from the fewest tokens that have this probability together.
        seed: of the draws. Each question has its own, so neither its batch nor the order matters.
        batch_size: questions at a time; halved where memory runs out.
        device: "auto", or a torch device such as "cuda:1".
        dtype: "auto" (float32 on a CPU, else bfloat16 or float16), "float32", "bfloat16" or "float16".
        base_url: OpenAI-compatible endpoint, such as http://localhost:8000/v1; None for a model that runs
            here.
        key_env: name of the environment variable with its key. The key goes nowhere but to the endpoint.
        params: fields of each request beside temperature, top_p, max_tokens, stop and seed; None takes one
            out.
        concurrency: requests at a time.
        retries: how often a failed request is repeated, with growing pauses.
        timeout: seconds that a request may take.
        price_in: price of a million tokens of prompts, for estimates.
        price_out: price of a million tokens of answers.

    """
    if not questions:
        raise ValueError("questions: got none, wanted at least one")
    stops = (stop,) if isinstance(stop, str) else tuple(stop)
    default = ALPACA if base_url is None else CHAT
    settings = Settings(
        default if template is None else template, max_new_tokens, stops, temperature, top_p, seed
    )
    answerer: LocalModel | Server
    if base_url is None:
        if params:
            raise ValueError("params: got fields of a request without base_url; pass base_url as well")
        given = ModelOptions(batch_size=batch_size, device=device, dtype=dtype)
        answerer = LocalModel(model, revision, given, settings, questions)
    else:
        endpoint = ChatEndpoint(
            base_url=base_url,
            key_env=key_env,
            concurrency=concurrency,
            retries=retries,
            timeout=timeout,
            price_in=price_in,
            price_out=price_out,
        )
        answerer = Server(model, endpoint, params, settings, questions)
    return GenerateJob(questions, out, answerer, settings)
