"""Tasks of lm-eval: which there are, what a run of one needs, and what it gave, row by row."""

import contextlib
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...common.optional import require
from ...common.text import names_of
from ...common.types import JSON, StrPath
from ..execution import REFUSAL
from . import protocol

FOLDER = Path(__file__).parent / "yaml"
STOCK, INSTRUCTEVAL, OTHER = "lm-eval", "InstructEval", "as the task defines it"
_PREFIX = "instructeval_"


@dataclass(frozen=True)
class Benchmark:
    """A benchmark as it is asked for.

    Attributes:
        name: as the caller says it.
        task: lm-eval's name of a task, group or tag.
        protocol: STOCK, INSTRUCTEVAL or OTHER.
        shots: examples in a prompt; None for the task's own number.
        metric: that is reported as the score; None for the first.

    """

    name: str
    task: str
    protocol: str
    shots: int | None = None
    metric: str | None = None

    @property
    def data(self) -> str | None:
        """The name of its rows in `benchmarks.data`, None if lm-eval gets them."""
        return self.task.removeprefix(_PREFIX) if self.protocol == INSTRUCTEVAL else None


KNOWN = {
    one.name: one
    for one in (
        Benchmark("mmlu", "mmlu", STOCK, 5, "acc"),
        Benchmark("bbh", "bbh_fewshot", STOCK, 3, "exact_match"),
        Benchmark("drop", "drop", STOCK, 3, "f1"),
        Benchmark("humaneval", "humaneval", STOCK, 0, "pass@1"),
        Benchmark("instructeval_mmlu", "instructeval_mmlu", INSTRUCTEVAL, 5, "acc"),
        Benchmark("instructeval_bbh", "instructeval_bbh", INSTRUCTEVAL, 3, "acc_macro"),
        Benchmark("instructeval_drop", "instructeval_drop", INSTRUCTEVAL, 3, "acc"),
        Benchmark("instructeval_humaneval", "instructeval_humaneval", INSTRUCTEVAL, 0, "pass@1"),
    )
}


def find_benchmarks(names: str | Sequence[str], shots: int | None = None) -> list[Benchmark]:
    """Return what names stand for: a known benchmark, or any task of lm-eval with `shots` examples."""
    found = [KNOWN.get(name, Benchmark(name, name, OTHER, shots)) for name in names_of(names)]
    if not found:
        raise ValueError(f"tasks: got none, wanted names such as {', '.join(list(KNOWN)[:4])}")
    twice = [name for name, count in Counter(one.name for one in found).items() if count > 1]
    if twice:
        raise ValueError(f"tasks: {twice[0]!r} is named twice")
    return found


def task_manager(benchmarks: Sequence[Benchmark], include: Sequence[str], data: StrPath | None) -> Any:
    """Return lm-eval's index of our tasks, those of the folders `include`, and its own if one is wanted."""
    missing = next((folder for folder in include if not Path(folder).is_dir()), None)
    if missing is not None:
        raise FileNotFoundError(f"include: no such folder: {missing}")
    tasks = require("lm_eval.tasks", "eval", "to run benchmarks")
    found = None
    for everything in (False, True):  # lm-eval's own are more than ten thousand files
        found = tasks.TaskManager(
            include_path=[str(FOLDER), *include],
            include_defaults=everything,
            metadata={} if data is None else {"data": os.fspath(data)},
        )
        if all(one.task in found.task_index for one in benchmarks):
            break
    return found


def check_known(benchmarks: Sequence[Benchmark], manager: Any, unsafe_code: bool) -> None:
    """Raise ValueError for a task that lm-eval does not know, or that runs code without leave."""
    for one in benchmarks:
        entry = manager.task_index.get(one.task)
        if entry is None:
            close = manager.match_tasks([f"*{one.task}*"])[:5]
            hint = f"; those with a similar name: {', '.join(close)}" if close else ""
            raise ValueError(f"tasks: lm-eval knows no {one.task!r}{hint}")
        if (entry.cfg or {}).get("unsafe_code") and not unsafe_code:
            raise ValueError(f"{one.name}: {REFUSAL}")


@dataclass(frozen=True)
class Loaded:
    """A loaded benchmark.

    Attributes:
        items: tasks and groups to hand to lm-eval.
        tasks: all tasks by name, those of groups too.
        shots: for ours, how many documents have how many examples; else None.
        cut: for ours, how many prompts are longer than the model takes even without examples.

    """

    items: Sequence[Any]
    tasks: JSON
    shots: Mapping[int, int] | None = None
    cut: int = 0


