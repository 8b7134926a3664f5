"""`qdit.train`: a model fine-tuned on chosen rows."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

from ..common import checks
from ..models.causal import CausalModel
from ..models.options import ModelOptions
from .job import Trained, TrainJob
from .recipe import Lora, Recipe

DEVICES = ("auto", "cpu", "cuda", "mps")
_PAPER = Recipe()
_LORA = Lora()


def train(
    data: Any,
    out: str | os.PathLike[str],
    *,
    model: str,
    progress: Any = None,
    resume: bool = True,
    overwrite: bool = False,
    **settings: Any,
) -> Trained:
    """Fine-tune a causal language model on chosen rows.

    The defaults are the recipe of Bukharin & Zhao (arXiv 2311.14736). A repeated call goes on from the newest
    whole checkpoint of an interrupted one, and returns what is there where nothing changed. On a CPU the same
    seed gives the same bytes with the same number of threads, interrupted or not.

    Args:
        data: a file of rows, a selection, an export, a pool, or rows in memory; see `qdit.training.data`.
        out: directory for the folder final (model and tokenizer, for from_pretrained) and train.json.
        model: Hub id or folder of a causal language model.
        progress: None or False for nothing, True for a bar on stderr, or a callable that takes a
            `qdit.records.RowProgress`.
        resume: go on from a checkpoint in `out`; False begins anew.
        overwrite: replace the model in `out`.
        settings: the other options, those of `prepare`.

    Returns:
        Folder of the model, and the manifest.

    Raises:
        ValueError: wrong options or rows, or `out` holds something else.
        FileNotFoundError: no such data or model.
        ImportError: names the package that is not installed.
        RuntimeError: memory ran out, or the loss was no number.

    """
    job = prepare(data, out, model=model, **settings)
    return job.run(progress=progress, resume=resume, overwrite=overwrite)


def prepare(
    data: Any,
    out: str | os.PathLike[str],
    *,
    model: str,
    revision: str | None = None,
    pool: str | os.PathLike[str] | None = None,
    template: str = _PAPER.template,
    epochs: float = _PAPER.epochs,
    batch_size: int = _PAPER.batch_size,
    per_device_batch: int | None = None,
    learning_rate: float = _PAPER.learning_rate,
    weight_decay: float = _PAPER.weight_decay,
    schedule: str = _PAPER.schedule,
    warmup: float = _PAPER.warmup,
    max_length: int = _PAPER.max_length,
    lora: bool = False,
    lora_rank: int = _LORA.rank,
    lora_alpha: int = _LORA.alpha,
    lora_dropout: float = _LORA.dropout,
    lora_targets: str | list[str] = _LORA.targets,  # type: ignore[assignment]
    merge: bool = False,
    device: str = "auto",
    dtype: str = "auto",
    gradient_checkpointing: bool = False,
    seed: int = 0,
    max_steps: int | None = None,
    save_steps: int | None = None,
) -> TrainJob:
    r"""Check every option and return a job to run or estimate.

    Args:
        data: as in `train`.
        out: as in `train`.
        model: as in `train`.
        revision: branch, tag or commit of a model on the Hub.
        pool: the pool of a selection, where that is not where the selection says.
        template: "alpaca" (Stanford Alpaca's prompt; rows of prompt and completion are taken as they are,
            of a chat the first exchange counts), "chat" (the model's chat template, every answer is learnt),
            or a format string such as "Q: {prompt}\nA:" with instruction, input and prompt (both).
        epochs: passes over the rows.
        batch_size: rows of an optimizer step, over all devices and accumulation steps.
        per_device_batch: rows on a device at a time, a divisor; None for at most 4.
        learning_rate: of AdamW, its highest.
        weight_decay: of AdamW.
        schedule: "cosine", "linear", "constant" or "constant_with_warmup".
        warmup: share of the steps in which the learning rate rises.
        max_length: tokens beyond which a row is cut. Rows whose prompt alone fills it have nothing to learn:
            they are left out and counted.
        lora: train low-rank adapters instead of all weights.
        lora_rank: of the adapters.
        lora_alpha: adapters are scaled by lora_alpha / lora_rank.
        lora_dropout: on the input of adapters.
        lora_targets: modules that get adapters, as a list or "q_proj,v_proj"; "all-linear" for every linear
            layer but the last.
        merge: work the adapters into the weights of the model that is saved.
        device: "auto", "cpu", "cuda" or "mps". Several GPUs: start with accelerate launch or torchrun.
        dtype: of the arithmetic: "auto" (float32 on a CPU, bfloat16 where a GPU has it), "float32",
            "bfloat16" or "float16". Weights that are trained are float32 in any case.
        gradient_checkpointing: keep less for the backward pass and compute it again: slower, less memory.
        seed: of the order of rows, of adapters and of dropout.
        max_steps: stop after so many steps; the learning rate is scheduled for that.
        save_steps: steps between checkpoints; None for ten of them, 0 for none.

    """
    adapters = None
    if lora:
        targets = lora_targets
        if isinstance(targets, str) and targets != _LORA.targets:
            targets = [name.strip() for name in targets.split(",")]
        names = targets if isinstance(targets, str) else tuple(targets)
        adapters = Lora(lora_rank, lora_alpha, lora_dropout, names)
    elif merge:
        raise ValueError("merge: there is nothing to merge without lora; pass lora as well, or neither")
    recipe = Recipe(
        template,
        epochs,
        batch_size,
        per_device_batch,
        learning_rate,
        weight_decay,
        schedule,
        warmup,
        max_length,
        adapters,
        seed,
        max_steps,
    )
    checks.check_choice("device", device, DEVICES)
    if save_steps is not None and checks.check_int("save_steps", save_steps) < 0:
        raise ValueError(f"save_steps: got {save_steps}, wanted 0 or more")
    if device == "auto" and os.environ.get("ACCELERATE_USE_CPU", "").lower() in ("true", "1"):
        device = "cpu"  # accelerate launch --cpu
    given = ModelOptions(device=device, dtype=dtype, batch_size=1)
    found = CausalModel(model, given, revision=revision, max_length=max_length)
    if dtype == "auto" and found.device == "mps":
        given = replace(given, dtype="float32")
        found = CausalModel(model, given, revision=revision, max_length=max_length)
    if found.adapter is not None:
        raise ValueError(f"model: {model} holds adapters, wanted a whole model: train with merge=True first")
    _check_device(found)
    return TrainJob(
        data,
        out,
        found,
        recipe,
        pool=pool,
        merge=merge,
        gradient_checkpointing=gradient_checkpointing,
        save_steps=save_steps,
    )


def _check_device(model: CausalModel) -> None:
    device, dtype = model.device, model.dtype
    if not model.has_device:
        raise ValueError(f"device: got {device!r}, which torch does not find here; pass 'cpu'")
    if dtype == "float16" and not device.startswith("cuda"):
        raise ValueError(f"dtype: got 'float16' on {device}, wanted 'float32' there")
    if dtype == "bfloat16" and not model.has_bfloat16:
        raise ValueError("dtype: got 'bfloat16', which this GPU lacks; pass 'float16' or 'float32'")
