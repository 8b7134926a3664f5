"""What ``qdit embed`` does."""

from __future__ import annotations

from ..common.text import format_seconds
from ..embedding.api import prepare
from ..embedding.job import Embeddings, EmbedJob
from ..embedding.sentence import DEFAULT_MODEL
from ..embedding.writer import ROWS


def embed_command(
    pool: str,
    model: str = DEFAULT_MODEL,
    *,
    revision: str | None = None,
    template: str = "with_input",
    prompt: str | None = None,
    normalize: bool = True,
    dtype: str = "float16",
    batch_size: int | None = None,
    chunk_rows: int | None = None,
    device: str | list[str] = "auto",
    model_dtype: str | None = None,
    dimensions: int | None = None,
    local_files_only: bool = False,
    base_url: str | None = None,
    key_env: str = "OPENAI_API_KEY",
    concurrency: int = 8,
    retries: int = 5,
    timeout: float = 60.0,
    zero_rows: str = "error",
    progress: bool = True,
    dry_run: bool = False,
    overwrite: bool = False,
) -> None:
    """Embed the text of every row of a pool.

    Args:
        pool: Pool directory. embeddings.npy and embeddings.json are written there; its folder
            "embeddings.partial" keeps what a repeated command goes on from.
        model: Hub id or folder of a sentence-transformers model; builtin:hash, a stand-in that needs no
            download; or, with --base-url, the name of a server's model.
        revision: Branch, tag or commit of a model on the Hub.
        template: instruction, with_input, or a format string with {instruction}, {input}, {output},
            {source} and {id}.
        prompt: Text put before each row's, as some models want; null for the model's own.
        normalize: Scale rows to length 1 (--no-normalize: do not).
        dtype: float16 or float32.
        batch_size: Texts that are encoded together, or sent in one request; null for 32. Halved when memory
            runs out.
        chunk_rows: Rows that are done before any is written, what a kill may lose; null for 64 batches.
        device: auto, torch devices such as cuda:1 or cuda:0,cuda:1, or all for every CUDA device.
        model_dtype: float32, float16 or bfloat16 for the weights; null for the model's own.
        dimensions: Cut vectors to the first so many, for models that are trained for it.
        local_files_only: Do not ask the Hub; the model must be in its cache.
        base_url: OpenAI-compatible server with /embeddings, such as http://localhost:8000/v1.
        key_env: Name of the environment variable with the server's key.
        concurrency: Requests at a time.
        retries: How often a failed request is repeated.
        timeout: Seconds that a request may take.
        zero_rows: error, or keep to give rows of zeros to blank texts.
        progress: Show a progress bar on stderr (--no-progress: do not).
        dry_run: Print rows and tokens that the run would take, and stop.
        overwrite: Replace embeddings that were made with other settings.

    """
    with prepare(
        pool,
        model,
        revision=revision,
        template=template,
        prompt=prompt,
        normalize=normalize,
        dtype=dtype,
        batch_size=batch_size,
        chunk_rows=chunk_rows,
        device=device,
        model_dtype=model_dtype,
        dimensions=dimensions,
        local_files_only=local_files_only,
        base_url=base_url,
        key_env=key_env,
        concurrency=concurrency,
        retries=retries,
        timeout=timeout,
        zero_rows=zero_rows,
    ) as job:
        if dry_run:
            print(describe_estimate(job))
        else:
            print(describe_embeddings(job.run(progress=progress, overwrite=overwrite), job))


def describe_estimate(job: EmbedJob) -> str:
    """Return what a run would do, as one line."""
    found = job.estimate()
    return (
        f"{found['left']:,} of {found['rows']:,} rows left to embed with {job.settings.model}, about "
        f"{found['characters']:,} characters or {found['tokens']:,} tokens"
    )


def describe_embeddings(made: Embeddings, job: EmbedJob) -> str:
    """Return what was made, as a few lines."""
    found, rows = made.manifest, made.rows
    name = found["model"]["name"]
    exact = found["model"].get("commit") or found["model"].get("sha256")
    lines = [
        f"{rows.n:,} x {rows.d} {rows.dtype} in {job.directory / ROWS}",
        f"model    {name}" + (f" ({exact[:12]})" if exact else ""),
        f"text     {found['settings']['template']}",
        f"time     {format_seconds(found['seconds'])}",
    ]
    if "stand_in" in found["model"]:
        lines.append(f"note     {found['model']['stand_in']}")
    if found["zero_rows"]:
        lines.append(f"note     {found['zero_rows']:,} rows are zero; select with zero_rows=ignore")
    return "\n".join(lines)
