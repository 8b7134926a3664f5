"""Choose fine-tuning data that is both good and diverse.

`qdit.select` maximises facility-location coverage plus quality over a pool of embeddings, greedily and
exactly (Bukharin & Zhao, "Data Diversity Matters for Robust Instruction Tuning", arXiv 2311.14736).
"""

from ._version import __version__
from .coverage import coverage, objective, row_coverage
from .greedy import select
from .progress import Progress
from .rows import Rows, open_embeddings
from .selection import Selection
from .sweep import sweep

__all__ = [
    "Progress",
    "Rows",
    "Selection",
    "__version__",
    "coverage",
    "objective",
    "open_embeddings",
    "row_coverage",
    "select",
    "sweep",
]
