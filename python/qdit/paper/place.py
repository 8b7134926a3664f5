"""Where the parts of a study are, and what it is made of."""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from ..common.files import sha256_folder
from ..evaluation.sets import Questions, open_questions
from .methods import parse, with_seed
from .study import Cell, Study

ANSWERS = "answers.jsonl"


@dataclass(frozen=True)
class Place:
    """Where the parts of a study are.

    Attributes:
        study: what is done.
        work: folder with everything.

    """

    study: Study
    work: Path

    def selection(self, cell: Cell) -> Path:
        """Return the folder of a cell's selection."""
        return self.work / "pools" / cell.pool / "selections" / f"k{cell.k}" / cell.method.key

    def export(self, cell: Cell) -> Path:
        """Return the folder of a cell's rows."""
        return self.work / "pools" / cell.pool / "exports" / f"k{cell.k}" / cell.method.key

    def model(self, cell: Cell) -> Path:
        """Return the folder of everything that is a cell's own."""
        return self.work / "models" / cell.name

    @cached_property
    def questions(self) -> Questions:
        """The questions of all sets."""
        if not self.study.sets:
            raise ValueError(f"{self.study.file}: sets: got none, wanted files of questions by set")
        return open_questions(self.study.sets)

    @cached_property
    def base_models(self) -> dict[str, str]:
        """What each base model is: the hash of a folder, or the name of a model on the Hub."""
        return {
            name: sha256_folder(Path(model)) if Path(model).is_dir() else model
            for name, model in self.study.models.items()
        }

    def baseline(self, cell: Cell) -> Cell | Path:
        """Return the cell, or the file of answers, that a judge compares with."""
        against = str(self.study.need("judge").get("against", "quality"))
        file = self.study.file.parent / against
        return file if file.is_file() else replace(cell, method=with_seed(parse(against), cell.seed))
