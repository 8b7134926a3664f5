"""The options of measuring."""

from dataclasses import dataclass

from ..common import checks
from ..common.options import ThreadOptions
from ..selection.options import Column


@dataclass(frozen=True, kw_only=True)
class MeasureOptions(ThreadOptions):
    """What is looked at, and beside how many random sets.

    Attributes:
        quality: n scores, an array or .npy file; none for the pool's own, if any.
        random_sets: Random sets of the same size to compare with.
        cells: k-means cells of the pool that are counted; none for 1000, or a tenth of the rows.
        neighbors: Nearest rows of the pool that a density is told from, for NovelSum.
        sample: Rows of the pool that densities are told from at most, and rows of a set whose distances are
            averaged at most.
        level: Level of the intervals.
        seed: Seed of random sets, samples and cells.

    """

    quality: Column | None = None
    random_sets: int = 5
    cells: int | None = None
    neighbors: int = 10
    sample: int = 20_000
    level: float = 0.95
    seed: int = 0

    def _check(self) -> None:
        checks.check_least("random_sets", self.random_sets, 0)
        if self.cells is not None:
            checks.check_least("cells", self.cells, 1)
        checks.check_least("neighbors", self.neighbors, 1)
        checks.check_least("sample", self.sample, 1)
        checks.check_share("level", self.level)
        checks.check_seed(self.seed)
