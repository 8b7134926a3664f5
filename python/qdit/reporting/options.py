"""The options of a report."""

from dataclasses import dataclass
from pathlib import Path

from ..common import checks
from ..common.optional import Package
from ..exporting.choice import ChoiceOptions

MATPLOTLIB = ("matplotlib", "plots", "to draw figures")


@dataclass(frozen=True, kw_only=True)
class ReportOptions(ChoiceOptions):
    """What a report shows and where it goes; its curves leave out the given rows.

    Attributes:
        out: Directory for report.html, the figures as PNG and numbers.json; none for the folder report in
            directory.
        sweep: Folder of a sweep to show the trade-off of; none looks beside the selection.
        title: Title of the page.
        sample: Rows of the pool that map, curves and worst regions are worked out on.
        random_seeds: Random selections to compare with.
        measures: Measure the chosen rows beside random ones: distances, Vendi score, NovelSum and so on
            (--no-measures: do not).
        near: Similarity from which two picks count as nearly the same.
        verbs: Parse up to 2,000 instructions for verbs and nouns, if spaCy is installed (--no-verbs: do not).
        seed: Seed of the sample and of the random selections.

    """

    out: str | Path | None = None
    sweep: str | Path | None = None
    title: str | None = None
    sample: int = 20_000
    random_seeds: int = 5
    measures: bool = True
    near: float = 0.95
    verbs: bool = True
    seed: int = 0

    def _check(self) -> None:
        checks.check_least("sample", self.sample, 1)
        checks.check_least("random_seeds", self.random_seeds, 0)
        self._set("near", checks.check_float("near", self.near))
        checks.check_seed(self.seed)

    def packages(self) -> tuple[Package, ...]:
        """Return matplotlib."""
        return (MATPLOTLIB,)
