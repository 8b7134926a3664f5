"""What a selection from a pool is to represent: questions, embedded as the pool was."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...common.identity import check_same
from ...common.progress import AnyProgressLike, RowProgressLike
from ...common.text import names_of
from ...common.types import JSON, StrPath
from ...embedding.writer import ROWS
from ...records.pool import Pool
from ...records.records import MANIFEST
from ..sets import SETS, QuestionsLike, load_questions, open_questions
from .questions import EncodingOptions, essence, kept_vectors, loaded_once, open_encoding

FOLDER = "questions"  # in a pool
_GUESSED = ("jsonl", *(name for name in SETS if name not in ("jsonl", "sharegpt")))


def embed_questions(
    pool: Pool | StrPath,
    questions: QuestionsLike | Path,
    *,
    progress: RowProgressLike = None,
    **options: Any,
) -> Path:
    """Embed questions by the model that embedded a pool, for `represent` of `qdit.select_pool`.

    The text of a question is its instruction and input with an empty line between. Its file in the pool's
    folder questions is named by a hash of texts and model: a repeated call loads no model.

    Args:
        pool: pool directory, or a `qdit.Pool`, with embeddings.
        questions: a file, whose set is found out by its fields; or files by set, as for
            `qdit.evaluation.load_questions`: {set: file}, or "set=file" in a list or between commas.
        progress: True for a bar on stderr, or a callable that takes a `qdit.records.RowProgress`.
        **options: model, device, local_files_only and key_env; see `EncoderOptions`.

    Returns:
        The .npy file, (m, d) float32, a row for each question in order.

    Raises:
        FileNotFoundError, ValueError: for what cannot be read, a model that is not the pool's, or a pool of
            which nothing says which model made it.

    """
    directory = pool.directory if isinstance(pool, Pool) else Path(pool)
    asked = open_questions(_by_set(questions))
    encoding = open_encoding(EncodingOptions.of("embed_questions", {"pool": directory, **options}))[1]
    assert encoding is not None  # it was needed
    name = "+".join(dict.fromkeys(question.set for question in asked))
    texts = [question.instruction for question in asked]
    with loaded_once(encoding) as encoder:
        path = kept_vectors(name, texts, encoding, encoder, directory / FOLDER, progress)[1]
    assert path is not None  # there is a folder for it
    return path


def represented(pool: Pool | StrPath, represent: Any, progress: AnyProgressLike = None) -> Any:
    """Return `represent` of a selection from a pool as `qdit.select` takes it: questions as their vectors."""
    if not is_text(represent):
        return represent
    directory = pool.directory if isinstance(pool, Pool) else Path(pool)
    ours = _made_by(directory)
    if isinstance(represent, str | os.PathLike) and Path(represent).is_dir():
        return _of_pool(directory, ours, Path(represent))
    if "model" not in ours.get("settings", {}):
        raise ValueError(
            f"represent: nothing says which model made {directory / ROWS}; embed the questions with it by "
            "qdit.embed_questions(pool, questions, model=...) and pass the .npy file"
        )
    return str(embed_questions(directory, represent, progress=progress))


def is_text(represent: Any) -> bool:
    """Return whether what is to be represented is named by files of questions, or by their pool."""
    if isinstance(represent, str | os.PathLike):
        return not os.fspath(represent).endswith(".npy")
    if isinstance(represent, Mapping):
        return True
    return isinstance(represent, list | tuple) and any(
        isinstance(one, str | os.PathLike) for one in represent
    )


def files_of(represent: Any) -> list[Path]:
    """Return the files that `represent` names, in order."""
    if isinstance(represent, str | os.PathLike) and not is_text(represent):
        return [Path(represent)]
    if not is_text(represent):
        return []
    if isinstance(represent, str | os.PathLike) and Path(represent).is_dir():
        return [Path(represent) / ROWS]
    return [Path(path) for _, path in _entries(represent)]


def _entries(questions: Any) -> list[tuple[str, str]]:
    """Return the set, "" for one that is not named, and the path of each file."""
    if isinstance(questions, Mapping):
        return [(str(name), os.fspath(path)) for name, path in questions.items()]
    named: Sequence[Any] = [questions] if isinstance(questions, os.PathLike) else questions
    found = []
    for entry in names_of(named) if isinstance(named, str) else named:
        name, equals, path = os.fspath(entry).partition("=")
        found.append((name, path) if equals and name in SETS else ("", os.fspath(entry)))
    return found


def _by_set(questions: Any) -> QuestionsLike:
    """Return questions, or files by their sets."""
    if not is_text(questions) and not isinstance(questions, str | os.PathLike):
        return questions  # type: ignore[no-any-return]  # questions themselves
    return [f"{name or _guessed(path)}={path}" for name, path in _entries(questions)]


def _guessed(path: str) -> str:
    """Return the first set that can be read from a file; ValueError of the plainest if there is none."""
    for name in _GUESSED:
        try:
            load_questions(name, path)
        except ValueError:
            continue
        return name
    load_questions(_GUESSED[0], path)
    raise AssertionError("it was read after all")


def _made_by(directory: Path) -> JSON:
    """Return what embeddings.json of a pool says, {} without one."""
    opened = Pool.open(directory)
    opened.records.close()
    return opened.manifests.get("embeddings", {})


def _of_pool(directory: Path, ours: JSON, other: Path) -> str:
    """Return the embeddings of a pool of questions, made by the model of the pool as far as both say."""
    if not (other / MANIFEST).is_file():
        raise ValueError(f"represent: {other} is a folder without {MANIFEST}, so no pool; pass a file")
    theirs = _made_by(other)
    if not (other / ROWS).is_file():
        raise FileNotFoundError(f"represent: {other} has no {ROWS}; make it with: qdit embed {other}")
    if "model" in ours and "model" in theirs:
        where = f"represent: the model of {other} is not that of {directory}"
        check_same(where, essence(ours["model"]), essence(theirs["model"]), "embed one of them again")
    return str(other / ROWS)
