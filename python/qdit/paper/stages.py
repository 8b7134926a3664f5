"""The stages of a cell: export, train, generate and the evaluations, each in a folder of its own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..common.files import sha256_file
from ..evaluation.answers import Answers, read_answers
from ..evaluation.benchmarks.api import TOGETHER, run_benchmarks
from ..evaluation.benchmarks.model import BenchmarkOptions
from ..evaluation.benchmarks.tasks import find_benchmarks
from ..evaluation.hh import HHJob
from ..evaluation.judge.job import JudgeJob, JudgeOptions
from ..evaluation.loss import LossJob, LossOptions
from ..exporting import export
from ..generation import generate
from ..pipeline.state import fingerprint
from ..scoring.reward import RewardModel, RewardOptions
from ..training import train
from ..training.output import FINAL
from ..training.output import MANIFEST as TRAINED
from .place import ANSWERS, Place
from .study import Cell, Study

_RESOURCES = {  # options that do not change what comes out
    *("base_url", "key_env", "concurrency", "retries", "timeout", "price_in", "price_out", "save_steps"),
}


class Stage(ABC):
    """One stage of a cell.

    Attributes:
        name: in the study file.
        part: name of its folder among those of the cell.
        file: the file in it that is written last.

    """

    name: str
    part: str
    file: str

    def __init__(self, cell: Cell, place: Place) -> None:
        """Keep whose stage it is."""
        self.cell, self.place = cell, place

    @property
    def folder(self) -> Path:
        """What the stage writes; nothing else is in it."""
        return self.place.model(self.cell) / self.part

    @property
    def result(self) -> Path:
        """The file that is written last."""
        return self.folder / self.file

    @property
    def options(self) -> dict[str, Any]:
        """Options of the study file."""
        return dict(self.place.study.steps.get(self.name, {}))

    def key(self) -> str:
        """Return the fingerprint of options and inputs; what comes before must be done."""
        deciding = {name: value for name, value in self.options.items() if name not in _RESOURCES}
        return fingerprint(options=deciding, **self.inputs())

    @abstractmethod
    def inputs(self) -> Mapping[str, Any]:
        """Return hashes of what the stage is made of."""

    @abstractmethod
    def do(self, progress: Any) -> None:
        """Make the result, or go on with it."""


class Export(Stage):
    """The chosen rows as a file."""

    name, file = "export", "manifest.json"

    @property
    def folder(self) -> Path:
        """Beside the selections of the pool: cells of several seeds may share it."""
        return self.place.export(self.cell)

    def inputs(self) -> Mapping[str, Any]:
        """Return the hash of the picks."""
        return {"picks": sha256_file(self.place.selection(self.cell) / "indices.npy")}

    def do(self, progress: Any) -> None:
        """Export, without decisions on the rest of the pool."""
        export(
            self.place.selection(self.cell),
            self.folder,
            pool=self.place.study.pools[self.cell.pool],
            decisions="none",
            final_gains="none",
            overwrite=True,
            progress=progress,
        )


class Train(Stage):
    """The model."""

    name, part, file = "train", "train", TRAINED

    def inputs(self) -> Mapping[str, Any]:
        """Return the hash of the rows and of the base model, and the seed."""
        rows = sha256_file(self.place.export(self.cell) / "data.jsonl")
        return {"rows": rows, "base": self.place.base_models[self.cell.model], "seed": self.cell.seed}

    def do(self, progress: Any) -> None:
        """Train on the export."""
        train(
            self.place.export(self.cell),
            self.folder,
            model=self.place.study.models[self.cell.model],
            pool=self.place.study.pools[self.cell.pool],
            seed=self.cell.seed,
            progress=progress,
            **self.options,
        )


class _OfModel(Stage):
    """A stage that runs the model of the cell."""

    @property
    def final(self) -> Path:
        """The folder of the model."""
        return self.place.model(self.cell) / "train" / FINAL

    @property
    def trained(self) -> str:
        """The hash of what is known of the training."""
        return sha256_file(self.final.parent / TRAINED)


class Generate(_OfModel):
    """Its answers to all questions."""

    name, part, file = "generate", "answers", f"{ANSWERS}.json"

    def inputs(self) -> Mapping[str, Any]:
        """Return the hashes of model and questions."""
        return {"model": self.trained, "questions": self.place.questions.sha256}

    def do(self, progress: Any) -> None:
        """Generate, on from the answers that are there."""
        generate(
            self.place.questions,
            self.folder / ANSWERS,
            model=str(self.final),
            progress=progress,
            **self.options,
        )


class _OfAnswers(Stage):
    """A stage that looks at the answers of the cell."""

    @property
    def answers(self) -> Answers:
        """The answers, under the name of the cell."""
        return read_answers(self.place.model(self.cell) / "answers" / ANSWERS, self.cell.name)


class HH(_OfAnswers):
    """What a reward model gives the answers."""

    name, part, file = "hh", "hh", f"{HHJob.kind}.json"

    def inputs(self) -> Mapping[str, Any]:
        """Return the hash of the answers."""
        return {"answers": self.answers.sha256}

    def do(self, progress: Any) -> None:
        """Score."""
        HHJob([self.answers], RewardOptions(**self.options), self.folder).run(progress=progress)


class Judge(_OfAnswers):
    """What a judge says of the answers and those of the baseline."""

    name, part, file = "judge", "judge", f"{JudgeJob.kind}.json"

    @property
    def baseline(self) -> Answers:
        """The answers that these are compared with."""
        found = self.place.baseline(self.cell)
        if isinstance(found, Path):
            return read_answers(found)
        return read_answers(self.place.model(found) / "answers" / ANSWERS, found.name)

    def inputs(self) -> Mapping[str, Any]:
        """Return the hashes of both models' answers."""
        return {"answers": self.answers.sha256, "baseline": self.baseline.sha256}

    def do(self, progress: Any) -> None:
        """Ask, on from the replies that are there."""
        options = _judge_options(self.options)
        JudgeJob(self.answers, self.baseline, options, self.folder).run(progress=progress)


