"""`qdit.train`: a model fine-tuned on chosen rows."""

from typing import Any

from ..common.progress import RowProgressLike
from ..common.types import StrPath
from .data import DataLike
from .job import Trained, TrainJob
from .options import TrainOptions


def train(
    data: DataLike,
    out: StrPath,
    *,
    progress: RowProgressLike = None,
    resume: bool = True,
    overwrite: bool = False,
    **options: Any,
) -> Trained:
    """Fine-tune a causal language model on chosen rows.

    The defaults are the recipe of Bukharin & Zhao (arXiv 2311.14736). A repeated call goes on from the newest
    whole checkpoint of an interrupted one, and returns what is there where nothing changed. On a CPU the same
    seed gives the same bytes with the same number of threads, interrupted or not.

    Args:
        data: a file of rows, a selection, an export, a pool, or rows in memory; see `qdit.training.data`.
        out: directory for the folder final (model and tokenizer, for from_pretrained) and train.json.
        progress: None or False for nothing, True for a bar on stderr, or a callable that takes a
            `qdit.records.RowProgress`.
        resume: go on from a checkpoint in `out`; False begins anew.
        overwrite: begin anew, and replace the model in `out` at the end.
        options: those of `TrainOptions`; model is needed.

    Returns:
        Folder of the model, and the manifest.

    Raises:
        ValueError: wrong options or rows, or `out` holds something else.
        FileNotFoundError: no such data or model.
        ImportError: names the package that is not installed.
        RuntimeError: memory ran out, or the loss was no number.

    """
    job = prepare(data, out, **options)
    return job.run(progress=progress, resume=resume, overwrite=overwrite)


def prepare(data: DataLike, out: StrPath, **options: Any) -> TrainJob:
    """Check every option and return a job to run or estimate; arguments are those of `train`."""
    return TrainJob(data, out, TrainOptions.of("train", options))
