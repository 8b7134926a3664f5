"""Questions that models are evaluated on: the sets of the paper, each by the schema of its published file."""

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np

from ..common.checks import check_choice, check_int, check_seed
from ..common.types import JSON, StrPath
from ..engine.shuffle import shuffled
from ..generation.questions import Question, hash_questions
from ..records.formats import text_of
from .fields import Object, read_rows
from .set_schemas import READERS, Reader

SETS = tuple(READERS)
SHAREGPT_ROWS = 200  # how many the paper takes
Group = tuple[str | None, str | None]  # set and category of questions; None for all
Groups = dict[Group, list[int]]  # the numbers of the questions of each


class Questions(list[Question]):
    """A list of questions, with what is to be known about where they come from.

    Attributes:
        notes: what is unusual: another number of questions than was published, rows left out.

    """

    def __init__(self, questions: Iterable[Question] = (), notes: Iterable[str] = ()) -> None:
        super().__init__(questions)
        self.notes = tuple(notes)

    @property
    def sha256(self) -> str:
        """The hash of all questions in order, whatever file they came from."""
        return hash_questions(self)


QuestionsLike = str | Sequence[str] | Mapping[str, StrPath] | Sequence[Question]


def groups(questions: Iterable[Question]) -> Groups:
    """Return the numbers of the questions by (set, category).

    (None, None) has all of them, (set, None) those of a set, (set, category) those of a category.
    """
    found: Groups = {(None, None): []}
    for number, question in enumerate(questions):
        keys: list[Group] = [(None, None), (question.set, None)]
        if question.category is not None:
            keys.append((question.set, question.category))
        for key in keys:
            found.setdefault(key, []).append(number)
    return found


def load_questions(name: str, path: StrPath, *, limit: int | None = None, seed: int = 0) -> Questions:
    """Return the questions of a file, in its order.

    The files are JSON Lines or a JSON array, plain or compressed; one object a row, with these fields:

    ============  ======================================================================== ====
    self-instruct id, motivation_app, instruction, instances: [{input, output}]             252
    wizardlm      idx, Skill, Difficulty, Instruction                                       218
    vicuna        question_id, text, category                                                80
    koala         id, prompt                                                                180
    lima          conversations: [text], source                                             300
    alpaca-eval   instruction, dataset, output or reference_text_davinci_003                805
    sharegpt      conversations: [{from, value}], id; the first turns of 200 rows are drawn
    jsonl         instruction; optional: input, id, category, difficulty, reference, set
    ============  ======================================================================== ====

    Where another number of questions is found than was published (last column), `notes` say so.

    Args:
        name: of the set.
        path: of its file.
        limit: how many questions to draw at random, without replacement; None for all (sharegpt: 200).
        seed: of that draw.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: that names file, row and field if a row is not as described, or for fewer rows than
            limit.

    """
    check_choice("set", name, SETS)
    path = Path(path)
    read, size = READERS[name]
    refused: list[str] | None = [] if name == "sharegpt" else None  # some crawled chats have no question
    found = read_rows(
        "questions",
        path,
        partial(_question, name, path, read),
        wanted=f"; wanted the schema of set {name!r}",
        refused=refused,
    )
    notes = []
    if refused:
        notes.append(f"{len(refused)} rows are no chats and cannot be drawn, the first: {refused[0]}")
    if size is not None and len(found) != size:
        notes.append(f"{path} has {len(found)} questions, the published set {name!r} has {size}")
    _check_ids(path, found)
    if limit is None and name == "sharegpt":
        limit = SHAREGPT_ROWS
    if limit is not None:
        found = _drawn(path, found, limit, seed)
    return Questions(found.values(), notes)


def open_questions(given: QuestionsLike, *, limit: int | None = None, seed: int = 0) -> Questions:
    """Return questions as they are, or those of files that are named by their sets.

    Args:
        given: questions; {set: file}; or SET=FILE, several in a list or between commas.
        limit: as in `load_questions`, for each file.
        seed: as in `load_questions`.

    """
    if isinstance(given, Mapping):
        given = [f"{name}={os.fspath(path)}" for name, path in given.items()]
    found: list[Questions] = []
    for entry in given.split(",") if isinstance(given, str) else given:
        if isinstance(entry, Question):
            return given if isinstance(given, Questions) else Questions(cast(Sequence[Question], given))
        name, equals, path = entry.strip().partition("=")
        if not (name and equals and path):
            raise ValueError(
                f"questions: got {entry!r}, wanted SET=FILE with one of the sets {', '.join(SETS)}"
            )
        found.append(load_questions(name, path, limit=limit, seed=seed))
    merged = Questions(
        (one for part in found for one in part), (note for part in found for note in part.notes)
    )
    twice = Counter((one.set, one.id) for one in merged).most_common(1)
    if twice and twice[0][1] > 1:
        raise ValueError(f"questions: set {twice[0][0][0]!r} is given twice; name each once")
    return merged


def _question(name: str, path: Path, read: Reader, row: int, value: Object) -> Question:
    fields: JSON = {"set": name if name != "jsonl" else path.name.partition(".")[0], "id": str(row)}
    fields |= {key: found for key, found in read(value).items() if found is not None}
    text_of(fields, "instruction", filled=True)
    return Question(**fields)


def _check_ids(path: Path, found: Mapping[int, Question]) -> None:
    seen: dict[tuple[str, str], int] = {}
    for row, question in found.items():
        first = seen.setdefault((question.set, question.id), row)
        if first != row:
            raise ValueError(
                f"{path}, row {row}: id {question.id!r} is that of row {first} too; make ids unique"
            )


def _drawn(path: Path, found: dict[int, Question], limit: int, seed: int) -> dict[int, Question]:
    if check_int("limit", limit) < 1:
        raise ValueError(f"limit: got {limit}, wanted at least 1")
    if limit > len(found):
        raise ValueError(f"limit: got {limit}, but {path} has {len(found)} questions")
    order = shuffled(np.array(list(found), np.int64), check_seed(seed))
    return {row: found[row] for row in sorted(order[:limit].tolist())}
