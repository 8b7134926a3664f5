"""What ``qdit train`` does."""

from __future__ import annotations

from typing import Any

from ..training.describe import describe_estimate, describe_trained
from ..training.job import TrainJob
from ..training.options import TrainOptions
from ..training.trainer import is_first


def train_command(
    data: str,
    out: str,
    *,
    resume: bool = True,
    progress: bool = True,
    dry_run: bool = False,
    overwrite: bool = False,
    **options: Any,
) -> None:
    """Fine-tune a language model on chosen rows, by the recipe of the paper.

    Several GPUs: accelerate launch -m qdit train ... (a batch stays what batch_size says).

    Args:
        data: File of rows (JSON, JSON Lines, CSV, Parquet), a selection, an export, or a pool.
        out: Directory for the folder final (model and tokenizer) and train.json. A repeated command goes on
            from the newest checkpoint in it.
        resume: Go on from a checkpoint in out (--no-resume: begin anew).
        progress: Show a progress bar on stderr (--no-progress: do not).
        dry_run: Print rows, tokens, steps and memory that the run would take, and stop.
        overwrite: Replace the model in out.
        options: Of the model and its training.

    """
    job = TrainJob(data, out, TrainOptions(**options))
    if dry_run:
        text = describe_estimate(job.estimate())
    else:
        text = describe_trained(job.run(progress=progress, resume=resume, overwrite=overwrite))
    if is_first():
        print(text)
