"""How a similarity graph is built: options, what follows from them for a pool, and what it will take."""

import math
from dataclasses import dataclass

from ..._core import total_memory
from ...common.checks import check_least, check_seed
from ...common.text import format_bytes, parse_bytes
from ...engine.kmeans import CELL_ITERATIONS
from ..options import Machine, Neighbors, Similarity

_COMPARED = 4_000  # rows that each row is compared with, about
_LEAST_PROBES = 12
_ROWS_PER_FIRST_PICK = 2_000
_SAMPLED_PER_FIRST_PICK = 60
_FIRST_PICKS = (25, 500)  # at least, at most
_DEFAULT_BYTES = 5 * 10**9
_ROW_BYTES = 120  # norms, maxima, offsets, list heads, members and parts, without what each probe takes
_PROBE_BYTES = 12
_KEEP_BYTES = 9  # per pair of a row: 8, room to shrink lists rarely, and bounds of the pairs
_LEAST_KEEP = 16
TRAINING_ROWS = 16  # per cell


@dataclass(frozen=True, kw_only=True)
class GraphOptions(Machine, Similarity, Neighbors):
    """All options of `qdit.build_graph`.

    Attributes:
        cells: Number of cells; none for 4 * sqrt(n).
        first_picks: None for one for every 2,000 rows, from 25 to 500, and at least 60 sampled rows for each.
            Fewer keep more pairs.
        sample: Rows that first picks are chosen from.
        seed: Of the sample, the cells, and how large cells are split.
        memory_budget: Bytes, or text such as "2GiB", for the graph while it is built, beside the embeddings;
            none for 5 GB, or half of the memory if that is less. Where not all pairs fit, every row keeps its
            most similar ones. Backend "cuda" makes the lists on the device, in parts where they do not fit it
            or take more than this.

    """

    cells: int | None = None
    first_picks: int | None = None
    sample: int = 30_000
    seed: int = 0
    memory_budget: int | str | None = None

    def _check(self) -> None:
        for name in ("cells", "first_picks", "sample"):
            if getattr(self, name) is not None:
                check_least(name, getattr(self, name), 1)
        check_seed(self.seed)
        parse_bytes("memory_budget", self.memory_budget)


@dataclass(frozen=True)
class GraphPlan:
    """What a graph is built with: all that decides which pairs it has.

    Attributes:
        cells: k-means cells.
        probes: cells that each row is compared with.
        first_picks: rows that set the floors.
        sample: rows that the first picks are chosen from, and for.
        keep: most pairs a row.
        seed: of the sample, the cells and their parts.

    """

    cells: int
    probes: int
    first_picks: int
    sample: int
    keep: int
    seed: int


def plan_graph(n: int, options: GraphOptions) -> GraphPlan:
    """Fill in what the options leave open, for a pool of n rows.

    The number of cells grows with the square root of n, so that assigning rows to cells costs what comparing
    the rows of cells does. Every row is compared with about as many others in a pool of any size.
    """
    sample = min(n, options.sample)
    cells = min(n, round(4 * math.sqrt(n)) if options.cells is None else options.cells)
    probes = options.probes
    if probes is None:
        probes = max(_LEAST_PROBES, math.ceil(_COMPARED * cells / n))
    probes = min(cells, probes)
    first_picks = options.first_picks
    if first_picks is None:
        low, high = _FIRST_PICKS
        wanted = min(high, max(low, n // _ROWS_PER_FIRST_PICK))
        first_picks = max(1, min(wanted, sample // _SAMPLED_PER_FIRST_PICK))
    keep = _most_pairs(n, probes, parse_bytes("memory_budget", options.memory_budget))
    return GraphPlan(cells, probes, min(sample, first_picks), sample, keep, options.seed)


def check_backend(backend: str) -> None:
    """Raise ValueError for the backend that has no graphs."""
    if backend == "reference":
        raise ValueError("backend: got 'reference', wanted 'cpu', 'cuda' or 'auto' for a similarity graph")


def _most_pairs(n: int, probes: int, limit: int | None) -> int:
    """Return how many pairs a row the budget has room for."""
    fixed = n * (_ROW_BYTES + _PROBE_BYTES * probes)
    if limit is None:
        # not what is available just now: what a full list keeps would depend on it
        total = total_memory()
        limit = _DEFAULT_BYTES if total is None else min(_DEFAULT_BYTES, total // 2)
    least = fixed + n * _KEEP_BYTES * _LEAST_KEEP
    if limit < least:
        raise MemoryError(
            f"memory_budget: got {format_bytes(limit)}, wanted at least {format_bytes(least)} "
            "for the graph of this pool (beside the embeddings); raise the budget or probe fewer cells"
        )
    return min(n, (limit - fixed) // (n * _KEEP_BYTES))


def memory_needed(n: int, plan: GraphPlan) -> tuple[int, int]:
    """Return the bytes that building takes beside the embeddings: at least, and at most for pairs on top."""
    return n * (_ROW_BYTES + _PROBE_BYTES * plan.probes), n * _KEEP_BYTES * plan.keep


def expected_products(n: int, plan: GraphPlan) -> float:
    """Return about how many pairs of rows building multiplies."""
    training = min(n, TRAINING_ROWS * plan.cells)
    compared = plan.probes / plan.cells * n
    return (
        n * (plan.cells + compared / 2)
        + training * plan.cells * CELL_ITERATIONS
        + plan.sample * (plan.sample / 2 + plan.first_picks)
    )