class Benchmarks(_OfModel):
    """Scores on benchmarks."""

    name, part, file = "benchmarks", "benchmarks", TOGETHER

    def inputs(self) -> Mapping[str, Any]:
        """Return the hash of the model."""
        return {"model": self.trained}

    def do(self, progress: Any) -> None:
        """Run them, on from those that are done."""
        given = self.options
        if given.get("data") is not None:
            given["data"] = self.place.study.file.parent / str(given["data"])
        run_benchmarks(str(self.final), self.folder, label=self.cell.name, progress=bool(progress), **given)


class Loss(_OfModel):
    """Loss on the references of the questions."""

    name, part, file = "loss", "loss", f"{LossJob.kind}.json"

    def inputs(self) -> Mapping[str, Any]:
        """Return the hashes of model and questions."""
        return {"model": self.trained, "questions": self.place.questions.sha256}

    def do(self, progress: Any) -> None:
        """Score the references."""
        options = LossOptions(model=str(self.final), name=self.cell.name, **self.options)
        LossJob(self.place.questions, options, self.folder).run(progress=progress)


def check(study: Study, evaluations: Iterable[str]) -> None:
    """Raise ValueError for options that an evaluation would refuse, before anything takes time."""
    for name in evaluations:
        given = study.need(name)
        if name == "hh":
            RewardModel(RewardOptions(**given)).identity()
        elif name == "judge":
            if not _judge_options(given).judge_model:
                raise ValueError(
                    f"{study.file}: judge: judge_model: got none, wanted the judge's name at the endpoint"
                )
        elif name == "benchmarks":
            find_benchmarks(BenchmarkOptions(**given).tasks)


def _judge_options(given: Mapping[str, Any]) -> JudgeOptions:
    return JudgeOptions(**{name: value for name, value in given.items() if name != "against"})


EVALUATIONS: Mapping[str, tuple[type[Stage], ...]] = {
    "answers": (Train, Generate),
    "hh": (Train, Generate, HH),
    "judge": (Train, Generate, Judge),
    "benchmarks": (Train, Benchmarks),
    "loss": (Train, Loss),
}  # with what they need
