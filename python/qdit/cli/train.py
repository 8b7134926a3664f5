"""What ``qdit train`` does."""

from __future__ import annotations

from ..training.api import prepare
from ..training.describe import describe_estimate, describe_trained
from ..training.trainer import is_first


def train_command(
    data: str,
    out: str,
    *,
    model: str,
    revision: str | None = None,
    pool: str | None = None,
    template: str = "alpaca",
    epochs: float = 3.0,
    batch_size: int = 128,
    per_device_batch: int | None = None,
    learning_rate: float = 2e-5,
    weight_decay: float = 0.0,
    schedule: str = "cosine",
    warmup: float = 0.03,
    max_length: int = 512,
    lora: bool = False,
    lora_rank: int = 8,
    lora_alpha: int = 16,
    lora_dropout: float = 0.05,
    lora_targets: str | list[str] = "all-linear",
    merge: bool = False,
    device: str = "auto",
    dtype: str = "auto",
    gradient_checkpointing: bool = False,
    seed: int = 0,
    max_steps: int | None = None,
    save_steps: int | None = None,
    resume: bool = True,
    overwrite: bool = False,
    progress: bool = True,
    dry_run: bool = False,
) -> None:
    """Fine-tune a language model on chosen rows, by the recipe of the paper.

    Several GPUs: accelerate launch -m qdit train ... (a batch stays what batch_size says).

    Args:
        data: File of rows (JSON, JSON Lines, CSV, Parquet), a selection, an export, or a pool.
        out: Directory for the folder final (model and tokenizer) and train.json. A repeated command goes on
            from the newest checkpoint in it.
        model: Hub id or folder of a causal language model.
        revision: Branch, tag or commit of it.
        pool: Pool directory of a selection; null for the one that the selection names.
        template: alpaca, chat (the model's own template), or a format string with {instruction}, {input} and
            {prompt} (instruction and input).
        epochs: Passes over the rows.
        batch_size: Rows of an optimizer step, over all devices and accumulation steps.
        per_device_batch: Rows on a device at a time; null for at most 4.
        learning_rate: Highest learning rate of AdamW.
        weight_decay: Weight decay of AdamW.
        schedule: cosine, linear, constant or constant_with_warmup.
        warmup: Share of the steps in which the learning rate rises.
        max_length: Tokens beyond which a row is cut; rows whose prompt alone fills it are left out.
        lora: Train low-rank adapters instead of all weights.
        lora_rank: Rank of the adapters.
        lora_alpha: Adapters are scaled by lora_alpha / lora_rank.
        lora_dropout: Dropout on the input of adapters.
        lora_targets: Modules that get adapters, such as q_proj,v_proj; all-linear for every linear layer but
            the last.
        merge: Save the model with the adapters worked into its weights.
        device: auto, cpu, cuda or mps.
        dtype: auto, float32, bfloat16 or float16; of the arithmetic.
        gradient_checkpointing: Compute activations again instead of keeping them.
        seed: Of the order of rows, of adapters and of dropout.
        max_steps: Stop after so many steps; null for all epochs.
        save_steps: Steps between checkpoints; null for ten of them, 0 for none.
        resume: Go on from a checkpoint in out (--no-resume: begin anew).
        overwrite: Replace the model in out.
        progress: Show a progress bar on stderr (--no-progress: do not).
        dry_run: Print rows, tokens, steps and memory that the run would take, and stop.

    """
    job = prepare(
        data,
        out,
        model=model,
        revision=revision,
        pool=pool,
        template=template,
        epochs=epochs,
        batch_size=batch_size,
        per_device_batch=per_device_batch,
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        schedule=schedule,
        warmup=warmup,
        max_length=max_length,
        lora=lora,
        lora_rank=lora_rank,
        lora_alpha=lora_alpha,
        lora_dropout=lora_dropout,
        lora_targets=lora_targets,
        merge=merge,
        device=device,
        dtype=dtype,
        gradient_checkpointing=gradient_checkpointing,
        seed=seed,
        max_steps=max_steps,
        save_steps=save_steps,
    )
    if dry_run:
        text = describe_estimate(job.estimate())
    else:
        text = describe_trained(job.run(progress=progress, resume=resume, overwrite=overwrite))
    if is_first():
        print(text)
