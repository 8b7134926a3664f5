"""Runs the cells of a study, each stage once: what is done and unchanged is taken as it is."""

import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..common.optional import check_installed
from ..common.progress import AnyProgressLike
from ..pipeline.state import Say, State, silent
from .methods import Method
from .place import Place
from .shelf import Shelf
from .sources import open_source
from .stages import EVALUATIONS, Export, Stage
from .study import Cell, Study

Work = tuple[Cell, tuple[str, ...]]  # a cell and its evaluations


@dataclass(frozen=True)
class Step:
    """What a run does, or did, about a stage: "reuse", "run", or "resume" where an unfinished one goes on."""

    cell: str
    stage: str
    action: str


class Runner:
    """The cells of a study in one folder."""

    def __init__(
        self, study: Study, work: Path, *, progress: AnyProgressLike = None, say: Say = silent
    ) -> None:
        """Keep where everything is; nothing is opened yet.

        progress: as the stages take it. say: gets a line for every stage that runs.
        """
        self.study = study
        self.place = Place(study, work)
        self._progress = progress
        self._say = say

    def run(self, cells: Sequence[Cell], evaluations: Iterable[str]) -> list[Step]:
        """Do everything that the evaluations of these cells need; return what was done.

        Killed, it goes on when it is called again: stages that are done stay, and the one at work goes on
        from what it kept.
        """
        evaluations = tuple(evaluations)
        work = list(self._order(cells, evaluations))
        due = {step.stage for step in self.steps(cells, evaluations) if step.action != "reuse"}
        kinds = [kind for kind in dict.fromkeys(kind for _, kind in _kinds(work)) if kind.name in due]
        check_installed(package for kind in kinds for package in kind.packages(self.place))
        for kind in kinds:
            kind.check(self.place)
        self._select([cell for cell, _ in work])
        return [self._do(kind(cell, self.place)) for cell, kind in _kinds(work)]

    def steps(self, cells: Sequence[Cell], evaluations: Iterable[str]) -> list[Step]:
        """Return what `run` would do; nothing is written. What follows a stage that runs, runs too."""
        steps, stale = [], set()
        for cell, kind in _kinds(self._order(cells, evaluations)):
            stage = kind(cell, self.place)
            action = "run" if cell in stale else self._action(stage)
            if action != "reuse":
                stale.add(cell)
            steps.append(Step(cell.name, stage.name, action))
        return steps

    def judged(self, cells: Iterable[Cell]) -> list[Cell]:
        """Return the cells that a judge compares with another: all but the baselines."""
        return [cell for cell in cells if self.place.baseline(cell) != cell]

    def _order(self, cells: Sequence[Cell], evaluations: Iterable[str]) -> Iterator[Work]:
        """Yield cells with their evaluations, first the baselines that a judge compares others with."""
        names = tuple(evaluations)
        for name in names:
            self.study.need(name)
        if "judge" in names:
            for baseline in dict.fromkeys(self.place.baseline(cell) for cell in cells):
                if isinstance(baseline, Cell):
                    yield baseline, ("answers",)
            compared = set(self.judged(cells))
        for cell in cells:
            yield cell, tuple(name for name in names if name != "judge" or cell in compared)

    def _select(self, cells: Iterable[Cell]) -> None:
        """Make the selections; all alphas of a pool at once, because they share their work."""
        wanted: dict[str, dict[int, dict[Method, None]]] = {}
        for cell in cells:
            wanted.setdefault(cell.pool, {}).setdefault(cell.k, {})[cell.method] = None
        for pool, sizes in wanted.items():
            source = open_source(self.study.pools[pool], name=pool)
            folder = self.place.work / "pools" / pool
            shelf = Shelf(source, folder, self.study.select, progress=self._progress, say=self._say)
            for k, methods in sizes.items():
                shelf.get(methods, k)

    def _action(self, stage: Stage) -> str:
        state, name = _state(stage), stage.folder.name
        try:
            return "reuse" if state.is_done(name, stage.key()) else state.next(name, stage.key)[0]
        except FileNotFoundError:  # what it is made of is not there yet
            return "run"

    def _do(self, stage: Stage) -> Step:
        action, state, name = self._action(stage), _state(stage), stage.folder.name
        step = Step(stage.cell.name, stage.name, action)
        if action == "reuse":
            return step
        self._say(f"{stage.cell.name}  {stage.name}  {action}")
        if action == "run" and state.get(name):  # made of other inputs or with other options
            shutil.rmtree(stage.folder, ignore_errors=True)
        state.do(name, stage.key(), stage.result, lambda: stage.do(self._progress))
        return step


def _kinds(work: Iterable[Work]) -> Iterator[tuple[Cell, type[Stage]]]:
    """Yield the stages of each cell in order, each once."""
    seen = set()
    for cell, names in work:
        kinds: list[type[Stage]] = [Export, *(kind for name in names for kind in EVALUATIONS[name])]
        for kind in kinds:
            if (cell, kind) not in seen:
                seen.add((cell, kind))
                yield cell, kind


def _state(stage: Stage) -> State:
    return State(stage.folder.parent)
