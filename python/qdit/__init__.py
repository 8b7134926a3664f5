"""Choose fine-tuning data that is both good and diverse.

`qdit.select` maximises facility-location coverage plus quality over a pool of embeddings, greedily and
exactly (Bukharin & Zhao, "Data Diversity Matters for Robust Instruction Tuning", arXiv 2311.14736).
"""

from ._version import __version__
from .adapters import select_dataset
from .common.progress import Progress
from .embedding import embed
from .engine.rows import Rows, open_embeddings
from .exporting import explain, export, verify
from .generation import generate
from .records import import_records, open_records
from .records.pool import Pool
from .reporting import report
from .scoring import score
from .selection.api import select
from .selection.evaluate import coverage, objective, row_coverage
from .selection.graph.build import build_graph
from .selection.graph.graph import SimilarityGraph, load_graph
from .selection.pool import select_pool, sweep_pool
from .selection.selection import Selection
from .selection.sweep import sweep
from .training import train
from .vectors import convert_embeddings

__all__ = [
    "Pool",
    "Progress",
    "Rows",
    "Selection",
    "SimilarityGraph",
    "__version__",
    "build_graph",
    "convert_embeddings",
    "coverage",
    "embed",
    "explain",
    "export",
    "generate",
    "import_records",
    "load_graph",
    "objective",
    "open_embeddings",
    "open_records",
    "report",
    "row_coverage",
    "score",
    "select",
    "select_dataset",
    "select_pool",
    "sweep",
    "sweep_pool",
    "train",
    "verify",
]
