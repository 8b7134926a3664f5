"""`qdit.generate`: answers of a model to the questions of an evaluation set."""

from collections.abc import Sequence
from typing import Any

from ..common.progress import RowProgressLike
from ..common.types import StrPath
from .job import Generated, GenerateJob
from .options import GenerateOptions
from .questions import Question


def generate(
    questions: Sequence[Question],
    out: StrPath,
    *,
    progress: RowProgressLike = None,
    overwrite: bool = False,
    **options: Any,
) -> Generated:
    """Write a model's answer to every question.

    A repeated call goes on where an interrupted one stopped, and returns what is there where nothing changed.
    Answers of a model that runs here do not depend on an interruption; those to other questions of a batch
    touch them by rounding only.

    Args:
        questions: such as `qdit.evaluation.sets.load_questions` returns.
        out: JSONL file for the answers; the manifest goes to <out>.json, unfinished answers to <out>.partial.
        progress: None or False for nothing, True for a bar on stderr, or a callable that takes a
            `qdit.records.RowProgress`.
        overwrite: replace other answers in `out`.
        options: those of `GenerateOptions`; model is needed.

    Returns:
        The path, and the manifest.

    Raises:
        ValueError: wrong options, a prompt that is too long, or `out` holds something else.
        FileNotFoundError: no such model.
        ImportError: names the package that is not installed.
        EndpointError: the server refuses, or fails again and again; all answers so far are kept.

    """
    job = prepare(questions, out, **options)
    return job.run(progress=progress, overwrite=overwrite)


def prepare(questions: Sequence[Question], out: StrPath, **options: Any) -> GenerateJob:
    """Check every option and return a job to run or estimate; arguments are those of `generate`."""
    return GenerateJob(questions, out, GenerateOptions.of("generate", options))