def load(one: Benchmark, manager: Any, lm: Any, limit: int | None, unsafe_code: bool) -> Loaded:
    """Load tasks with their rows; for InstructEval's protocol also see to the length of prompts."""
    loaded = manager.load([one.task])
    tasks = loaded["tasks"]
    if any(getattr(task, "UNSAFE_CODE", False) for task in tasks.values()) and not unsafe_code:
        raise ValueError(f"{one.name}: {REFUSAL}")
    children = {name for names in loaded.get("group_map", {}).values() for name in names}
    everything = {**loaded.get("groups", {}), **tasks}
    items = [item for name, item in everything.items() if name not in children]
    if one.protocol != INSTRUCTEVAL:
        return Loaded(items, tasks)
    (task,) = tasks.values()
    docs = _first_of_each(list(task.dataset["test"]), limit)
    cut = 0
    if "shots" in docs[0] and hasattr(lm, "tok_encode"):
        room = lm.max_length - task.config.generation_kwargs["max_gen_toks"]
        docs, cut = _fit(docs, lambda text: len(lm.tok_encode(text)), min(protocol.MAX_PROMPT_TOKENS, room))
    datasets = require("datasets", "eval", "to run benchmarks")
    task.dataset = {"test": datasets.Dataset.from_list(docs)}
    return Loaded(items, tasks, Counter(len(doc.get("shots", ())) for doc in docs), cut)


def _first_of_each(docs: list[JSON], limit: int | None) -> list[JSON]:
    """Return the first documents of each subtask."""
    seen: Counter[str] = Counter()
    kept = []
    for doc in docs:
        seen[doc["subtask"]] += 1
        if limit is None or seen[doc["subtask"]] <= limit:
            kept.append(doc)
    return kept


def _fit(docs: list[JSON], count: Callable[[str], int], room: int) -> tuple[list[JSON], int]:
    """Take examples off the end until each prompt has at most `room` tokens; count those that never do."""
    fitted, cut = [], 0
    for doc in docs:
        short = doc
        while (size := count(protocol.prompt(short))) > room and short["shots"]:
            short = {**short, "shots": short["shots"][:-1]}
        cut += size > room
        fitted.append(short)
    return fitted, cut


def sample_rows(samples: Mapping[str, Sequence[JSON]]) -> Iterator[JSON]:
    """Yield a JSON object for each row that lm-eval logged: what was asked, said and scored.

    Fields: task, subtask, doc_id, doc, prompt (None if requests differ in it), requests (the rest of each:
    continuation or generation settings), responses, filtered, filter, target, scores, prompt_hash, doc_hash.
    """
    for task, logged in samples.items():
        for sample in logged:
            prompts = {arguments[0] for arguments in sample["arguments"]}
            same = len(prompts) == 1
            ours = {"header", "shots", "question"}  # they are in the prompt
            doc = {name: value for name, value in sample["doc"].items() if name not in ours}
            yield {
                "task": task,
                "subtask": doc.get("subtask", task),
                "doc_id": sample["doc_id"],
                "doc": doc,
                "prompt": prompts.pop() if same else None,
                "requests": [list(arguments[1:] if same else arguments) for arguments in sample["arguments"]],
                "responses": sample["resps"],
                "filtered": sample["filtered_resps"],
                "filter": sample["filter"],
                "target": sample["target"],
                "scores": {name: sample[name] for name in sample["metrics"]},
                "prompt_hash": sample["prompt_hash"],
                "doc_hash": sample["doc_hash"],
            }


@contextlib.contextmanager
def quiet(silent: bool) -> Iterator[None]:
    """Keep lm-eval's progress bars off stderr while the block runs."""
    places = ("lm_eval.api.task", "lm_eval.api.model", "lm_eval.models.huggingface")
    modules = [require(name, "eval", "to run benchmarks") for name in places] if silent else []
    bars = [module.tqdm for module in modules]
    try:
        for module, bar in zip(modules, bars, strict=True):
            # they have no option for it, and tqdm reads its environment variables at import
            module.tqdm = lambda *given, _bar=bar, **options: _bar(*given, **{**options, "disable": True})
        yield
    finally:
        for module, bar in zip(modules, bars, strict=True):
            module.tqdm = bar


@contextlib.contextmanager
def code_allowed(unsafe_code: bool) -> Iterator[None]:
    """Give the metric code_eval of Hugging Face, which stock humaneval runs, the leave it asks for."""
    name = "HF_ALLOW_CODE_EVAL"
    before = os.environ.get(name)
    if unsafe_code:
        os.environ[name] = "1"
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = before
