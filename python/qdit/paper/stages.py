"""The stages of a cell: export, train, generate and the evaluations, each in a folder of its own."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from pathlib import Path

from ..common.files import sha256_file
from ..common.optional import Package
from ..common.progress import AnyProgressLike
from ..common.types import JSON
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
from ..selection.plan import check_k
from ..selection.selection import MANIFEST
from ..training import TrainOptions, train
from ..training.job import open_model
from ..training.output import FINAL
from ..training.output import MANIFEST as TRAINED
from .place import ANSWERS, Place
from .sources import open_source
from .study import STAGES, Cell

_RESOURCES = {  # options that do not change what comes out
    *("base_url", "key_env", "concurrency", "retries", "timeout", "price_in", "price_out", "save_steps")
}


class Stage(ABC):
    """One stage of a cell; a class says what differs between stages in the methods with an underscore.

    Attributes:
        name: in the study file.
        part: name of its folder among those of the cell; nothing else is in that.
        last: the file in it that is written last.
        cell: whose stage it is.
        options: those of the study file.

    """

    name: str
    part: str
    last: str

    def __init__(self, cell: Cell, place: Place) -> None:
        self.cell, self.place, self.study = cell, place, place.study
        self.options = dict(self.study.stages.get(self.name, {}))
        self.folder = self._folder()
        self.result = self.folder / self.last

    def key(self) -> str:
        """Return the fingerprint of options and inputs; what comes before must be done."""
        deciding = {name: value for name, value in self.options.items() if name not in _RESOURCES}
        return fingerprint(options=deciding, **self._inputs())

    @classmethod
    def packages(cls, place: Place) -> Iterable[Package]:
        """Return the optional packages that the stage needs."""
        return STAGES[cls.name].made(place.study.stages.get(cls.name, {})).packages()

    @classmethod  # noqa: B027 (most have something to check, not all)
    def check(cls, place: Place) -> None:
        """Raise for what else would stop the stage in every cell, before anything takes time."""

    def _folder(self) -> Path:
        return self.place.model(self.cell) / self.part

    @abstractmethod
    def _inputs(self) -> JSON:
        """Return hashes of what the stage is made of."""

    @abstractmethod
    def do(self, progress: AnyProgressLike) -> None:
        """Make the result, or go on with it."""


class Export(Stage):
    """The chosen rows as a file, beside the selections of the pool: cells of several seeds may share it."""

    name, last = "export", MANIFEST

    @classmethod
    def packages(cls, place: Place) -> Iterable[Package]:
        """Return none: it writes JSON Lines."""
        return ()

    @classmethod
    def check(cls, place: Place) -> None:
        """Open the pools, and compare sizes with their rows."""
        for name, pool in place.study.pools.items():
            n = open_source(pool, name=name).rows.n
            for k in place.study.sizes:
                check_k(k, n, 0)

    def _folder(self) -> Path:
        return self.place.export(self.cell)

    def _inputs(self) -> JSON:
        return {"picks": sha256_file(self.place.selection(self.cell) / "indices.npy")}

    def do(self, progress: AnyProgressLike) -> None:
        """Export, without decisions on the rest of the pool."""
        given = {"pool": self.study.pools[self.cell.pool], "decisions": "none", "final_gains": "none"}
        selection = self.place.selection(self.cell)
        export(selection, self.folder, overwrite=True, progress=progress, **given)


class Train(Stage):
    """The model."""

    name, part, last = "train", "train", TRAINED

    @classmethod
    def check(cls, place: Place) -> None:
        """Look for the base models."""
        for model in place.study.models.values():
            options = {**place.study.stages.get(cls.name, {}), "model": model}
            _ = open_model(TrainOptions(**options)).revision

    def _inputs(self) -> JSON:
        rows = sha256_file(self.place.export(self.cell) / "data.jsonl")
        return {"rows": rows, "base": self.place.base_models[self.cell.model], "seed": self.cell.seed}

    def do(self, progress: AnyProgressLike) -> None:
        """Train on the export."""
        cell, study = self.cell, self.study
        given: JSON = {**self.options, "model": study.models[cell.model], "pool": study.pools[cell.pool]}
        train(self.place.export(cell), self.folder, progress=progress, seed=cell.seed, **given)


class _OfModel(Stage):
    """A stage that runs the model of the cell."""

    def __init__(self, cell: Cell, place: Place) -> None:
        super().__init__(cell, place)
        self.model = place.model(cell) / "train" / FINAL

    def _inputs(self) -> JSON:
        return {"model": sha256_file(self.model.parent / TRAINED)}


class _OfQuestions(_OfModel):
    """A stage that runs it on all questions."""

    @classmethod
    def check(cls, place: Place) -> None:
        """Read the questions."""
        _ = place.questions

    def _inputs(self) -> JSON:
        return {**super()._inputs(), "questions": self.place.questions.sha256}


class Generate(_OfQuestions):
    """Its answers to all questions."""

    name, part, last = "generate", "answers", f"{ANSWERS}.json"

    def do(self, progress: AnyProgressLike) -> None:
        """Generate, on from the answers that are there."""
        out, given = self.folder / ANSWERS, {"model": str(self.model), **self.options}
        generate(self.place.questions, out, progress=progress, **given)


class _OfAnswers(Stage):
    """A stage that looks at the answers of the cell."""

    @property
    def answers(self) -> Answers:
        """The answers, under the name of the cell."""
        return self._answers_of(self.cell)

    def _answers_of(self, cell: Cell) -> Answers:
        return read_answers(self.place.model(cell) / "answers" / ANSWERS, cell.name)

    def _inputs(self) -> JSON:
        return {"answers": self.answers.sha256}


class HH(_OfAnswers):
    """What a reward model gives the answers."""

    name, part, last = "hh", "hh", f"{HHJob.kind}.json"

    @classmethod
    def check(cls, place: Place) -> None:
        """Look for the reward model."""
        RewardModel(RewardOptions(**place.study.need(cls.name))).identity()

    def do(self, progress: AnyProgressLike) -> None:
        """Score."""
        HHJob([self.answers], RewardOptions(**self.options), self.folder).run(progress=progress)


class Judge(_OfAnswers):
    """What a judge says of the answers and those of the baseline."""

    name, part, last = "judge", "judge", f"{JudgeJob.kind}.json"

    @classmethod
    def check(cls, place: Place) -> None:
        """See whether the judge has a name."""
        if not _judge_options(place.study.need(cls.name)).judge_model:
            raise ValueError(
                f"{place.study.file}: judge: judge_model: got none, wanted the judge's name at the endpoint"
            )

    @property
    def baseline(self) -> Answers:
        """The answers that these are compared with."""
        found = self.place.baseline(self.cell)
        return read_answers(found) if isinstance(found, Path) else self._answers_of(found)

    def _inputs(self) -> JSON:
        return {**super()._inputs(), "baseline": self.baseline.sha256}

    def do(self, progress: AnyProgressLike) -> None:
        """Ask, on from the replies that are there."""
        options = _judge_options(self.options)
        JudgeJob(self.answers, self.baseline, options, self.folder).run(progress=progress)


class Benchmarks(_OfModel):
    """Scores on benchmarks."""

    name, part, last = "benchmarks", "benchmarks", TOGETHER

    @classmethod
    def check(cls, place: Place) -> None:
        """See whether there are such benchmarks."""
        find_benchmarks(BenchmarkOptions(**place.study.need(cls.name)).tasks)

    def do(self, progress: AnyProgressLike) -> None:
        """Run them, on from those that are done."""
        given = {**self.options, "label": self.cell.name}
        if given.get("data") is not None:
            given["data"] = self.study.file.parent / str(given["data"])
        run_benchmarks(str(self.model), self.folder, progress=bool(progress), **given)


class Loss(_OfQuestions):
    """Loss on the references of the questions."""

    name, part, last = "loss", "loss", f"{LossJob.kind}.json"

    def do(self, progress: AnyProgressLike) -> None:
        """Score the references."""
        options = LossOptions(model=str(self.model), name=self.cell.name, **self.options)
        LossJob(self.place.questions, options, self.folder).run(progress=progress)


def _judge_options(given: JSON) -> JudgeOptions:
    return JudgeOptions(**{name: value for name, value in given.items() if name != "against"})


EVALUATIONS: Mapping[str, tuple[type[Stage], ...]] = {
    "answers": (Train, Generate),
    "hh": (Train, Generate, HH),
    "judge": (Train, Generate, Judge),
    "benchmarks": (Train, Benchmarks),
    "loss": (Train, Loss),
}  # with what they need
