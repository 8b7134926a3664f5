"""Choose fine-tuning data that is both good and diverse.

`qdit.select` maximises facility-location coverage plus quality over a pool of embeddings, greedily and
exactly (Bukharin & Zhao, "Data Diversity Matters for Robust Instruction Tuning", arXiv 2311.14736).

A name is loaded when it is first touched: `import qdit` costs nothing, `qdit.select` loads NumPy and the
engine, `qdit.train` the stage of that name.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from ._version import __version__

_HOMES = {
    "adapters": ("select_dataset",),
    "cleaning": ("decontaminate", "dedup", "dedup_pool"),
    "common.progress": ("Progress",),
    "embedding": ("embed",),
    "engine.rows": ("Rows", "open_embeddings"),
    "evaluation.coverage.represented": ("embed_questions",),
    "exporting": ("explain", "export", "verify"),
    "generation": ("generate",),
    "measuring": ("measure",),
    "records": ("import_records", "open_records"),
    "records.pool": ("Pool",),
    "reporting": ("report",),
    "scoring": ("score",),
    "selection.api": ("select", "sweep"),
    "selection.assign": ("Assignment", "assign"),
    "selection.evaluate": ("coverage", "objective", "row_coverage"),
    "selection.graph.build": ("build_graph",),
    "selection.graph.graph": ("SimilarityGraph", "load_graph"),
    "selection.pool": ("select_pool", "sweep_pool"),
    "selection.selection": ("Selection",),
    "training": ("train",),
    "vectors": ("convert_embeddings",),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}
__all__ = ["__version__", *_HOME_OF]

if TYPE_CHECKING:  # the same for editors and type checkers
    from .adapters import select_dataset as select_dataset
    from .cleaning import decontaminate as decontaminate
    from .cleaning import dedup as dedup
    from .cleaning import dedup_pool as dedup_pool
    from .common.progress import Progress as Progress
    from .embedding import embed as embed
    from .engine.rows import Rows as Rows
    from .engine.rows import open_embeddings as open_embeddings
    from .evaluation.coverage.represented import embed_questions as embed_questions
    from .exporting import explain as explain
    from .exporting import export as export
    from .exporting import verify as verify
    from .generation import generate as generate
    from .measuring import measure as measure
    from .records import import_records as import_records
    from .records import open_records as open_records
    from .records.pool import Pool as Pool
    from .reporting import report as report
    from .scoring import score as score
    from .selection.api import select as select
    from .selection.api import sweep as sweep
    from .selection.assign import Assignment as Assignment
    from .selection.assign import assign as assign
    from .selection.evaluate import coverage as coverage
    from .selection.evaluate import objective as objective
    from .selection.evaluate import row_coverage as row_coverage
    from .selection.graph.build import build_graph as build_graph
    from .selection.graph.graph import SimilarityGraph as SimilarityGraph
    from .selection.graph.graph import load_graph as load_graph
    from .selection.pool import select_pool as select_pool
    from .selection.pool import sweep_pool as sweep_pool
    from .selection.selection import Selection as Selection
    from .training import train as train
    from .vectors import convert_embeddings as convert_embeddings
else:

    def __getattr__(name: str) -> object:
        """Load what has this name, or the package."""
        if name in _HOME_OF:
            value = getattr(import_module(f".{_HOME_OF[name]}", __name__), name)
            globals()[name] = value
            return value
        if not name.startswith("_"):
            try:
                return import_module(f".{name}", __name__)
            except ModuleNotFoundError as error:
                if error.name != f"{__name__}.{name}":
                    raise
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
