"""The options of `qdit.score`."""

from dataclasses import dataclass

from ..common import checks
from ..models.options import JudgeEndpoint
from .combine import COMBINE, MISSING
from .likelihood import LikelihoodOptions
from .reward import RewardOptions


@dataclass(frozen=True, kw_only=True)
class ScoreOptions(RewardOptions, LikelihoodOptions, JudgeEndpoint):
    """How rows are scored; each scorer looks at its own options.

    Attributes:
        combine: Of several scores: product (DEITA's) or mean.
        missing: What rows without a score get, such as those with an answer that cannot be read: error
            (stop), lowest (the smallest score there is, so that they are never preferred) or median.
        column: Numeric column of the rows, for by column.
        dimension: What alpagasus rates, such as accuracy or helpfulness.

    """

    combine: str = "product"
    missing: str = "error"
    column: str | None = None
    dimension: str = "accuracy"

    def _check(self) -> None:
        checks.check_choice("combine", self.combine, COMBINE)
        checks.check_choice("missing", self.missing, MISSING)
        if not isinstance(self.dimension, str) or not self.dimension.strip():
            raise ValueError(f"dimension: got {self.dimension!r}, wanted what to rate, such as accuracy")
