"""Choose fine-tuning data that is both good and diverse.

`qdit.select` maximises facility-location coverage plus quality over a pool of embeddings, greedily and
exactly (Bukharin & Zhao, "Data Diversity Matters for Robust Instruction Tuning", arXiv 2311.14736).
"""

from ._version import __version__
from .coverage import coverage, objective, row_coverage
from .graph import SimilarityGraph, load_graph
from .graph_build import build_graph
from .greedy import select
from .progress import Progress
from .rows import Rows, open_embeddings
from .selection import Selection
from .sweep import sweep

__all__ = [
    "Progress",
    "Rows",
    "Selection",
    "SimilarityGraph",
    "__version__",
    "build_graph",
    "coverage",
    "load_graph",
    "objective",
    "open_embeddings",
    "row_coverage",
    "select",
    "sweep",
]
